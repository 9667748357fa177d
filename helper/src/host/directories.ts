// SPDX-License-Identifier: GPL-2.0-or-later
// Whole directory trees of root's: moved by rename(2), exchanged, and removed.

import {lstat, mkdir, open, rename} from 'node:fs/promises';
import {dirname} from 'node:path';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import type {Host} from './host.ts';
import {pathResolver} from './paths.ts';

/** A tree of a million files takes its time. */
const REMOVAL_TIMEOUT = 30 * 60_000;

export interface Directories {
    /** Number of a directory on its file system, which stays when it is renamed; null: there is none. */
    identify(path: string): Promise<number | null>;
    /** Makes a directory with its parents (0755), which themselves are as they were. */
    make(path: string, mode: number): Promise<void>;
    /** rename(2), and on the disk when it returns. Nothing may be at the new name. */
    move(from: string, to: string): Promise<void>;
    /** Exchanges two in one step, renameat2(2), and on the disk when it returns. */
    exchange(one: string, other: string): Promise<void>;
    /** Follows no link, and leaves other file systems alone. Nothing there is fine. */
    removeTree(path: string, signal?: AbortSignal): Promise<void>;
}

export function directoriesOf(host: Host): Directories {
    const {entry} = pathResolver(host.root);
    return {
        async identify(path) {
            try {
                const status = await lstat(entry(path));
                return status.isDirectory() ? status.ino : null;
            } catch (error) {
                if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return null;
                throw asSnowError(error, `Cannot read ${path}`);
            }
        },
        async make(path, mode) {
            try {
                await mkdir(dirname(entry(path)), {recursive: true, mode: 0o755});
                await mkdir(entry(path), {mode});
            } catch (error) {
                if (!hasErrno(error, 'EEXIST')) throw asSnowError(error, `Cannot make ${path}`);
            }
        },
        async move(from, to) {
            try {
                // rename(2) itself would replace an empty directory.
                if ((await this.identify(to)) !== null)
                    throw new SnowError('WrongState', `${to} is there already`);
                await rename(entry(from), entry(to));
                await sync(dirname(entry(to)));
            } catch (error) {
                throw asSnowError(error, `Cannot move ${from} to ${to}`);
            }
        },
        async exchange(one, other) {
            const command = [
                'mv',
                '--exchange',
                '--no-target-directory',
                '--',
                entry(one),
            ] as const;
            const {exitCode, stderr} = await host.programs.run([...command, entry(other)]);
            if (exitCode !== 0)
                throw new SnowError('Failed', `${one} cannot be exchanged for ${other}: ${stderr}`);
            await sync(dirname(entry(other)));
        },
        async removeTree(path, signal) {
            if ((await host.files.status(path)) === null) return;
            const command = ['rm', '-rf', '--one-file-system', '--', entry(path)] as const;
            const {exitCode, stderr} = await host.programs.run(command, {
                timeout: REMOVAL_TIMEOUT,
                ...(signal ? {signal} : {}),
            });
            if (exitCode !== 0) throw new SnowError('Failed', `Cannot remove ${path}: ${stderr}`);
        },
    };
}

async function sync(path: string): Promise<void> {
    const handle = await open(path);
    try {
        await handle.sync();
    } finally {
        await handle.close();
    }
}
