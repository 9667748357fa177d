// SPDX-License-Identifier: GPL-2.0-or-later
// snowctl against the service of a stage, in a mount namespace where /run has what is given to it.
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';

import {bundle} from './bundle.ts';
import type {Stage} from './stage.ts';

/** Milliseconds. */
const PATIENCE = 15_000;

export interface Ended {
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
}

export interface Started {
    readonly child: ChildProcess;
    readonly ended: Promise<Ended>;
    waitFor(text: string): Promise<void>;
}

export interface StartOptions {
    readonly user?: string;
    /** Whether it has a terminal, made by script(1); what is written to its input is typed. */
    readonly hasTerminal?: boolean;
}

export interface Snowctl {
    start(args: readonly string[], options?: StartOptions): Started;
    /** As root, to its end. */
    run(...args: readonly string[]): Promise<Ended>;
}

/** @param prepare what a shell does in the namespace first, where /run is empty */
export async function makeSnowctl(stage: Stage, prepare = ':'): Promise<Snowctl> {
    const program = await bundle('helper/src/main/snowctl.ts', stage.bus.directory);

    function start(
        args: readonly string[],
        {user = 'root', hasTerminal = false}: StartOptions = {},
    ): Started {
        const command = [process.execPath, program, ...args];
        const script = `mount -t tmpfs tmpfs /run && ${prepare} &&
            exec setpriv --reuid=${user} --regid=nogroup --clear-groups -- "$0" "$@"`;
        const isolated = ['-m', '--propagation', 'private', 'sh', '-c', script];
        const terminal = ['script', '--quiet', '--return', '/dev/null', '--command'];
        const wrapped = hasTerminal ? [...terminal, command.join(' ')] : command;
        const child = spawn('unshare', [...isolated, ...wrapped], {
            env: {...process.env, DBUS_SYSTEM_BUS_ADDRESS: stage.bus.address, TERM: 'xterm'},
            stdio: [hasTerminal ? 'pipe' : 'ignore', 'pipe', 'pipe'],
        });
        const texts = {stdout: '', stderr: ''};
        const looks = new Set<() => void>();
        for (const name of ['stdout', 'stderr'] as const)
            child[name]?.on('data', chunk => {
                texts[name] += String(chunk);
                for (const look of looks) look();
            });
        return {
            child,
            ended: once(child, 'close').then(([status]) => ({status: status as number, ...texts})),
            waitFor: text =>
                new Promise((resolve, reject) => {
                    const printed = (): string => texts.stdout + texts.stderr;
                    const look = (): void => {
                        if (printed().includes(text)) resolve();
                    };
                    looks.add(look);
                    look();
                    const fail = (): void => reject(new Error(`No ${text} in ${printed()}`));
                    setTimeout(fail, PATIENCE).unref();
                }),
        };
    }

    return {start, run: (...args) => start(args).ended};
}
