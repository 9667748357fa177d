// SPDX-License-Identifier: GPL-2.0-or-later
// Configuration that is found as systemd finds its own: in several directories, of which the file of
// a name in the first one counts, and an empty file or a link to /dev/null masks.

import {dirname, resolve} from 'node:path/posix';

import {asSnowError} from './errno.ts';
import type {Host} from './host.ts';

/** A file as it is on disk. */
export interface TextFile {
    readonly path: string;
    readonly content: Uint8Array;
}

/** A directory and what is in it. */
export interface Listing {
    readonly path: string;
    readonly names: readonly string[];
}

export interface FoundFile {
    /** The first that is there; behind a mask, the one that it hides. */
    readonly file: TextFile | null;
    readonly maskedBy: string | null;
    readonly problems: readonly string[];
}

/** The file of a name in the first directory that has it; the directories in the order in which they count. */
export async function readFirst(
    host: Host,
    listings: readonly Listing[],
    fileName: string,
    masks: readonly Missing[] = ['mask'],
): Promise<FoundFile> {
    let maskedBy: string | null = null;
    for (const {path: directory, names} of listings) {
        if (!names.includes(fileName)) continue;
        const path = `${directory}/${fileName}`;
        const found = await readCandidate(host, path);
        if (typeof found !== 'string') return {...found, maskedBy};
        if (masks.includes(found)) maskedBy ??= path;
    }
    return {file: null, maskedBy, problems: []};
}

/** A mask is an empty file or a link to /dev/null, dangling a link to nowhere; absent is what is no file at all. */
export type Missing = 'mask' | 'dangling' | 'absent';

async function readCandidate(
    host: Host,
    path: string,
): Promise<Omit<FoundFile, 'maskedBy'> | Missing> {
    try {
        const content = await host.files.readBytes(path);
        if (content?.length === 0) return 'mask';
        if (content) return {file: {path, content}, problems: []};
    } catch (error) {
        const cause = asSnowError(error, `Cannot read ${path}`);
        const real = await host.files.resolve(path);
        if (real !== null && (await host.files.status(real))?.type === 'file')
            return {file: {path, content: new Uint8Array()}, problems: [cause.message]};
    }
    if (await leadsToNull(host, path)) return 'mask';
    return (await host.files.resolve(path)) === null ? 'dangling' : 'absent';
}

/** An offline tree need not have a /dev/null. */
async function leadsToNull(host: Host, path: string): Promise<boolean> {
    if ((await host.files.resolve(path)) === '/dev/null') return true;
    let at = path;
    for (let links = 0; links < 8 && at !== '/dev/null'; links++) {
        const target = await host.files.readLink(at);
        if (target === null) return false;
        at = resolve(dirname(at), target);
    }
    return at === '/dev/null';
}

export async function listAll(host: Host, paths: readonly string[]): Promise<readonly Listing[]> {
    return Promise.all(paths.map(async path => ({path, names: await host.files.list(path)})));
}

/** As strcmp(3), not as JavaScript, which compares UTF-16. */
export function byBytes(a: string, b: string): number {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
