// SPDX-License-Identifier: GPL-2.0-or-later
// What is in the slots and in the boot menu, read by systemd's own programs from partition tables and
// files, without udev, whose view of them is late.

import {SnowError} from '../../host/error.ts';
import type {Host, ProgramResult} from '../../host/host.ts';
import type {Command} from '../driver.ts';
import {commands} from './commands.ts';
import {failureOf} from './failures.ts';
import {
    type BootEntry,
    type InstalledVersion,
    importBootEntries,
    importInstalled,
    importVersions,
} from './sysupdate.ts';

/** Slots that are looked at. */
const MAX_VERSIONS = 16;

/** Every version on this machine. Throws SnowError. */
export async function readInstalled(host: Host): Promise<readonly InstalledVersion[]> {
    const result = await look(host, commands.listInstalled());
    if (result.exitCode !== 0) throw failureOf('Looking at the slots', result);
    const versions = importVersions(result.stdout).slice(0, MAX_VERSIONS);
    const found = await Promise.all(versions.map(version => readVersion(host, version)));
    return found.flatMap(version => version ?? []);
}

/** Null: it is not on this machine. Throws SnowError. */
export async function readVersion(host: Host, version: string): Promise<InstalledVersion | null> {
    const result = await look(host, commands.describeInstalled(version));
    // It was there when it was listed; a job may have removed it since.
    if (result.exitCode !== 0 && /not found/i.test(result.stderr)) return null;
    if (result.exitCode !== 0) throw failureOf(`Looking at ${version}`, result);
    return importInstalled(result.stdout);
}

/** Null: there is no program that could tell. Throws SnowError Failed for what cannot be read. */
export async function readBootEntries(host: Host): Promise<readonly BootEntry[] | null> {
    try {
        const result = await look(host, commands.bootEntries());
        return result.exitCode === 0 ? importBootEntries(result.stdout) : null;
    } catch (error) {
        if (error instanceof SnowError && error.code === 'NotSupported') return null;
        throw error;
    }
}

/** With the rights, and the devices, that the service itself does not have. */
export function look({systemd, programs}: Host, command: Command): Promise<ProgramResult> {
    return systemd
        ? systemd.runUnit(`snow-image-look-${crypto.randomUUID()}`, command)
        : programs.run(command);
}
