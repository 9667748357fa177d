// SPDX-License-Identifier: GPL-2.0-or-later
// The caller's side of caller-pipes.ts: a directory of FIFOs, or of links to a terminal, that the service
// is given the path of.

import {constants, fstatSync} from 'node:fs';
import {type FileHandle, mkdtemp, open, readlink, rm, symlink} from 'node:fs/promises';
import {Socket} from 'node:net';
import {join} from 'node:path';
import type {Readable, Writable} from 'node:stream';
import {isatty} from 'node:tty';

import {asSnowError} from './errno.ts';
import {SnowError} from './error.ts';
import {runProgram} from './programs.ts';

const {O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY} = constants;
/** Milliseconds for which a program that has ended may still be heard of. */
const GRACE = 2000;

export type StreamName = 'stdin' | 'stdout' | 'stderr';
export const streamNames: readonly StreamName[] = ['stdin', 'stdout', 'stderr'];

export class GivenPipes implements AsyncDisposable {
    /** Of mode 0700, and gone with this. */
    readonly directory: string;
    readonly #handles: FileHandle[] = [];

    private constructor(directory: string) {
        this.directory = directory;
    }

    /** Below what the service takes of a user. Throws SnowError NotFound, NotAuthorized. */
    static async create(uid: number): Promise<GivenPipes> {
        const parent = uid === 0 ? '/run' : `/run/user/${uid}`;
        try {
            return new GivenPipes(await mkdtemp(join(parent, 'snowctl-')));
        } catch (error) {
            throw asSnowError(error, `No pipes can be made in ${parent}`);
        }
    }

    /** Makes a FIFO that a line waits in for its reader. */
    async writeLine(name: string, line: string): Promise<void> {
        await this.makeFifos([name]);
        // Opened for both, so that nobody is waited for.
        const handle = await this.open(name, O_RDWR);
        await handle.write(`${line}\n`);
    }

    /** Links the streams to a terminal. */
    async linkTerminal(path: string): Promise<void> {
        for (const name of streamNames) await symlink(path, join(this.directory, name));
    }

    async makeFifos(names: readonly string[]): Promise<void> {
        const paths = names.map(name => join(this.directory, name));
        const {exitCode, stderr} = await runProgram(['mkfifo', '-m', '0600', '--', ...paths]);
        if (exitCode !== 0) throw new SnowError('Failed', `No pipes can be made: ${stderr.trim()}`);
    }

    /** Closed with this. */
    async open(name: string, flags: number): Promise<FileHandle> {
        const handle = await open(join(this.directory, name), flags | O_NONBLOCK);
        this.#handles.push(handle);
        return handle;
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await rm(this.directory, {recursive: true, force: true});
        for (const handle of this.#handles)
            await handle.close().catch(() => {
                // The socket that used it has closed it.
            });
    }
}

/** The terminal that all three standard streams are, of this user; null: there is none. */
export async function commonTerminal(uid: number): Promise<string | null> {
    if (![0, 1, 2].every(fd => isatty(fd) && fstatSync(fd).uid === uid)) return null;
    const links = await Promise.all([0, 1, 2].map(fd => readlink(`/proc/self/fd/${fd}`)));
    const [path = ''] = links;
    return links.every(link => link === path) && /^\/dev\/pts\/\d{1,9}$/.test(path) ? path : null;
}

export interface RelayedStreams {
    readonly stdin: Readable;
    readonly stdout: Writable;
    readonly stderr: Writable;
}

/** Hands streams of this process on to FIFOs, byte by byte and no faster than they are read. */
export class StreamRelay {
    readonly #held: readonly FileHandle[];
    readonly #outputs: readonly Socket[];
    readonly #ends: readonly Promise<void>[];
    readonly #input: Socket;
    readonly #stdin: Readable;

    private constructor(
        {stdin, stdout, stderr}: RelayedStreams,
        held: readonly FileHandle[],
        [input, output, errors]: readonly [number, number, number],
        onOutput: () => void,
    ) {
        this.#held = held;
        this.#stdin = stdin;
        this.#input = new Socket({fd: input, readable: false, writable: true});
        this.#outputs = [output, errors].map(
            fd => new Socket({fd, readable: true, writable: false}),
        );
        // The program reads no more: what is left is nobody's.
        this.#input.on('error', () => this.#leaveInput());
        stdin.on('error', () => this.#input.end());
        stdin.pipe(this.#input);
        this.#ends = this.#outputs.map((socket, index) => {
            const target = index === 0 ? stdout : stderr;
            socket.once('data', onOutput);
            socket.pipe(target, {end: false});
            // Nobody reads any more: the program is to learn it, as in a pipeline.
            target.once('error', () => socket.destroy());
            return new Promise(resolve => {
                socket.once('close', () => resolve());
                socket.on('error', () => socket.destroy());
            });
        });
    }

    /** @param onOutput called before the program's first output on each stream */
    static async start(
        pipes: GivenPipes,
        streams: RelayedStreams,
        onOutput: () => void,
    ): Promise<StreamRelay> {
        await pipes.makeFifos(streamNames);
        // Both ends of each: what is written waits for the program, and nothing ends before it came.
        const held = [await pipes.open('stdin', O_RDONLY)];
        const input = await pipes.open('stdin', O_WRONLY);
        const output = await pipes.open('stdout', O_RDONLY);
        const errors = await pipes.open('stderr', O_RDONLY);
        held.push(await pipes.open('stdout', O_WRONLY), await pipes.open('stderr', O_WRONLY));
        return new StreamRelay(streams, held, [input.fd, output.fd, errors.fd], onOutput);
    }

    /** After the program's end: waits until all that it wrote has been handed on. */
    async finish(): Promise<void> {
        for (const handle of this.#held) await handle.close();
        this.#leaveInput();
        const grace = new AbortController();
        await Promise.race([Promise.all(this.#ends), this.#silence(grace.signal)]);
        grace.abort();
        for (const socket of this.#outputs) socket.destroy();
    }

    #leaveInput(): void {
        this.#stdin.unpipe(this.#input);
        this.#stdin.destroy();
        this.#input.destroy();
    }

    /** Settles when nothing came for a while, though it would have been taken. */
    #silence(signal: AbortSignal): Promise<void> {
        return new Promise(resolve => {
            let timer: NodeJS.Timeout;
            const wait = (): void => {
                clearTimeout(timer);
                timer = setTimeout(look, GRACE);
            };
            const look = (): void => {
                if (this.#outputs.some(socket => socket.isPaused())) wait();
                else resolve();
            };
            for (const socket of this.#outputs) socket.on('data', wait);
            signal.addEventListener('abort', () => clearTimeout(timer), {once: true});
            wait();
        });
    }
}
