// SPDX-License-Identifier: GPL-2.0-or-later
// The service's end of a job that runs in the unit of the worker.

import type {JobSpec, Progress, Results, RunningJob} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host, Systemd} from '../host/host.ts';
import {type JobRequest, jobArguments} from './job-request.ts';
import {JOB_STATE, type JobState, initialState, readJobState, writeJobState} from './job-state.ts';

export const WORKER_UNIT = 'snow-image-job.service';
const WORKER = '/usr/lib/snow-control/snow-image-job';
/** Has the extensions follow what others stage, and would begin before the worker gets to it. */
const STAGED_UNIT = 'snow-image-staged.service';

/** Seconds in which a program is ended, what it left is taken away, and the machine looked at again. */
const STOP_TIMEOUT = 90;

const descriptions: Readonly<Record<JobRequest['operation'], string>> = {
    check: 'Look for an update of the system',
    update: 'Update the system',
    download: 'Download an update of the system',
    switch: 'Switch the system to another image',
    rollback: 'Go back to the previous system',
    unstage: 'Take back a staged change of the system',
};

/** What a caller asks for. */
export type WantedJob = Omit<JobRequest, 'id' | 'startedBy'>;

/**
 * A job that is to be started.
 *
 * @param otherUnits units that may not be started beside it
 */
export function workerJob(host: Host, otherUnits: readonly string[], request: WantedJob): JobSpec {
    return {
        operation: `image.${request.operation}`,
        target: request.target,
        // A check as well: there is one worker.
        isWriter: true,
        outlivesService: true,
        async run(progress, signal, startedBy) {
            const whole = {...request, id: crypto.randomUUID(), startedBy};
            const systemd = serviceManager(host);
            await refuseBesideAnother(systemd);
            // What the one before said would else be taken for this one's.
            await writeJobState(host, initialState(whole));
            await systemd.startUnit(WORKER_UNIT, [WORKER, ...jobArguments(whole)], {
                description: descriptions[whole.operation],
                before: [...otherUnits, STAGED_UNIT],
                stopTimeout: STOP_TIMEOUT,
            });
            return followJob(host, whole.id, progress, signal);
        },
    };
}

/** The job of an earlier service that still runs; null: there is none. */
export async function runningJob(host: Host): Promise<RunningJob | null> {
    const state = await readJobState(host);
    if (!state || !host.systemd) return null;
    if (!isAtWork(await host.systemd.activeState(WORKER_UNIT))) return null;
    const {id, operation, target, startedBy} = state;
    return {
        startedBy,
        spec: {
            operation: `image.${operation}`,
            target,
            isWriter: true,
            outlivesService: true,
            run: (progress, signal) => followJob(host, id, progress, signal),
        },
    };
}

/**
 * Tells what the worker says until its unit is gone. Aborting stops the unit. Throws what the job
 * ended with, and SnowError Failed when it ended without a word.
 */
async function followJob(
    host: Host,
    id: string,
    progress: Progress,
    signal: AbortSignal,
): Promise<Results> {
    const systemd = serviceManager(host);
    const stop = (): void => {
        systemd.stopUnit(WORKER_UNIT).catch(() => {
            // It is asked again by who cancels again; the job goes on meanwhile.
        });
    };
    signal.addEventListener('abort', stop, {once: true});
    if (signal.aborted) stop();
    const ended = new AbortController();
    try {
        const told = tellProgress(host, id, progress, ended.signal);
        await Promise.race([systemd.waitForUnit(WORKER_UNIT), whenRejected(told)]);
    } finally {
        signal.removeEventListener('abort', stop);
        ended.abort();
    }
    return resultsOf(await stateOf(host, id), signal);
}

async function tellProgress(
    host: Host,
    id: string,
    progress: Progress,
    ended: AbortSignal,
): Promise<void> {
    let step = '';
    for await (const _ of host.files.watch(JOB_STATE, ended)) {
        void _;
        const state = await stateOf(host, id);
        if (!state || ended.aborted) continue;
        if (state.step !== step) progress.step(state.step);
        step = state.step;
        if (state.bytesDone > 0 || state.bytesTotal > 0)
            progress.bytes(state.bytesDone, state.bytesTotal);
    }
}

/** Null: the state is that of another job. */
async function stateOf(host: Host, id: string): Promise<JobState | null> {
    const state = await readJobState(host);
    return state?.id === id ? state : null;
}

function resultsOf(state: JobState | null, signal: AbortSignal): Results {
    if (state?.state === 'done') return state.results;
    if (state?.error) throw new SnowError(...state.error);
    // Stopped before it could begin.
    if (signal.aborted) throw new SnowError('Cancelled', 'Cancelled before anything was changed');
    throw new SnowError(
        'Failed',
        'The work was killed; see journalctl -u snow-image-job, and try again',
    );
}

async function refuseBesideAnother(systemd: Systemd): Promise<void> {
    if (isAtWork(await systemd.activeState(WORKER_UNIT)))
        throw new SnowError('Busy', 'Another operation on the system image is running');
}

function isAtWork(activeState: string): boolean {
    return ['active', 'activating', 'deactivating', 'reloading'].includes(activeState);
}

function serviceManager({systemd}: Host): Systemd {
    if (systemd) return systemd;
    throw new SnowError('NotSupported', 'Only the image of the running system can be changed');
}

/** Never settles but with the failure. */
function whenRejected(work: Promise<void>): Promise<never> {
    return new Promise((_resolve, reject) => work.catch(reject));
}
