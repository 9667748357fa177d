// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';

/** Milliseconds between two tries. */
const INTERVAL = 200;

/**
 * Keeps a machine from being started while its root directory is exchanged, by the service and the
 * worker; ends with the process. Throws SnowError Busy, or Cancelled while it is waited for.
 *
 * @param patience milliseconds
 */
export async function lockMachine(
    host: Host,
    uid: number,
    patience: number,
    signal: AbortSignal,
): Promise<AsyncDisposable> {
    const until = performance.now() + patience;
    for (;;) {
        if (signal.aborted)
            throw new SnowError('Cancelled', 'Cancelled before anything was changed');
        try {
            return await host.locks.acquire(`/run/snow-control/intune-u${uid}.lock`);
        } catch (error) {
            if (!(error instanceof SnowError) || error.code !== 'Busy') throw error;
            if (performance.now() >= until)
                throw new SnowError(
                    'Busy',
                    'The container is being started, stopped or exchanged; try again in a moment',
                );
        }
        await sleep(INTERVAL);
    }
}
