// SPDX-License-Identifier: GPL-2.0-or-later
// What a caller gives the service besides its arguments: FIFOs in a directory that it made for that.

import {constants} from 'node:fs';
import {Socket} from 'node:net';

import {SnowError} from './error.ts';
import {OpenedDirectory} from './opened-directory.ts';

/** Milliseconds. */
const LINE_TIMEOUT = 60_000;
const MAX_LINE = 1024;

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
    checkPipesPath(path, caller);
    await using directory = await OpenedDirectory.open(path);
    if (!directory) throw new SnowError('NotFound', `There is no directory ${path}`);
    if ((await directory.owner()) !== caller || ((await directory.mode()) & 0o077) !== 0)
        throw new SnowError('NotAuthorized', `${path} is not the caller’s own, of mode 0700`);
    // Opened for both, so that nobody is waited for, and it does not end with the first writer.
    const handle = await directory.openFile(name, constants.O_RDWR | constants.O_NONBLOCK);
    if (!handle) return null;
    const status = await handle.stat();
    if (!status.isFIFO() || status.uid !== caller) {
        await handle.close();
        throw new SnowError('NotAuthorized', `${path}/${name} is no FIFO of the caller`);
    }
    try {
        return await readLine(handle.fd, `${path}/${name}`, signal);
    } finally {
        await handle.close().catch(() => {
            // The socket that read from it has closed it.
        });
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
