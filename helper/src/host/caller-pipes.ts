// SPDX-License-Identifier: GPL-2.0-or-later
// What a caller gives the service besides its arguments: FIFOs in a directory that it made for that.

import {constants} from 'node:fs';
import {type FileHandle, readlink} from 'node:fs/promises';
import {Socket} from 'node:net';

import {SnowError} from './error.ts';
import type {StreamPaths} from './host.ts';
import {OpenedDirectory} from './opened-directory.ts';
import {openSafely} from './safe-open.ts';

/** Milliseconds. */
const LINE_TIMEOUT = 60_000;
const MAX_LINE = 1024;
const O_PATH = 0o10000000;
const STREAMS = ['stdin', 'stdout', 'stderr'] as const;

/** Throws SnowError InvalidArgs where a caller's directory cannot be. */
export function checkPipesPath(path: string, caller: number): void {
    const parent = caller === 0 ? '/run' : `/run/user/${caller}`;
    const rest = path.startsWith(`${parent}/`) ? path.slice(parent.length + 1) : '';
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}$/.test(rest))
        throw new SnowError('InvalidArgs', `pipes is to be a directory below ${parent}`);
}

/**
 * Reads one line from a FIFO of a caller, without its end. Null: there is no such FIFO. Throws
 * SnowError NotAuthorized, WrongState, InvalidArgs, Cancelled.
 */
export async function readCallersLine(
    path: string,
    name: string,
    caller: number,
    signal: AbortSignal,
): Promise<string | null> {
    const handle = await openWaitingFifo(path, name, caller);
    if (!handle) return null;
    try {
        return await readLine(handle.fd, `${path}/${name}`, signal);
    } finally {
        await handle.close().catch(() => {
            // The socket that read from it has closed it.
        });
    }
}

/**
 * Calls back when a caller has written to a FIFO, of that name, where there is one, and as long as this is not
 * disposed of; what was written counts for nothing. Throws SnowError NotAuthorized, WrongState, InvalidArgs.
 */
export async function watchCallersFifo(
    path: string,
    name: string,
    caller: number,
    onWrite: () => void,
): Promise<AsyncDisposable> {
    const handle = await openWaitingFifo(path, name, caller);
    const socket = handle && new Socket({fd: handle.fd, readable: true, writable: false});
    socket?.on('data', onWrite);
    socket?.on('error', () => socket.destroy());
    return {
        async [Symbol.asyncDispose]() {
            socket?.destroy();
            await handle?.close().catch(() => {
                // The socket that read from it has closed it.
            });
        },
    };
}

/** Opened for both, so that nobody is waited for, and it does not end with the first writer. */
async function openWaitingFifo(
    path: string,
    name: string,
    caller: number,
): Promise<FileHandle | null> {
    await using directory = await openPipes(path, caller);
    const handle = await directory.openFile(name, constants.O_RDWR | constants.O_NONBLOCK);
    if (!handle) return null;
    const status = await handle.stat();
    if (!status.isFIFO() || status.uid !== caller) {
        await handle.close();
        throw new SnowError('NotAuthorized', `${path}/${name} is no FIFO of the caller`);
    }
    return handle;
}

/** The standard streams of a program, as long as this is not disposed of. */
export interface CallersStreams extends AsyncDisposable {
    readonly paths: StreamPaths;
}

/**
 * Opens the FIFOs stdin, stdout and stderr of a caller, or the terminal that they are links to, for
 * their place alone: whoever opens the paths waits for the caller's end of a FIFO, as always. A program
 * of other ids that opens /dev/stdout anew can do so when the FIFOs have the mode 0666; nobody else
 * gets at them, the directory being the caller's. Throws SnowError NotFound, NotAuthorized, WrongState,
 * InvalidArgs.
 */
export async function openCallersStreams(
    path: string,
    caller: number,
    isTerminal: boolean,
): Promise<CallersStreams> {
    await using directory = await openPipes(path, caller);
    const opened: AsyncDisposable[] = [];
    const dispose = async (): Promise<void> => {
        for (const each of opened) await each[Symbol.asyncDispose]();
    };
    const open = isTerminal ? openTerminal : openFifo;
    try {
        const paths: Partial<Record<(typeof STREAMS)[number], string>> = {};
        for (const name of STREAMS) {
            const thing = await open(directory, name, caller);
            opened.push(thing);
            paths[name] = thing.descriptorPath;
        }
        return {paths: paths as StreamPaths, [Symbol.asyncDispose]: dispose};
    } catch (error) {
        await dispose();
        throw error;
    }
}

interface Opened extends AsyncDisposable {
    readonly descriptorPath: string;
}

async function openFifo(directory: OpenedDirectory, name: string, caller: number): Promise<Opened> {
    const handle = await directory.openFile(name, O_PATH);
    if (!handle) throw new SnowError('NotFound', `There is no ${directory.path}/${name}`);
    const status = await handle.stat();
    if (!status.isFIFO() || status.uid !== caller) {
        await handle.close();
        throw new SnowError('NotAuthorized', `${directory.path}/${name} is no FIFO of the caller`);
    }
    return asOpened(handle);
}

async function openTerminal(
    directory: OpenedDirectory,
    name: string,
    caller: number,
): Promise<Opened> {
    const path = `${directory.path}/${name}`;
    const target = await readlink(`${directory.descriptorPath}/${name}`).catch(() => '');
    if (!/^\/dev\/pts\/\d{1,6}$/.test(target))
        throw new SnowError('InvalidArgs', `${path} is no link to a terminal`);
    const terminal = await openSafely(target, {type: 'character-device', owner: caller});
    if (!terminal) throw new SnowError('NotFound', `There is no ${target}`);
    return terminal;
}

function asOpened(handle: FileHandle): Opened {
    return {
        descriptorPath: `/proc/${process.pid}/fd/${handle.fd}`,
        [Symbol.asyncDispose]: () => handle.close(),
    };
}

async function openPipes(path: string, caller: number): Promise<OpenedDirectory> {
    checkPipesPath(path, caller);
    const directory = await OpenedDirectory.open(path);
    if (!directory) throw new SnowError('NotFound', `There is no directory ${path}`);
    try {
        if ((await directory.owner()) !== caller || ((await directory.mode()) & 0o077) !== 0)
            throw new SnowError('NotAuthorized', `${path} is not the caller’s own, of mode 0700`);
        return directory;
    } catch (error) {
        await directory.close();
        throw error;
    }
}

function readLine(fd: number, path: string, signal: AbortSignal): Promise<string> {
    const socket = new Socket({fd, readable: true, writable: false});
    return new Promise<string>((resolve, reject) => {
        let text = Buffer.alloc(0);
        const fail = (error: SnowError): void => reject(error);
        const cancel = (): void => fail(new SnowError('Cancelled', 'Cancelled'));
        if (signal.aborted) cancel();
        signal.addEventListener('abort', cancel, {once: true});
        socket.setTimeout(LINE_TIMEOUT, () => {
            fail(new SnowError('Failed', `Nothing was written to ${path}`));
        });
        socket.on('data', (chunk: Buffer) => {
            text = Buffer.concat([text, chunk]);
            const end = text.indexOf('\n');
            if (end >= 0) resolve(text.subarray(0, end).toString('utf8'));
            else if (text.length > MAX_LINE)
                fail(new SnowError('InvalidArgs', `The line in ${path} is too long`));
        });
        socket.on('error', error => {
            fail(new SnowError('Failed', `Cannot read ${path}: ${error.message}`));
        });
    }).finally(() => socket.destroy());
}
