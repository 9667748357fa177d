// SPDX-License-Identifier: GPL-2.0-or-later
// Every program that this driver runs.

import type {Command} from '../driver.ts';

const SYSUPDATE = '/usr/lib/systemd/systemd-sysupdate';
/** Snow's own way to stage an update; not there on other systems. */
export const STAGE_SCRIPT = '/usr/libexec/snosi-sysupdate-stage';

export const commands = {
    sysupdateVersion: (): Command => [SYSUPDATE, '--version'],
    /** Versions on this machine. */
    listInstalled: (): Command => [SYSUPDATE, '--json=short', '--offline', 'list'],
    describeInstalled: (version: string): Command => [
        SYSUPDATE,
        '--json=short',
        '--offline',
        'list',
        version,
    ],
    /** Versions on this machine and at the source, whose signature is checked. */
    list: (): Command => [SYSUPDATE, '--json=short', 'list'],
    describe: (version: string): Command => [SYSUPDATE, '--json=short', 'list', version],
    checkNew: (): Command => [SYSUPDATE, '--json=short', 'check-new'],
    update: (version: string): Command => [SYSUPDATE, 'update', version],
    updateFromDownload: (version: string): Command => [SYSUPDATE, '--offline', 'update', version],
    stage: (): Command => [STAGE_SCRIPT],
    acquire: (version: string): Command => [SYSUPDATE, 'acquire', version],
    vacuum: (): Command => [SYSUPDATE, 'vacuum'],
    bootEntries: (): Command => ['bootctl', '--json=short', '--no-pager', 'list'],
    isSystemdBootInstalled: (): Command => ['bootctl', 'is-installed'],
    clearDefault: (): Command => ['bootctl', 'set-default', ''],
    clearOneshot: (): Command => ['bootctl', 'set-oneshot', ''],
    rename: (from: string, to: string): Command => [
        'mv',
        '--no-clobber',
        '--no-target-directory',
        '--',
        from,
        to,
    ],
    syncFileSystem: (directory: string): Command => ['sync', '--file-system', directory],
} as const;
