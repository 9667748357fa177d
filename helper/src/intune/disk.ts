// SPDX-License-Identifier: GPL-2.0-or-later
// The root directories of a user's container, and how they change places. Every change is one rename;
// settle() finishes or undoes what was interrupted between two of them.

import {type Directories, directoriesOf} from '../host/directories.ts';
import type {Host} from '../host/host.ts';
import {
    type ContainerRecord,
    MACHINES,
    machineName,
    newRootfsPath,
    previousRootfsPath,
    rootfsPath,
} from './model.ts';
import {type Generation, readGenerations, writeGenerations} from './record.ts';

export class ContainerDisk {
    readonly #host: Host;
    readonly #uid: number;
    readonly #directories: Directories;

    constructor(host: Host, uid: number, directories = directoriesOf(host)) {
        this.#host = host;
        this.#uid = uid;
        this.#directories = directories;
    }

    get next(): string {
        return newRootfsPath(this.#uid);
    }

    /** The directory of all machines, which nobody but root may enter: files in them have their own setuid bits. */
    async prepare(): Promise<void> {
        await this.#directories.make(MACHINES, 0o700);
    }

    /** What is left of an operation that was killed is finished, where the new is in place, else taken away. */
    async settle(): Promise<void> {
        await this.#directories.removeTree(this.#trash);
        const generations = await readGenerations(this.#host, this.#uid);
        const [current, next] = await Promise.all([
            this.#positionOf(rootfsPath(this.#uid), generations),
            this.#positionOf(this.next, generations),
        ]);
        // The newest is the first. Exchanged already: what is in the new one's place is the one before.
        if (current >= 0 && next > current) await this.#keepAsPrevious(this.next);
        else await this.discardNext();
        await this.#forget();
    }

    async discardNext(): Promise<void> {
        await this.#discard(this.next);
    }

    /** Notes what the new root directory is, before it gets into place. */
    async record(record: ContainerRecord): Promise<void> {
        const inode = await this.#directories.identify(this.next);
        if (inode === null) throw new TypeError(`${this.next} is not there`);
        const others = await readGenerations(this.#host, this.#uid);
        const generations = [{inode, record}, ...others.filter(one => one.inode !== inode)];
        await writeGenerations(this.#host, this.#uid, generations);
    }

    /** The new one is the first, or takes the place of the one before, which is kept. */
    async takeNext(): Promise<void> {
        const path = rootfsPath(this.#uid);
        if ((await this.#directories.identify(path)) === null) {
            await this.#directories.move(this.next, path);
            return;
        }
        await this.#directories.exchange(this.next, path);
        await this.#keepAsPrevious(this.next);
        await this.#forget();
    }

    async hasPrevious(): Promise<boolean> {
        const generations = await readGenerations(this.#host, this.#uid);
        const path = previousRootfsPath(this.#uid);
        return (await this.#positionOf(path, generations)) >= 0;
    }

    async exchangePrevious(): Promise<void> {
        const path = rootfsPath(this.#uid);
        const previous = previousRootfsPath(this.#uid);
        if ((await this.#directories.identify(path)) === null)
            await this.#directories.move(previous, path);
        else await this.#directories.exchange(previous, path);
    }

    /** The container first of all is gone in one step; its record is the last. */
    async removeAll(): Promise<void> {
        await this.#discard(previousRootfsPath(this.#uid));
        await this.#discard(this.next);
        await this.#discard(rootfsPath(this.#uid));
        await this.#forget();
    }

    async #keepAsPrevious(path: string): Promise<void> {
        const previous = previousRootfsPath(this.#uid);
        await this.#discard(previous);
        await this.#directories.move(path, previous);
    }

    /** Out of the way in one step, so that no half of it is ever taken for a whole. */
    async #discard(path: string): Promise<void> {
        if ((await this.#directories.identify(path)) === null) return;
        await this.#directories.removeTree(this.#trash);
        await this.#directories.move(path, this.#trash);
        await this.#directories.removeTree(this.#trash);
    }

    /** What is not there any more needs no record. */
    async #forget(): Promise<void> {
        const generations = await readGenerations(this.#host, this.#uid);
        const paths = [rootfsPath(this.#uid), this.next, previousRootfsPath(this.#uid)];
        const there = await Promise.all(paths.map(path => this.#directories.identify(path)));
        const left = generations.filter(({inode}) => there.includes(inode));
        if (left.length < generations.length) await writeGenerations(this.#host, this.#uid, left);
    }

    /** -1: nothing that is known. */
    async #positionOf(path: string, generations: readonly Generation[]): Promise<number> {
        const inode = await this.#directories.identify(path);
        return generations.findIndex(one => one.inode === inode);
    }

    get #trash(): string {
        return `${MACHINES}/.${machineName(this.#uid)}.trash`;
    }
}
