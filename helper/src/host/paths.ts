// SPDX-License-Identifier: GPL-2.0-or-later
import {readlink} from 'node:fs/promises';
import {isAbsolute, join} from 'node:path';

import {hasErrno} from './errno.ts';
import {SnowError} from './error.ts';

/** As many as the kernel follows. */
const MAX_LINKS = 40;

/** Turns paths of a tree into paths of this machine. */
export interface PathResolver {
    /** Follows symbolic links to directories on the way, never the last name; for files that are made, linked or removed. */
    entry(path: string): Promise<string>;
    /** Follows every symbolic link; for files that are read. */
    target(path: string): Promise<string>;
}

/**
 * Paths of the running system (empty root) are left to the kernel. In an offline tree every
 * symbolic link is resolved inside of the tree, also an absolute one, and `..` stops at its root.
 */
export function pathResolver(root: string): PathResolver {
    if (root === '') {
        const same = (path: string): Promise<string> => Promise.resolve(checked(path));
        return {entry: same, target: same};
    }
    return {
        entry: path => resolveBelow(root, checked(path), false),
        target: path => resolveBelow(root, checked(path), true),
    };
}

function checked(path: string): string {
    if (!isAbsolute(path) || path.includes('\0'))
        throw new SnowError('InvalidArgs', `${JSON.stringify(path)} is not an absolute path`);
    return path;
}

async function resolveBelow(root: string, path: string, followLast: boolean): Promise<string> {
    const pending = names(path);
    const done: string[] = [];
    let links = 0;
    for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
        if (name === '..') {
            done.pop();
            continue;
        }
        const target =
            pending.length > 0 || followLast ? await linkTarget(join(root, ...done, name)) : null;
        if (target === null) {
            done.push(name);
            continue;
        }
        if (++links > MAX_LINKS)
            throw new SnowError('Failed', `${path} has too many levels of symbolic links`);
        if (isAbsolute(target)) done.length = 0;
        pending.unshift(...names(target));
    }
    return join(root, ...done);
}

function names(path: string): string[] {
    return path.split('/').filter(name => name !== '' && name !== '.');
}

async function linkTarget(path: string): Promise<string | null> {
    try {
        return await readlink(path);
    } catch (error) {
        // Not a link, or not there yet.
        if (hasErrno(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) return null;
        throw error;
    }
}
