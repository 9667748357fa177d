// SPDX-License-Identifier: GPL-2.0-or-later
// Has the boot loader start one version and no other, see next-boot.ts.

import {dirname} from 'node:path';

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {readOsRelease} from '../../host/os-release.ts';
import type {Command, Work} from '../driver.ts';
import {commands} from './commands.ts';
import {failureOf} from './failures.ts';
import {look, readBootEntries, readInstalled} from './machine.ts';
import {type Renaming, planNextBoot} from './next-boot.ts';
import {nextVersion, startablesOf} from './status.ts';
import type {Uki} from './uki.ts';

/** The boot loader's name, as systemd's Boot Loader Interface has it tell: two bytes a character. */
const LOADER_INFO = '/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

/** Whether the boot loader is one that counts attempts, and so goes by our names. */
export async function canChooseBoot(host: Host): Promise<boolean> {
    const {files, programs} = host;
    if (!(await programs.isInstalled('bootctl'))) return false;
    const info = await files.readBytes(LOADER_INFO, 4096).catch(() => null);
    if (info) return info.subarray(4).toString('utf16le').startsWith('systemd-boot');
    // Started without such firmware, or without variables: what the disk says.
    const {exitCode} = await look(host, commands.isSystemdBootInstalled());
    return exitCode === 0;
}

/**
 * Has the next boot start this version. Throws SnowError WrongState when it would start something
 * else all the same, and everything is as it was.
 */
export async function makeNext({host, warn}: Work, version: string): Promise<void> {
    const installed = await readInstalled(host);
    const startables = startablesOf(installed);
    if (!startables.some(one => one.version === version))
        throw new SnowError('WrongState', `${version} is not complete, and cannot be started`);
    const booted = (await readOsRelease(host))['IMAGE_VERSION'] ?? '';
    const renamings = planNextBoot(startables, version, booted);
    await renameAll(host, renamings);
    try {
        await requireKnown(host, startables.length);
        if ((await readNext(host)) === version) return;
        // Names decide only where no variable does.
        warn('A default or one-time entry of the boot loader was cleared');
        await runAll(host, [commands.clearOneshot(), commands.clearDefault()]);
        const next = await readNext(host);
        if (next !== version)
            throw new SnowError(
                'WrongState',
                `The boot loader is set to start ${next ?? 'another system'} first; choose ${version} in its menu, or take "default" out of loader.conf`,
            );
    } catch (error) {
        await renameAll(host, renamings.map(({from, to}) => ({from: to, to: from})).reverse());
        throw error;
    }
}

async function readNext(host: Host): Promise<string | null> {
    const [installed, bootEntries] = await Promise.all([
        readInstalled(host),
        readBootEntries(host),
    ]);
    return nextVersion({installed, bootEntries});
}

/** Throws SnowError NotSupported when systemd-sysupdate has lost sight of a version. */
async function requireKnown(host: Host, count: number): Promise<void> {
    if (startablesOf(await readInstalled(host)).length < count)
        throw new SnowError(
            'NotSupported',
            'The definitions in sysupdate.d know no attempts (@l-@d); choose the version in the boot menu',
        );
}

async function renameAll(host: Host, renamings: readonly Renaming[]): Promise<void> {
    if (renamings.length === 0) return;
    await runAll(
        host,
        renamings.map(({from, to}) => commands.rename(from.path, to.path)),
    );
    await runAll(host, directoriesOf(renamings).map(commands.syncFileSystem));
}

function directoriesOf(renamings: readonly Renaming[]): readonly string[] {
    return [...new Set(renamings.map(({to}: {to: Uki}) => dirname(to.path)))];
}

/** Not to be interrupted: it is quick, and half of it is no state to be in. */
async function runAll(host: Host, all: readonly Command[]): Promise<void> {
    for (const command of all) {
        const result = await host.programs.run(command);
        if (result.exitCode !== 0) throw failureOf('Choosing what the next restart starts', result);
    }
}
