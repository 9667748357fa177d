// SPDX-License-Identifier: GPL-2.0-or-later
import {constants} from 'node:fs';
import {access} from 'node:fs/promises';
import {join} from 'node:path';

import {decompress} from './decompress.ts';
import {SnowError} from './error.ts';
import type {ProgramOptions, ProgramResult, Programs} from './host.ts';

const TIMEOUT = 60_000;
const MAX_BUFFER = 4 * 1024 * 1024;

/** A caller's PATH may lack what root's has. */
const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** What every program gets: its messages are parsed, so they are in English and without colours. */
export const programEnvironment = {
    PATH: SEARCH_PATH.join(':'),
    LC_ALL: 'C.UTF-8',
    SYSTEMD_COLORS: '0',
    SYSTEMD_PAGER: '',
};

export const localPrograms: Programs = {run: runProgram, isInstalled, decompress};

export async function runProgram(
    command: readonly [string, ...string[]],
    options: ProgramOptions = {},
): Promise<ProgramResult> {
    const [program, ...args] = command;
    const {input, signal, timeout = TIMEOUT, maxBuffer = MAX_BUFFER} = options;
    if (signal?.aborted) throw new SnowError('Cancelled', `${program} was not started`);
    // execa takes as long to load as all else of the command line, which often needs no program.
    const {execa} = await import('execa');
    const result = await execa(program, args, {
        ...(signal ? {cancelSignal: signal} : {}),
        ...(input === undefined ? {stdin: 'ignore'} : {input}),
        reject: false,
        timeout,
        maxBuffer,
        stripFinalNewline: false,
        cwd: '/',
        env: programEnvironment,
    });
    if (result.isCanceled) throw new SnowError('Cancelled', `${program} was stopped`);
    if (result.code === 'ENOENT')
        throw new SnowError('NotSupported', `${program} is not installed`);
    if (result.isMaxBuffer)
        throw new SnowError('Failed', `${program} printed more than ${maxBuffer} bytes`);
    if (result.exitCode === undefined && result.signal === undefined && !result.timedOut)
        throw new SnowError('Failed', `${program} could not be run: ${result.shortMessage ?? ''}`);
    return {
        exitCode: result.timedOut ? null : (result.exitCode ?? null),
        signal: result.timedOut ? 'SIGTERM' : (result.signal ?? null),
        stdout: String(result.stdout ?? ''),
        stderr: String(result.stderr ?? ''),
    };
}

async function isInstalled(name: string): Promise<boolean> {
    for (const directory of SEARCH_PATH) {
        try {
            await access(join(directory, name), constants.X_OK);
            return true;
        } catch {
            // Not in this one.
        }
    }
    return false;
}
