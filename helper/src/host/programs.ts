// SPDX-License-Identifier: GPL-2.0-or-later
import type {ExecFileException} from 'node:child_process';
import {accessSync, constants} from 'node:fs';
import {join} from 'node:path';

import {decompress} from './decompress.ts';
import {asSnowError} from './errno.ts';
import {SnowError} from './error.ts';
import type {ProgramOptions, ProgramResult, Programs} from './host.ts';

/** Milliseconds. */
export const TIMEOUT = 60_000;
/** Bytes. */
export const MAX_BUFFER = 4 * 1024 * 1024;

/** A caller's PATH may lack what root's has. */
const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** What every program gets: its messages are parsed, so they are in English and without colors. */
export const programEnvironment = {
    PATH: SEARCH_PATH.join(':'),
    LC_ALL: 'C.UTF-8',
    SYSTEMD_COLORS: '0',
    SYSTEMD_PAGER: '',
};

export const localPrograms: Programs = {
    run: runProgram,
    async follow(command, options) {
        const {followProgram} = await import('./follow-program.ts');
        return followProgram(command, options);
    },
    async startCoprocess(command, directory) {
        const {startCoprocess} = await import('./coprocess.ts');
        return startCoprocess(command, directory);
    },
    isInstalled,
    decompress,
};

export async function runProgram(
    command: readonly [string, ...string[]],
    options: ProgramOptions = {},
): Promise<ProgramResult> {
    const [program, ...args] = command;
    const {input, signal, timeout = TIMEOUT, maxBuffer = MAX_BUFFER} = options;
    if (signal?.aborted) throw new SnowError('Cancelled', `${program} was not started`);
    // Loaded late, as what else only some commands need: the others are to be quick.
    const {execFile} = await import('node:child_process');
    return new Promise((resolve, reject) => {
        const child = execFile(
            program,
            args,
            {cwd: '/', env: {...process.env, ...programEnvironment}, timeout, maxBuffer, signal},
            (error, stdout, stderr) => {
                const failure = error && failureOf(program, error, signal, maxBuffer);
                if (failure) reject(failure);
                else resolve({exitCode: child.exitCode, signal: child.signalCode, stdout, stderr});
            },
        );
        // A program may end without having read its input.
        child.stdin?.on('error', () => undefined);
        child.stdin?.end(input);
    });
}

/** Why a program has no result; null: it ended by itself, by a signal or by its time limit. */
function failureOf(
    program: string,
    error: ExecFileException,
    signal: AbortSignal | undefined,
    maxBuffer: number,
): SnowError | null {
    if (signal?.aborted) return new SnowError('Cancelled', `${program} was stopped`);
    if (error.code === 'ENOENT')
        return new SnowError('NotSupported', `${program} is not installed`);
    if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
        return new SnowError('Failed', `${program} printed more than ${maxBuffer} bytes`);
    return typeof error.code === 'string' ? asSnowError(error, `Cannot run ${program}`) : null;
}

/** Not worth a thread, as what files.ts reads. */
async function isInstalled(name: string): Promise<boolean> {
    return SEARCH_PATH.some(directory => {
        try {
            accessSync(join(directory, name), constants.X_OK);
            return true;
        } catch {
            return false;
        }
    });
}
