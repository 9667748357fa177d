// SPDX-License-Identifier: GPL-2.0-or-later
// How the containers of a user came to be: container.json of stateDirectory(). A root directory is known
// by its number on the file system, which a rename does not change: so whichever is in place after an
// interruption, the file says what it is, and nothing in the tree itself, which is its container's, is asked.

import {directoriesOf} from '../host/directories.ts';
import type {Host} from '../host/host.ts';
import {
    type Importer,
    array,
    count,
    digest,
    importJson,
    line,
    object,
    oneOf,
    refuse,
    string,
} from '../host/importer.ts';
import {type ContainerRecord, rootfsPath, stateDirectory} from './model.ts';

export interface Generation {
    /** Of its root directory. */
    readonly inode: number;
    readonly record: ContainerRecord;
}

/** 0x40000000 and up: beyond the subordinate ids that useradd(8) gives out, within nspawn's range. */
const FIRST_BASE = 0x4000_0000;
const RANGE = 65_536;
const RANGES = 8192;

const STATES = '/var/lib/snow-control/intune';

export function recordPath(uid: number): string {
    return `${stateDirectory(uid)}/container.json`;
}

/** uids of those whose container is, or was, made here. */
export async function knownUids(host: Host): Promise<readonly number[]> {
    return (await host.files.list(STATES))
        .map(name => /^u([1-9]\d{0,9})$/.exec(name)?.[1])
        .filter(uid => uid !== undefined)
        .map(Number);
}

/** Every root directory that was made and not removed. Throws SnowError Failed when it is not what we wrote. */
export async function readGenerations(host: Host, uid: number): Promise<readonly Generation[]> {
    const path = recordPath(uid);
    const text = await host.files.readText(path);
    return text === null ? [] : importJson(path, text, generationsDocument).generations;
}

export async function writeGenerations(
    host: Host,
    uid: number,
    generations: readonly Generation[],
): Promise<void> {
    if (generations.length === 0) {
        await host.files.remove(recordPath(uid));
        return;
    }
    const text = `${JSON.stringify({generations}, null, 4)}\n`;
    await host.files.writeWhole(recordPath(uid), text, 0o600);
}

/** Of the root directory at a path; null: there is none, or none of ours. */
export async function recordOf(
    host: Host,
    uid: number,
    path: string,
): Promise<ContainerRecord | null> {
    const inode = await directoriesOf(host).identify(path);
    if (inode === null) return null;
    const generations = await readGenerations(host, uid);
    return generations.find(one => one.inode === inode)?.record ?? null;
}

/** Of the container that is in place. */
export function readRecord(host: Host, uid: number): Promise<ContainerRecord | null> {
    return recordOf(host, uid, rootfsPath(uid));
}

/** A range of ids that no other container has. */
export async function chooseUidBase(host: Host, uid: number): Promise<number> {
    const taken = new Set<number>();
    for (const other of await knownUids(host))
        if (other !== uid)
            for (const {record} of await readGenerations(host, other)) taken.add(record.uidBase);
    for (let step = 0; step < RANGES; step++) {
        const base = FIRST_BASE + ((uid + step) % RANGES) * RANGE;
        if (!taken.has(base)) return base;
    }
    throw new RangeError('Every range of ids is taken');
}

const uidBase: Importer<number> = found => {
    const base = count(found);
    return base >= RANGE && base % RANGE === 0 ? base : refuse(found, 'is no range of ids');
};

const generationsDocument = object({
    generations: array(
        object({
            inode: count,
            record: object({
                owner: object({uid: count, gid: count, name: string, home: line}),
                uidBase,
                channel: oneOf('stable', 'insiders', 'custom'),
                image: line,
                digest,
                created: count,
            }),
        }),
    ),
});
