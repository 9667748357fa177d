// SPDX-License-Identifier: GPL-2.0-or-later
// Room for an image, and how far it has come.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {GIB, MIB} from './sandbox.ts';

/** How many times larger an image is when it is unpacked. */
export const GROWTH = 3;
/** Bytes that stay free, for everything else that the system does. */
const RESERVE = 256 * MIB;
/** Files that can still be made then. */
const RESERVED_FILES = 10_000;
/** Deep enough for what the tools lay out. */
const MAX_DEPTH = 3;

/** Throws SnowError NoSpace unless an image fits, with all that is there on its way. */
export async function refuseNoSpace(host: Host, path: string, needed: number): Promise<void> {
    const free = await host.files.freeBytes(path);
    if (free < needed + RESERVE)
        throw new SnowError(
            'NoSpace',
            `The image needs about ${inGigabytes(needed + RESERVE)} on the disk of ${path}, of which ${inGigabytes(free)} are free`,
        );
}

/** Throws SnowError NoSpace when the disk is nearly full. */
export async function refuseFullDisk({files}: Host, path: string): Promise<void> {
    const [bytes, count] = await Promise.all([files.freeBytes(path), files.freeFiles(path)]);
    if (bytes < RESERVE || count < RESERVED_FILES)
        throw new SnowError(
            'NoSpace',
            `There is not enough space for the image on the disk of ${path}`,
        );
}

/** Tells about how many bytes were written to a disk since this was called. */
export async function writtenTo({files}: Host, path: string): Promise<() => Promise<number>> {
    const before = await files.freeBytes(path);
    let most = 0;
    // Somebody else may remove something meanwhile.
    return async () => (most = Math.max(most, before - (await files.freeBytes(path))));
}

/** Bytes in the files of a directory, and of those in it. */
export async function sizeOf(host: Host, path: string, depth = MAX_DEPTH): Promise<number> {
    let sum = 0;
    for (const name of await host.files.list(path)) {
        const status = await host.files.status(`${path}/${name}`);
        if (status?.type === 'file') sum += status.size;
        if (status?.type === 'directory' && depth > 1)
            sum += await sizeOf(host, `${path}/${name}`, depth - 1);
    }
    return sum;
}

/** Says when nothing has come for too long. */
export class Stall {
    readonly #limit: number;
    #last = -1;
    #since = 0;

    /** @param limit milliseconds */
    constructor(limit: number) {
        this.#limit = limit;
    }

    /** Throws SnowError Network. */
    refuse(bytes: number, now = performance.now()): void {
        if (bytes !== this.#last) {
            this.#last = bytes;
            this.#since = now;
        } else if (now - this.#since > this.#limit) {
            const seconds = Math.round(this.#limit / 1000);
            throw new SnowError('Network', `The registry has sent nothing for ${seconds} seconds`);
        }
    }
}

function inGigabytes(bytes: number): string {
    return `${(bytes / GIB).toFixed(1)} GiB`;
}
