// SPDX-License-Identifier: GPL-2.0-or-later
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';

/** Milliseconds that polkit may take to register it; later the call goes on without. */
const START_TIMEOUT = 5000;

/**
 * Starts pkttyagent(1), which asks for passwords on the terminal of this process where no desktop
 * does, and waits until polkit knows of it. Without the program nothing is asked, and polkit refuses.
 */
export async function startTextAgent(): Promise<AsyncDisposable> {
    // It must not outlive us, also where we are killed.
    const command = ['--pdeathsig', 'TERM', '--', 'pkttyagent', '--notify-fd=3', '--fallback'];
    const child = spawn('setpriv', [...command, '--process', String(process.pid)], {
        stdio: ['inherit', 'ignore', 'ignore', 'pipe'],
    });
    const ended = new Promise<void>(resolve => {
        child.once('error', () => resolve());
        child.once('close', () => resolve());
    });
    await Promise.race([registered(child), ended]);
    return {
        async [Symbol.asyncDispose]() {
            if (child.exitCode !== null || child.signalCode !== null) return;
            child.kill('SIGTERM');
            // One that waits in the background for the terminal is stopped.
            child.kill('SIGCONT');
            await ended;
        },
    };
}

/** It closes the descriptor when polkit knows of it. */
async function registered(child: ChildProcess): Promise<void> {
    const notice = child.stdio[3];
    if (!notice || !('resume' in notice)) return;
    notice.resume();
    await once(notice, 'close', {signal: AbortSignal.timeout(START_TIMEOUT)}).catch(() => {
        // Too late, or the pipe failed: the call goes on without an agent.
    });
}
