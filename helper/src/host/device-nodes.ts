// SPDX-License-Identifier: GPL-2.0-or-later
// Device nodes of this machine, and others of the same devices for somebody else.

import {lstat} from 'node:fs/promises';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import type {Host} from './host.ts';

export interface DeviceNode {
    readonly path: string;
    readonly major: number;
    readonly minor: number;
    /** Permission bits. */
    readonly mode: number;
    readonly gid: number;
}

/** Character devices in a directory of root's, by their name. */
export async function characterDevices(
    host: Host,
    directory: string,
    name: RegExp,
): Promise<readonly DeviceNode[]> {
    const names = (await host.files.list(directory)).filter(each => name.test(each));
    const nodes = await Promise.all(names.map(each => nodeAt(host, `${directory}/${each}`)));
    return nodes.filter(node => node !== null);
}

async function nodeAt(host: Host, path: string): Promise<DeviceNode | null> {
    try {
        const status = await lstat(`${host.root}${path}`, {bigint: true});
        if (!status.isCharacterDevice()) return null;
        const {rdev} = status;
        return {
            path,
            // As makedev(3) has them.
            major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
            minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn)),
            mode: Number(status.mode & 0o777n),
            gid: Number(status.gid),
        };
    } catch (error) {
        if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return null;
        throw asSnowError(error, `Cannot look at ${path}`);
    }
}

/** Makes one of the same device, in a directory of root's. Throws SnowError Failed. */
export async function makeNode(
    host: Host,
    path: string,
    {major, minor, mode}: Pick<DeviceNode, 'major' | 'minor' | 'mode'>,
    owner: {readonly uid: number; readonly gid: number},
): Promise<void> {
    const commands = [
        ['mknod', `--mode=${mode.toString(8)}`, path, 'c', `${major}`, `${minor}`],
        ['chown', `${owner.uid}:${owner.gid}`, path],
    ] as const;
    for (const command of commands) {
        const {exitCode, stderr} = await host.programs.run(command);
        if (exitCode !== 0) throw new SnowError('Failed', `${path} cannot be made: ${stderr}`);
    }
}
