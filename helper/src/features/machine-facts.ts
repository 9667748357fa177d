// SPDX-License-Identifier: GPL-2.0-or-later
import type {Host} from '../host/host.ts';
import {machineArchitecture, parseRelease, type Release} from '../host/os-release.ts';

/** What the specifiers of sysupdate.d(5) stand for. null: this machine, or offline tree, does not say. */
export interface MachineFacts {
    /** As ConditionArchitecture= of systemd.unit(5) spells it. */
    readonly architecture: string | null;
    readonly osRelease: Release | null;
    /** 32 hexadecimal digits. */
    readonly bootId: string | null;
    /** 32 hexadecimal digits. */
    readonly machineId: string | null;
    readonly hostName: string | null;
    /** For people; the short host name where none is set. */
    readonly prettyHostName: string | null;
    readonly kernelRelease: string | null;
    readonly temporaryDirectory: string;
    readonly largeTemporaryDirectory: string;
}

/** @param next os-release(5) of a system that does not run yet; its kernel is not known */
export async function readMachineFacts(host: Host, next?: Release): Promise<MachineFacts> {
    const read = (path: string): Promise<string | null> => host.files.readText(path);
    const [etcRelease, usrRelease, machineId, machineInfo, bootId, hostName, kernelRelease] =
        await Promise.all([
            read('/etc/os-release'),
            read('/usr/lib/os-release'),
            read('/etc/machine-id'),
            read('/etc/machine-info'),
            read('/proc/sys/kernel/random/boot_id'),
            read('/proc/sys/kernel/hostname'),
            read('/proc/sys/kernel/osrelease'),
        ]);
    const release = etcRelease ?? usrRelease;
    const name = word(hostName);
    const pretty = machineInfo === null ? '' : (parseRelease(machineInfo)['PRETTY_HOSTNAME'] ?? '');
    // An offline tree has its own directories, whatever this process was told.
    const fromEnvironment = host.root === '' ? environmentDirectory() : null;
    return {
        architecture: machineArchitecture === '' ? null : machineArchitecture,
        osRelease: next ?? (release === null ? null : parseRelease(release)),
        bootId: id128(bootId),
        machineId: id128(machineId),
        hostName: name,
        prettyHostName: pretty !== '' ? pretty : (name?.split('.')[0] ?? null),
        kernelRelease: next ? null : word(kernelRelease),
        temporaryDirectory: fromEnvironment ?? '/tmp',
        largeTemporaryDirectory: fromEnvironment ?? '/var/tmp',
    };
}

function environmentDirectory(): string | null {
    for (const name of ['TMPDIR', 'TEMP', 'TMP']) {
        const path = process.env[name];
        if (path?.startsWith('/')) return path.replace(/(?<=.)\/+$/, '');
    }
    return null;
}

function word(text: string | null): string | null {
    return text?.trim() || null;
}

function id128(text: string | null): string | null {
    const digits = (text ?? '').trim().replaceAll('-', '').toLowerCase();
    return /^[0-9a-f]{32}$/.test(digits) ? digits : null;
}
