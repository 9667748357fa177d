// SPDX-License-Identifier: GPL-2.0-or-later
import {constants, readFileSync} from 'node:fs';
import {mkdir, open} from 'node:fs/promises';
import {dirname} from 'node:path';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import type {Locks} from './host.ts';
import {pathResolver} from './paths.ts';

/** Exit status of flock(1) when another holds the lock. */
const HELD = 1;

/**
 * Node has no flock(2): flock(1) locks the open file description that it inherits from us, which
 * stays locked until we close it, or end.
 */
export function localLocks(root: string): Locks {
    const paths = pathResolver(root);
    return {
        async acquire(path) {
            let handle;
            try {
                const real = paths.entry(path);
                await mkdir(dirname(real), {recursive: true, mode: 0o755});
                handle = await open(
                    real,
                    constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
                    0o600,
                );
            } catch (error) {
                throw asSnowError(error, `Cannot open the lock ${path}`);
            }
            try {
                if (!(await flock(handle.fd)))
                    throw new SnowError('Busy', 'Another program is changing the extensions');
            } catch (error) {
                await handle.close();
                throw error;
            }
            const locked = handle;
            return {[Symbol.asyncDispose]: () => locked.close()};
        },
        async processIdentity() {
            return `${process.pid}:${await startTime(process.pid)}`;
        },
        async isProcessAlive(identity) {
            const [pid = '', started = ''] = identity.split(':');
            return (
                /^\d+$/.test(pid) && started !== '' && (await startTime(Number(pid))) === started
            );
        },
    };
}

/** Field 22 of proc_pid_stat(5), in clock ticks since the boot; empty: there is no such process. */
async function startTime(pid: number): Promise<string> {
    try {
        // Not worth a thread, as what files.ts reads.
        const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
        // The name of the program, in parentheses, may have spaces.
        return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    } catch (error) {
        if (hasErrno(error, 'ENOENT', 'ESRCH')) return '';
        throw error;
    }
}

/** Whether the lock could be had; waits for nobody. */
async function flock(fd: number): Promise<boolean> {
    const {spawn} = await import('node:child_process');
    return new Promise((resolve, reject) => {
        const child = spawn('flock', ['--exclusive', '--nonblock', '3'], {
            stdio: ['ignore', 'ignore', 'ignore', fd],
        });
        child.on('error', error => reject(asSnowError(error, 'Cannot run flock')));
        child.on('close', (exitCode, signal) => {
            if (exitCode === 0 || exitCode === HELD) resolve(exitCode === 0);
            else reject(new SnowError('Failed', `flock failed (${signal ?? exitCode})`));
        });
    });
}
