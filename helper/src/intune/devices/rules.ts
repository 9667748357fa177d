// SPDX-License-Identifier: GPL-2.0-or-later
// What data/libexec/snow-intune-device goes by: whose the nodes of a container are, and which it may have.

import type {Host} from '../../host/host.ts';
import type {ContainerRecord, Settings} from '../model.ts';
import {deviceClasses, deviceRulesPath, policyOf} from './model.ts';

/** A line each: a word, and what it says. */
export function deviceRules({owner, uidBase}: ContainerRecord, settings: Settings): string {
    return [
        `owner ${uidBase + owner.uid}:${uidBase + owner.gid}`,
        ...deviceClasses.map(deviceClass => `${deviceClass} ${policyOf(settings, deviceClass)}`),
        '',
    ].join('\n');
}

/** Counts for what is plugged in from now on; before the container starts. */
export async function writeDeviceRules(
    host: Host,
    record: ContainerRecord,
    settings: Settings,
): Promise<void> {
    const path = deviceRulesPath(record.owner.uid);
    await host.files.writeWhole(path, deviceRules(record, settings), 0o644);
}
