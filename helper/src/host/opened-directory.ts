// SPDX-License-Identifier: GPL-2.0-or-later
// Directories below what a user controls: opened name by name from the root directory, without
// following a link, and used by their descriptor from then on, so that nothing can be put in their place.

import {constants} from 'node:fs';
import {type FileHandle, lstat, open} from 'node:fs/promises';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import {runProgram} from './programs.ts';

const O_PATH = 0o10000000;
const DIRECTORY = constants.O_DIRECTORY | constants.O_NOFOLLOW | O_PATH;
const NAME = /^[^/\0]{1,255}$/;
/** Milliseconds; a large tree is removed, too. */
const TIMEOUT = 30 * 60_000;

/** Whose rights are used. */
interface Ids {
    readonly uid: number;
    readonly gid: number;
}

export class OpenedDirectory implements AsyncDisposable {
    /** As it was asked for, for messages. */
    readonly path: string;
    readonly #handle: FileHandle;

    private constructor(path: string, handle: FileHandle) {
        this.path = path;
        this.#handle = handle;
    }

    /** Null: it is not there. Throws SnowError WrongState where a link, or no directory, is on the way. */
    static async open(path: string): Promise<OpenedDirectory | null> {
        const names = path.split('/').filter(name => name !== '');
        let at = new OpenedDirectory('/', await open('/', DIRECTORY));
        for (const name of names) {
            const next: OpenedDirectory | null = await at.enter(name).finally(() => at.close());
            if (!next) return null;
            at = next;
        }
        return at;
    }

    /** The directory that a descriptor is of, by its path /proc/PID/fd/N, which is to be trusted. */
    static async ofDescriptor(path: string): Promise<OpenedDirectory> {
        try {
            return new OpenedDirectory(path, await open(path, constants.O_DIRECTORY | O_PATH));
        } catch (error) {
            throw asSnowError(error, `Cannot open ${path}`);
        }
    }

    /** For other programs of root, as long as this is open. */
    get descriptorPath(): string {
        return `/proc/${process.pid}/fd/${this.#handle.fd}`;
    }

    async enter(name: string): Promise<OpenedDirectory | null> {
        const path = `${this.path === '/' ? '' : this.path}/${name}`;
        try {
            return new OpenedDirectory(path, await open(this.#entry(name), DIRECTORY));
        } catch (error) {
            if (hasErrno(error, 'ENOENT')) return null;
            if (hasErrno(error, 'ENOTDIR', 'ELOOP'))
                throw new SnowError(
                    'WrongState',
                    `${path} is no directory of its own; put a real directory in its place`,
                    {cause: error},
                );
            throw asSnowError(error, `Cannot open ${path}`);
        }
    }

    async owner(): Promise<number> {
        return (await this.#handle.stat()).uid;
    }

    async mode(): Promise<number> {
        return (await this.#handle.stat()).mode & 0o7777;
    }

    /** Opens a file in it, without following a link. */
    async openFile(name: string, flags: number): Promise<FileHandle | null> {
        try {
            return await open(this.#entry(name), flags | constants.O_NOFOLLOW);
        } catch (error) {
            if (hasErrno(error, 'ENOENT')) return null;
            throw asSnowError(error, `Cannot open ${this.path}/${name}`);
        }
    }

    /** Null: it is not there. Throws SnowError WrongState where it is no regular file, or too large. */
    async readText(name: string, maxBytes: number): Promise<string | null> {
        const file = await this.openFile(name, constants.O_RDONLY | constants.O_NONBLOCK);
        if (!file) return null;
        try {
            const status = await file.stat();
            if (!status.isFile() || status.size > maxBytes)
                throw new SnowError('WrongState', `${this.path}/${name} is no such file`);
            return await file.readFile('utf8');
        } finally {
            await file.close();
        }
    }

    /**
     * Removes one entry and whatever is below it, following no link and leaving other file systems
     * alone.
     *
     * @param as null: root's rights are used
     */
    async removeTree(name: string, as: Ids | null): Promise<void> {
        if (!(await exists(this.#entry(name)))) return;
        const command = ['rm', '-rf', '--one-file-system', '--', `./${name}`] as const;
        await this.#run(command, as, `Cannot remove ${this.path}/${name}`);
    }

    /** With a user's rights. Nothing, where there is something of that name. */
    async makeDirectory(name: string, mode: number, as: Ids): Promise<void> {
        if (await exists(this.#entry(name))) return;
        const command = ['mkdir', `--mode=${mode.toString(8)}`, '--', `./${name}`] as const;
        await this.#run(command, as, `Cannot make ${this.path}/${name}`);
    }

    async #run(
        command: readonly [string, ...string[]],
        as: Ids | null,
        failure: string,
    ): Promise<void> {
        const ids = as
            ? ['setpriv', `--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups']
            : [];
        const {exitCode, stderr} = await runProgram(
            ['env', `--chdir=${this.descriptorPath}`, ...ids, ...command],
            {timeout: TIMEOUT},
        );
        if (exitCode !== 0) throw new SnowError('Failed', `${failure}: ${stderr}`);
    }

    async close(): Promise<void> {
        await this.#handle.close();
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await this.close();
    }

    #entry(name: string): string {
        if (!NAME.test(name) || name === '.' || name === '..')
            throw new SnowError('InvalidArgs', `${JSON.stringify(name)} is no name of a file`);
        return `/proc/self/fd/${this.#handle.fd}/${name}`;
    }
}

async function exists(path: string): Promise<boolean> {
    return lstat(path).then(
        () => true,
        (error: unknown) => {
            if (hasErrno(error, 'ENOENT')) return false;
            throw error;
        },
    );
}
