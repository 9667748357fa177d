// SPDX-License-Identifier: GPL-2.0-or-later
// The caller's side of caller-pipes.ts: a directory of FIFOs, or of links to a terminal, that the service
// is given the path of.

import {closeSync, constants, fstatSync, open, openSync, rmSync, writeSync} from 'node:fs';
import {mkdtemp, readlink, symlink} from 'node:fs/promises';
import {Socket} from 'node:net';
import {join} from 'node:path';
import type {Readable, Writable} from 'node:stream';
import {isatty} from 'node:tty';
import {promisify} from 'node:util';

import {asSnowError, hasErrno} from './errno.ts';
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
    /** Kept open for who reads what waits in them. */
    readonly #written: number[] = [];

    private constructor(directory: string) {
        this.directory = directory;
        // Also where the process is left in the middle.
        process.once('exit', this.#remove);
    }

    /** Below what the service takes of a user. Throws SnowError NotFound, NotAuthorized. */
    static async create(uid: number): Promise<GivenPipes> {
        const parent = uid === 0 ? '/run' : `/run/user/${uid}`;
        try {
            return new GivenPipes(await mkdtemp(join(parent, 'snowctl-')));
        } catch (error) {
            if (hasErrno(error, 'ENOENT'))
                throw new SnowError('NotFound', `There is no ${parent}: log in first`);
            throw asSnowError(error, `No pipes can be made in ${parent}`);
        }
    }

    /** Makes a FIFO that a line waits in for its reader. */
    async writeLine(name: string, line: string): Promise<void> {
        await this.makeFifos([name]);
        // Opened for both, so that nobody is waited for.
        const fd = this.open(name, O_RDWR);
        this.#written.push(fd);
        writeSync(fd, `${line}\n`);
    }

    /** Makes a FIFO, and returns what writes to it, to have its reader look at something. */
    async makeBell(name: string): Promise<() => void> {
        await this.makeFifos([name]);
        const fd = this.open(name, O_RDWR);
        this.#written.push(fd);
        return () => {
            try {
                writeSync(fd, '\n');
            } catch {
                // It is full: there is enough in it already.
            }
        };
    }

    /** Links the streams to a terminal. */
    async linkTerminal(path: string): Promise<void> {
        for (const name of streamNames) await symlink(path, join(this.directory, name));
    }

    /** Nobody else gets at them, whatever their mode: a program may open its /dev/stdout as another user. */
    async makeFifos(names: readonly string[]): Promise<void> {
        const paths = names.map(name => join(this.directory, name));
        const {exitCode, stderr} = await runProgram(['mkfifo', '-m', '0666', '--', ...paths]);
        if (exitCode !== 0) throw new SnowError('Failed', `No pipes can be made: ${stderr.trim()}`);
    }

    /** Without waiting for the other end. */
    open(name: string, flags: number): number {
        return openSync(join(this.directory, name), flags | O_NONBLOCK);
    }

    [Symbol.asyncDispose](): Promise<void> {
        for (const fd of this.#written.splice(0)) closeSync(fd);
        process.off('exit', this.#remove);
        this.#remove();
        return Promise.resolve();
    }

    readonly #remove = (): void => rmSync(this.directory, {recursive: true, force: true});
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
export class StreamRelay implements AsyncDisposable {
    readonly #inputPath: string;
    readonly #stdin: Readable;
    /** Writers of the outputs, so that these do not end before the program has come. */
    readonly #held: number[];
    readonly #outputs: readonly Socket[];
    readonly #ends: readonly Promise<void>[];
    #input: Socket | null = null;
    #isOver = false;
    /** Settles when the program has opened its input. */
    readonly #opening: Promise<void>;

    private constructor(
        inputPath: string,
        {stdin, stdout, stderr}: RelayedStreams,
        held: number[],
        outputs: readonly number[],
        onOutput: () => void,
    ) {
        this.#inputPath = inputPath;
        this.#stdin = stdin;
        this.#held = held;
        this.#outputs = outputs.map(fd => new Socket({fd, readable: true, writable: false}));
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
        // A thread that waits for a program that never comes would keep the process from its end.
        process.once('exit', this.#release);
        this.#opening = this.#openInput();
    }

    /** @param onOutput called before the program's first output on each stream */
    static async start(
        pipes: GivenPipes,
        streams: RelayedStreams,
        onOutput: () => void,
    ): Promise<StreamRelay> {
        await pipes.makeFifos(streamNames);
        const outputs = [
            await pipes.open('stdout', O_RDONLY),
            await pipes.open('stderr', O_RDONLY),
        ];
        const held = ['stdout', 'stderr'].map(name => pipes.open(name, O_WRONLY));
        const path = join(pipes.directory, 'stdin');
        return new StreamRelay(path, streams, held, outputs, onOutput);
    }

    /** After the program's end: waits until all that it wrote has been handed on. */
    async finish(): Promise<void> {
        await this.#endInput();
        this.#letGo();
        const grace = new AbortController();
        await Promise.race([Promise.all(this.#ends), this.#silence(grace.signal)]);
        grace.abort();
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await this.#endInput();
        this.#letGo();
        for (const socket of this.#outputs) socket.destroy();
    }

    /** Waits for the program, so that what is written and its end are the program's, whenever it comes. */
    async #openInput(): Promise<void> {
        const fd = await promisify(open)(this.#inputPath, O_WRONLY);
        if (this.#isOver) {
            closeSync(fd);
            return;
        }
        this.#input = new Socket({fd, readable: false, writable: true});
        // It reads no more: what is left is nobody's.
        this.#input.on('error', () => this.#leaveInput());
        this.#stdin.on('error', () => this.#input?.end());
        this.#stdin.pipe(this.#input);
    }

    #letGo(): void {
        for (const fd of this.#held.splice(0)) closeSync(fd);
    }

    async #endInput(): Promise<void> {
        this.#isOver = true;
        this.#release();
        await this.#opening;
        this.#leaveInput();
    }

    /** Lets who waits for the program go on. */
    readonly #release = (): void => {
        process.off('exit', this.#release);
        if (this.#input) return;
        try {
            closeSync(openSync(this.#inputPath, O_RDONLY | O_NONBLOCK));
        } catch {
            // It is gone, and nobody waits for it any more.
        }
    };

    #leaveInput(): void {
        if (this.#input) this.#stdin.unpipe(this.#input);
        this.#stdin.destroy();
        this.#input?.destroy();
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
