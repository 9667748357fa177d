// SPDX-License-Identifier: GPL-2.0-or-later
// The applications of a container in its user's desktop: links below a directory that the session's
// XDG_DATA_DIRS has, while there is a container. Their icons are not among those of /usr/share/icons,
// whose cache a desktop would believe rather than a directory that was merged in later.

import {directoriesOf} from '../host/directories.ts';
import type {Host} from '../host/host.ts';
import {stateDirectory} from './model.ts';

const SHARED = '/usr/share/snow-control';
/** Desktop entries, and the types that they may be chosen for. */
const APPLICATIONS = `${SHARED}/applications`;
const ICONS = `${SHARED}/icons`;

function shareDirectory(uid: number): string {
    return `${stateDirectory(uid)}/share`;
}

export async function showShortcuts(host: Host, uid: number): Promise<void> {
    const share = shareDirectory(uid);
    // First of all, so that no entry is ever shown without its icon.
    await host.files.linkWhole(`${share}/icons`, ICONS);
    for (const name of await host.files.list(APPLICATIONS))
        await host.files.linkWhole(`${share}/applications/${name}`, `${APPLICATIONS}/${name}`);
}

export async function hideShortcuts(host: Host, uid: number): Promise<void> {
    await directoriesOf(host).removeTree(shareDirectory(uid));
}
