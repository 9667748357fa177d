// SPDX-License-Identifier: GPL-2.0-or-later
import {readlinkSync} from 'node:fs';
import {isAbsolute, join} from 'node:path';

import {hasErrno} from './errno.ts';
import {SnowError} from './error.ts';

/** As many as the kernel follows. */
const MAX_LINKS = 40;

/** Turns paths of a tree into paths of this machine. */
export interface PathResolver {
    /** Follows symbolic links to directories on the way, never the last name; for files that are made, linked or removed. */
    entry(path: string): string;
    /** Follows every symbolic link; for files that are read. */
    target(path: string): string;
}

/**
 * Paths of the running system (empty root) are left to the kernel. In an offline tree every
 * symbolic link is resolved inside of the tree, also an absolute one, and `..` stops at its root.
 */
export function pathResolver(root: string): PathResolver {
    if (root === '') {
        return {entry: checked, target: checked};
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

function resolveBelow(root: string, path: string, followLast: boolean): string {
    const pending = names(path);
    const done: string[] = [];
    let links = 0;
    for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
        if (name === '..') {
            done.pop();
            continue;
        }
        const target =
            pending.length > 0 || followLast ? linkTarget(join(root, ...done, name)) : null;
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

function linkTarget(path: string): string | null {
    try {
        return readlinkSync(path);
    } catch (error) {
        // Not a link, or not there yet.
        if (hasErrno(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) return null;
        throw error;
    }
}
