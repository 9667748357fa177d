// SPDX-License-Identifier: GPL-2.0-or-later
// Jobs that go on without the service, by what their workers say.

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {readJobState} from '../host/worker-job/job-state.ts';
import {JOB_STATE} from '../image/job-state.ts';
import {imageOperations} from '../image/job-request.ts';
import {intuneOperations, jobKind} from '../intune/job-request.ts';

const JOBS = '/run/snow-control';

/** Whether the worker of any domain is at work. */
export async function readGoingOn(host: Host): Promise<boolean> {
    const uids = (await host.files.list(JOBS))
        .map(name => /^intune-job-u([1-9]\d{0,9})$/.exec(name)?.[1])
        .filter(uid => uid !== undefined)
        .map(Number);
    const running = await Promise.all([
        isRunning(host, JOB_STATE, imageOperations),
        ...uids.map(uid => isRunning(host, jobKind(uid).statePath, intuneOperations)),
    ]);
    return running.includes(true);
}

async function isRunning(
    host: Host,
    path: string,
    operations: readonly string[],
): Promise<boolean> {
    // Most machines have had none since they were booted.
    if ((await host.files.status(path)) === null) return false;
    try {
        return (await readJobState(host, path, operations))?.state === 'running';
    } catch (error) {
        if (error instanceof SnowError) return false;
        throw error;
    }
}
