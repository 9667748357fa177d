// SPDX-License-Identifier: GPL-2.0-or-later
// Who a process is, by proc(5), read through one descriptor of its directory: of a number that was
// given to another process meanwhile nothing is read.

import {constants} from 'node:fs';
import {type FileHandle, lstat, open, readlink} from 'node:fs/promises';

import {hasErrno} from './errno.ts';
import {parseIni} from './ini.ts';

const {O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY} = constants;
const O_PATH = 0o10000000;
const MAX_BYTES = 64 * 1024;

/** unknown: it does not let itself be looked at, as inside some containers. */
export type Sandbox = 'none' | 'flatpak' | 'snap' | 'unknown';

export interface ProcessIdentity {
    /** Path of its program; empty: not to be had. */
    readonly executable: string;
    /** The innermost unit of systemd that it is in; empty: none. */
    readonly unit: string;
    readonly sandbox: Sandbox;
    /** Of the application in the sandbox, else empty. */
    readonly application: string;
}

/**
 * What a process is, or null when there is none of that number. The label is the one of its security
 * module, as whoever it talks to was told by the kernel.
 */
export async function identifyProcess(
    pid: number,
    label: string,
    proc = '/proc',
): Promise<ProcessIdentity | null> {
    let directory: FileHandle;
    try {
        directory = await open(`${proc}/${pid}`, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    } catch (error) {
        if (hasErrno(error, 'ENOENT')) return null;
        throw error;
    }
    try {
        const at = `/proc/self/fd/${directory.fd}`;
        const [executable, cgroup, flatpak] = await Promise.all([
            readlink(`${at}/exe`).catch(() => ''),
            readBounded(`${at}/cgroup`).catch(() => ''),
            flatpakOf(at),
        ]);
        const unit = unitOf(cgroup);
        const snap = snapOf(label, cgroup);
        if (flatpak.sandbox !== 'none') return {executable, unit, ...flatpak};
        if (snap !== null) return {executable, unit, sandbox: 'snap', application: snap};
        return {executable, unit, sandbox: 'none', application: ''};
    } finally {
        await directory.close();
    }
}

/** Flatpak puts the file into the root of what it runs, where that cannot take it away. */
async function flatpakOf(at: string): Promise<Pick<ProcessIdentity, 'sandbox' | 'application'>> {
    let root: FileHandle;
    try {
        root = await open(`${at}/root`, O_PATH | O_DIRECTORY);
    } catch {
        return {sandbox: 'unknown', application: ''};
    }
    try {
        const path = `/proc/self/fd/${root.fd}/.flatpak-info`;
        await lstat(path);
        return {sandbox: 'flatpak', application: await flatpakName(path).catch(() => '')};
    } catch (error) {
        return {sandbox: hasErrno(error, 'ENOENT') ? 'none' : 'unknown', application: ''};
    } finally {
        await root.close();
    }
}

async function flatpakName(path: string): Promise<string> {
    const keys = {Application: new Set(['name'])};
    const {assignments} = parseIni(path, Buffer.from(await readBounded(path)), keys);
    return assignments[0]?.value ?? '';
}

/**
 * The name of a snap that is confined, or null. A classic one is a program as any other: its profile
 * only complains. Without AppArmor nobody can tell.
 */
export function snapOf(label: string, cgroup: string): string | null {
    const [profile = '', mode = ''] = label.split(' ');
    if (profile.startsWith('snap.'))
        return mode === '(complain)' || mode === '(unconfined)'
            ? null
            : (profile.split('.')[1] ?? '');
    if (profile !== '') return null;
    return /\/snap\.([^./]+)\.[^/]*\.(scope|service)(\/|$)/m.exec(cgroup)?.[1] ?? null;
}

/** The last name of cgroups(7)'s own hierarchy that is a unit's. */
export function unitOf(cgroup: string): string {
    const path = /^0::(.*)$/m.exec(cgroup)?.[1] ?? '';
    const units = path.split('/').filter(name => /\.(service|scope)$/.test(name));
    return units.at(-1) ?? '';
}

async function readBounded(path: string): Promise<string> {
    const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
        const {buffer, bytesRead} = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
        return buffer.toString('utf8', 0, bytesRead);
    } finally {
        await file.close();
    }
}
