// SPDX-License-Identifier: GPL-2.0-or-later
// Things below what a user controls, as a descriptor that was opened name by name without following a
// link, and that stays what was looked at, whatever is put in its place.

import type {Stats} from 'node:fs';
import {type FileHandle, lstat, readdir} from 'node:fs/promises';

import {hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import {OpenedDirectory} from './opened-directory.ts';

const O_PATH = 0o10000000;
const MAX_NAMES = 100;

export type OpenedType = 'directory' | 'file' | 'socket' | 'character-device';

const types: Readonly<Record<OpenedType, (status: Stats) => boolean>> = {
    directory: status => status.isDirectory(),
    file: status => status.isFile(),
    socket: status => status.isSocket(),
    'character-device': status => status.isCharacterDevice(),
};

/** Nothing can be read from it or written to it: it only says which thing is meant. */
export class OpenedThing implements AsyncDisposable {
    readonly path: string;
    readonly #handle: FileHandle;

    constructor(path: string, handle: FileHandle) {
        this.path = path;
        this.#handle = handle;
    }

    /** For other programs of root, such as mount(8), as long as this is open. */
    get descriptorPath(): string {
        return `/proc/${process.pid}/fd/${this.#handle.fd}`;
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await this.#handle.close();
    }
}

export interface OpenedKind {
    readonly type: OpenedType;
    /** uid */
    readonly owner: number;
    /** Whether it may be root's, too. */
    readonly orRoots?: boolean;
}

/**
 * Opens what is at an absolute path, for its place alone (O_PATH). Null: it is not there. Throws
 * SnowError InvalidArgs for a path with . or .. in it, WrongState where a link is on the way or where
 * it is of another type, NotAuthorized where it is another user's.
 */
export async function openSafely(
    path: string,
    {type, owner, orRoots = false}: OpenedKind,
): Promise<OpenedThing | null> {
    const end = path.lastIndexOf('/');
    if (!path.startsWith('/'))
        throw new SnowError('InvalidArgs', `${JSON.stringify(path)} is no absolute path`);
    await using directory = await OpenedDirectory.open(path.slice(0, end));
    const handle = await directory?.openFile(path.slice(end + 1), O_PATH);
    if (!handle) return null;
    try {
        const status = await handle.stat();
        if (!types[type](status))
            throw new SnowError(
                'WrongState',
                type === 'directory'
                    ? `${path} is no directory of its own; put a real directory in its place`
                    : `${path} is no ${type.replace('-', ' ')} of its own`,
            );
        if (status.uid !== owner && !(orRoots && status.uid === 0))
            throw new SnowError('NotAuthorized', `${path} belongs to another user`);
        return new OpenedThing(path, handle);
    } catch (error) {
        await handle.close();
        throw error;
    }
}

/** Names in a directory that a user controls, the newest first; none where it is not the user's own. */
export async function listSafely(
    path: string,
    owner: number,
    pattern: RegExp,
): Promise<readonly string[]> {
    await using directory = await OpenedDirectory.open(path);
    if (!directory || (await directory.owner()) !== owner) return [];
    const at = directory.descriptorPath;
    const names = (await readdir(at)).filter(name => pattern.test(name)).slice(0, MAX_NAMES);
    const times = new Map<string, number>();
    for (const name of names) {
        try {
            times.set(name, (await lstat(`${at}/${name}`)).mtimeMs);
        } catch (error) {
            if (!hasErrno(error, 'ENOENT')) throw error;
        }
    }
    return [...times].sort(([, one], [, other]) => other - one).map(([name]) => name);
}
