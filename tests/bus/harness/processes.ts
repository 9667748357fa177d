// SPDX-License-Identifier: GPL-2.0-or-later
import {type ChildProcess, type SpawnOptions, spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';

/** A program of a test, with what it has printed so far. */
export interface Running extends AsyncDisposable {
    readonly child: ChildProcess;
    readonly pid: number;
    readonly lines: readonly string[];
    /** Exit status, or the name of the signal. */
    readonly ended: Promise<number | string>;
    /** Waits for a line of standard output or error that matches. */
    waitForLine(pattern: RegExp, timeout?: number): Promise<string>;
}

export function startProgram(
    command: readonly [string, ...string[]],
    options: SpawnOptions = {},
): Running {
    const [program, ...args] = command;
    const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'pipe'], ...options});
    const lines: string[] = [];
    const waiting = new Set<() => void>();
    /** Nothing more can come: a program that ended may have left lines that are yet to be read. */
    let isClosed = false;
    for (const stream of [child.stdout, child.stderr]) {
        if (!stream) continue;
        createInterface(stream).on('line', line => {
            lines.push(line);
            for (const look of [...waiting]) look();
        });
    }
    const ended = new Promise<number | string>(resolve => {
        child.once('error', error => {
            lines.push(String(error));
            resolve(String(error));
        });
        child.once('close', (code, signal) => {
            isClosed = true;
            resolve(code ?? signal ?? 'ended');
            for (const look of [...waiting]) look();
        });
    });
    return {
        child,
        pid: child.pid ?? 0,
        lines,
        ended,
        waitForLine: (pattern, timeout = 10_000) =>
            new Promise((resolve, reject) => {
                const stop = (): void => {
                    clearTimeout(timer);
                    waiting.delete(look);
                };
                const fail = (why: string): void => {
                    stop();
                    const printed = lines.join('\n');
                    reject(new Error(`${program} ${why} without ${String(pattern)}:\n${printed}`));
                };
                const look = (): void => {
                    const line = lines.find(text => pattern.test(text));
                    if (line !== undefined) {
                        stop();
                        resolve(line);
                    } else if (isClosed) {
                        fail('ended');
                    }
                };
                const timer = setTimeout(() => fail('went on'), timeout);
                waiting.add(look);
                look();
            }),
        async [Symbol.asyncDispose]() {
            if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
            await ended;
        },
    };
}

/** Runs a program to its end. */
export async function runProgram(
    command: readonly [string, ...string[]],
    env: Readonly<Record<string, string>> = {},
): Promise<{readonly status: number | string; readonly stdout: string; readonly stderr: string}> {
    const [program, ...args] = command;
    const child = spawn(program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {...process.env, ...env},
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', chunk => (stdout += String(chunk)));
    child.stderr.on('data', chunk => (stderr += String(chunk)));
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    return {status: code ?? signal ?? '', stdout, stderr};
}
