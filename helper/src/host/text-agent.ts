// SPDX-License-Identifier: GPL-2.0-or-later
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFile} from 'node:fs/promises';

/** Milliseconds that polkit may take to register it; later the call goes on without. */
const START_TIMEOUT = 5000;

/**
 * Starts pkttyagent(1), which asks for passwords on the terminal of this process where no desktop
 * does, and waits until polkit knows of it. Without the program nothing is asked, and polkit refuses.
 */
export async function startTextAgent(): Promise<AsyncDisposable> {
    // It must not outlive us, also where we are killed.
    const command = ['--pdeathsig', 'TERM', '--', 'pkttyagent', '--notify-fd=3'];
    // polkit has no use for a fallback where there is no session, and so no agent to step back for.
    if (await hasSession()) command.push('--fallback');
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

/** Whether polkit finds a session of logind for this process, its own or the user's on the display. */
async function hasSession(): Promise<boolean> {
    const [cgroup, user] = await Promise.all(
        ['/proc/self/cgroup', `/run/systemd/users/${process.getuid?.() ?? 0}`].map(path =>
            // No such file: no logind, or not for this user.
            readFile(path, 'utf8').catch(() => ''),
        ),
    );
    return /\/session-[^/\n]+\.scope/.test(cgroup ?? '') || /^DISPLAY=./m.test(user ?? '');
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
