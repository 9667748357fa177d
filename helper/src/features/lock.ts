// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';

const LOCK = '/run/snow-control/features.lock';
const RETRY_DELAY = 200;

/**
 * One at a time: whatever changes links, images or switches runs in here.
 * @param patience milliseconds to wait for another process
 * Throws SnowError Busy, and Cancelled while it waits.
 */
export async function locked<Result>(
    host: Host,
    run: () => Promise<Result>,
    {patience = 0, signal}: {readonly patience?: number; readonly signal?: AbortSignal} = {},
): Promise<Result> {
    const lock = await acquire(host, Date.now() + patience, signal);
    try {
        return await run();
    } finally {
        await lock[Symbol.asyncDispose]();
    }
}

async function acquire(
    host: Host,
    deadline: number,
    signal: AbortSignal | undefined,
): Promise<AsyncDisposable> {
    for (;;) {
        if (signal?.aborted) throw new SnowError('Cancelled', 'The operation was stopped');
        try {
            return await host.locks.acquire(LOCK);
        } catch (error) {
            const isBusy = error instanceof SnowError && error.code === 'Busy';
            if (!isBusy || Date.now() >= deadline) throw error;
            await new Promise(resolve => setTimeout(resolve, RETRY_DELAY));
        }
    }
}
