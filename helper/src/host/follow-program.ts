// SPDX-License-Identifier: GPL-2.0-or-later
import {type ChildProcess, spawn} from 'node:child_process';
import {closeSync, constants, openSync} from 'node:fs';
import {Socket} from 'node:net';
import type {Readable} from 'node:stream';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import {createScratch} from './files.ts';
import type {FollowOptions, LineSource, ProgramResult} from './host.ts';
import {LineSplitter} from './lines.ts';
import {programEnvironment, runProgram} from './programs.ts';

/** Bytes of a line that are handed over. */
const MAX_LINE = 64 * 1024;
/** Characters of what was printed last. */
const KEPT_OUTPUT = 64 * 1024;
/** Milliseconds between being asked to stop and being killed. */
const STOP_GRACE = 10_000;
/** Milliseconds that what was printed may take to come when its program is over. */
const DRAIN = 1000;

const lineSources: readonly LineSource[] = ['stdout', 'stderr', 'progress'];

const PROGRESS_FD = 3;
const PROGRESS_ARGUMENT = '{progress-fd}';

/** See Programs.follow() of host.ts. */
export async function followProgram(
    command: readonly [string, ...string[]],
    options: FollowOptions,
): Promise<ProgramResult> {
    const [program, ...args] = command;
    const {signal, environment, maxLine = MAX_LINE, stopGrace = STOP_GRACE} = options;
    if (signal?.aborted) throw new SnowError('Cancelled', `${program} was not started`);
    using pipe = options.progressPipe ? await makePipe() : null;
    const child = spawn(
        program,
        args.map(arg => arg.replaceAll(PROGRESS_ARGUMENT, String(PROGRESS_FD))),
        {
            cwd: '/',
            env: {...process.env, ...programEnvironment, ...environment},
            stdio: ['ignore', 'pipe', 'pipe', ...(pipe ? [pipe.writeEnd] : [])],
            // A session of its own, so that whatever it starts can be told to stop with it.
            detached: true,
        },
    );
    pipe?.closeWriteEnd();

    const stopping = new Stopping(child, stopGrace);
    const kept = {stdout: '', stderr: ''};
    let failure: unknown = null;
    const take = (line: string, from: LineSource): void => {
        if (failure !== null) return;
        if (from !== 'progress') kept[from] = `${kept[from]}${line}\n`.slice(-KEPT_OUTPUT);
        try {
            options.onLine(line, from);
        } catch (error) {
            failure = error ?? new SnowError('Failed', `${program} cannot be followed`);
            stopping.start();
        }
    };
    const streams = {stdout: child.stdout, stderr: child.stderr, progress: pipe?.readEnd ?? null};
    const allRead = Promise.all(
        lineSources.map(from => readLines(streams[from], maxLine, line => take(line, from))),
    );
    const stop = (): void => stopping.start();
    signal?.addEventListener('abort', stop, {once: true});
    if (signal?.aborted) stop();
    try {
        const end = await endOf(child, program);
        await withinTime(allRead, DRAIN);
        if (failure !== null) throw failure;
        if (signal?.aborted) throw new SnowError('Cancelled', `${program} was stopped`);
        return {...end, stdout: kept.stdout, stderr: kept.stderr};
    } finally {
        // Somebody whom it left running may still hold them.
        for (const from of lineSources) streams[from]?.destroy();
        signal?.removeEventListener('abort', stop);
        stopping.end();
    }
}

interface ProgressPipe extends Disposable {
    readonly readEnd: Readable;
    readonly writeEnd: number;
    closeWriteEnd(): void;
}

/** A real pipe, which Node does not make: its own are sockets, and not every program writes to one. */
async function makePipe(): Promise<ProgressPipe> {
    await using scratch = await createScratch();
    const path = `${scratch.path}/progress`;
    const made = await runProgram(['mkfifo', '-m', '600', path]);
    if (made.exitCode !== 0) throw new SnowError('Failed', `Cannot make a pipe: ${made.stderr}`);
    try {
        // Neither waits: a reader need not, and for the writer there is one.
        const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
        const writeEnd = openSync(path, constants.O_WRONLY);
        const readEnd = new Socket({fd: readFd, readable: true, writable: false});
        let isWriteEndOpen = true;
        const closeWriteEnd = (): void => {
            if (isWriteEndOpen) closeSync(writeEnd);
            isWriteEndOpen = false;
        };
        return {
            readEnd,
            writeEnd,
            closeWriteEnd,
            [Symbol.dispose]() {
                closeWriteEnd();
                readEnd.destroy();
            },
        };
    } catch (error) {
        throw asSnowError(error, 'Cannot make a pipe');
    }
}

/** Waits for the end of a program. Throws SnowError when it cannot be started. */
function endOf(
    child: ChildProcess,
    program: string,
): Promise<Pick<ProgramResult, 'exitCode' | 'signal'>> {
    return new Promise((resolve, reject) => {
        child.on('exit', (exitCode, signal) => resolve({exitCode, signal}));
        child.on('error', error =>
            reject(
                hasErrno(error, 'ENOENT')
                    ? new SnowError('NotSupported', `${program} is not installed`)
                    : asSnowError(error, `Cannot run ${program}`),
            ),
        );
    });
}

/** Resolves when there is no more to come. */
function readLines(
    stream: Readable | null,
    maxLine: number,
    onLine: (line: string) => void,
): Promise<void> {
    if (!stream) return Promise.resolve();
    const lines = new LineSplitter(maxLine, onLine);
    return new Promise(resolve => {
        stream.on('data', (chunk: Buffer) => lines.add(chunk));
        // What cannot be read is as good as at its end: the exit status counts.
        stream.on('error', () => undefined);
        stream.on('close', () => {
            lines.end();
            resolve();
        });
    });
}

async function withinTime(work: Promise<unknown>, milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise(resolve => (timer = setTimeout(resolve, milliseconds)));
    await Promise.race([work, timeUp]);
    clearTimeout(timer);
}

/** Asks a program and all that it started to stop; who does not is killed. */
class Stopping {
    readonly #child: ChildProcess;
    readonly #grace: number;
    #timer: NodeJS.Timeout | null = null;

    constructor(child: ChildProcess, grace: number) {
        this.#child = child;
        this.#grace = grace;
    }

    start(): void {
        if (this.#timer) return;
        this.#kill('SIGTERM');
        this.#timer = setTimeout(() => this.#kill('SIGKILL'), this.#grace);
    }

    /** When the program is over: of one that was stopped, nothing stays behind. */
    end(): void {
        if (!this.#timer) return;
        clearTimeout(this.#timer);
        this.#kill('SIGKILL');
    }

    #kill(signal: 'SIGTERM' | 'SIGKILL'): void {
        const {pid} = this.#child;
        if (pid === undefined) return;
        try {
            process.kill(-pid, signal);
        } catch (error) {
            // Nobody is left of the group.
            if (!hasErrno(error, 'ESRCH')) throw error;
        }
    }
}
