// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import type {Feature} from './model.ts';

/** The drop-in that updex writes, and so do we. */
const SWITCH = '00-updex.conf';
/** The drop-in that `systemd-sysupdate enable-feature` writes; it is read later, and so decides. */
const SYSUPDATE_SWITCH = '50-systemd-sysupdate-enabled.conf';

/** A drop-in to be written. */
export interface SwitchChange {
    readonly path: string;
    readonly content: string;
}

/** Where the drop-ins of a feature are: in its own component's scope under /etc. */
export function dropInDirectory({component, name}: Feature): string {
    const scope = component === '' ? 'sysupdate.d' : `sysupdate.${component}.d`;
    return `/etc/${scope}/${name}.feature.d`;
}

/**
 * The files that turn a feature on or off, in the order in which they are written: the one that
 * decides is the last, so that the feature changes in one rename. The one of systemd-sysupdate is
 * brought in line where it is there, and so every tool sees the same, whichever wrote last.
 *
 * Throws SnowError WrongState when somebody's own drop-in, which is not touched, says otherwise.
 */
export async function planSwitch(
    host: Host,
    feature: Feature,
    enabled: boolean,
): Promise<readonly SwitchChange[]> {
    const directory = dropInDirectory(feature);
    const names = [SWITCH];
    if (await host.files.status(`${directory}/${SYSUPDATE_SWITCH}`)) names.push(SYSUPDATE_SWITCH);

    const overriding = overridingDropIn(feature, enabled, names.at(-1) ?? SWITCH);
    if (overriding !== null) {
        const verb = enabled ? 'on' : 'off';
        throw new SnowError(
            'WrongState',
            `${feature.id} cannot be turned ${verb}: ${overriding} says otherwise`,
        );
    }

    const changes: SwitchChange[] = [];
    for (const name of names) {
        const path = `${directory}/${name}`;
        const content = `[Feature]\nEnabled=${enabled}\n`;
        const present = await host.files.status(path);
        if (present && present.type !== 'file')
            throw new SnowError('WrongState', `${path} is not a regular file`);
        if ((await host.files.readText(path)) !== content) changes.push({path, content});
    }
    return changes;
}

/** The file that decides in spite of a drop-in of the name `last`; null: there is none. */
function overridingDropIn(feature: Feature, enabled: boolean, last: string): string | null {
    if (feature.enabled === enabled) return null;
    const match = /\.feature\.d\/([^/]+\.conf)$/.exec(feature.enabledBy);
    const decides = match?.[1];
    return decides !== undefined && decides > last ? feature.enabledBy : null;
}
