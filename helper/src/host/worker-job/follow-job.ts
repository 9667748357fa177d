// SPDX-License-Identifier: GPL-2.0-or-later
// The service's end of a job that runs in the unit of a worker.

import type {JobSpec, Progress, Results, RunningJob} from '../domain.ts';
import {SnowError} from '../error.ts';
import type {Host, Systemd} from '../host.ts';
import {type JobIdentity, type JobKind, operationsOf} from './job-kind.ts';
import {type JobState, initialState, readJobState, writeJobState} from './job-state.ts';

export interface WorkerJobOptions<Operation extends string> {
    /** Units that are not started before its end. */
    readonly before?: readonly string[];
    toArguments(job: JobIdentity<Operation>): readonly string[];
}

/** A job that is to be started; it writes, whatever it is, since there is one worker. */
export function workerJob<Operation extends string>(
    host: Host,
    kind: JobKind<Operation>,
    {operation, target}: Pick<JobIdentity<Operation>, 'operation' | 'target'>,
    {before = [], toArguments}: WorkerJobOptions<Operation>,
): JobSpec {
    return {
        ...specOf(kind, operation, target),
        async run(progress, signal, startedBy) {
            const job = {id: crypto.randomUUID(), operation, target, startedBy};
            const systemd = serviceManager(host, kind);
            if (isAtWork(await systemd.activeState(kind.unit)))
                throw new SnowError('Busy', kind.busyText);
            // What the one before said would else be taken for this one's.
            await writeJobState(host, kind.statePath, initialState(job));
            await systemd.startUnit(kind.unit, [kind.worker, ...toArguments(job)], {
                description: kind.descriptions[operation],
                before,
                stopTimeout: kind.stopTimeout,
            });
            return followJob(host, kind, job.id, progress, signal);
        },
    };
}

/** The job of an earlier service that still runs; null: there is none. */
export async function runningJob<Operation extends string>(
    host: Host,
    kind: JobKind<Operation>,
): Promise<RunningJob | null> {
    const state = await readJobState(host, kind.statePath, operationsOf(kind));
    if (!state || !host.systemd) return null;
    if (!isAtWork(await host.systemd.activeState(kind.unit))) return null;
    const {id, operation, target, startedBy} = state;
    return {
        startedBy,
        spec: {
            ...specOf(kind, operation, target),
            run: (progress, signal) => followJob(host, kind, id, progress, signal),
        },
    };
}

function specOf<Operation extends string>(
    {domain, scope}: JobKind<Operation>,
    operation: Operation,
    target: string,
): Omit<JobSpec, 'run'> {
    return {
        operation: `${domain}.${operation}`,
        target,
        isWriter: true,
        outlivesService: true,
        ...(scope === undefined ? {} : {scope}),
    };
}

/**
 * Tells what the worker says until its unit is gone. Aborting stops the unit. Throws what the job
 * ended with, and SnowError Failed when it ended without a word.
 */
async function followJob<Operation extends string>(
    host: Host,
    kind: JobKind<Operation>,
    id: string,
    progress: Progress,
    signal: AbortSignal,
): Promise<Results> {
    const systemd = serviceManager(host, kind);
    const stop = (): void => {
        systemd.stopUnit(kind.unit).catch(() => {
            // It is asked again by who cancels again; the job goes on meanwhile.
        });
    };
    signal.addEventListener('abort', stop, {once: true});
    if (signal.aborted) stop();
    const ended = new AbortController();
    try {
        tellProgress(host, kind, id, progress, ended.signal).catch(() => {
            // The job goes on, and what it says at its end is read then.
        });
        await systemd.waitForUnit(kind.unit);
    } finally {
        signal.removeEventListener('abort', stop);
        ended.abort();
    }
    return resultsOf(kind, await stateOf(host, kind, id), signal);
}

async function tellProgress<Operation extends string>(
    host: Host,
    kind: JobKind<Operation>,
    id: string,
    progress: Progress,
    ended: AbortSignal,
): Promise<void> {
    let step = '';
    let [done, total] = [0, 0];
    for await (const _ of host.files.watch(kind.statePath, ended)) {
        void _;
        const state = await stateOf(host, kind, id);
        if (!state || ended.aborted) continue;
        if (state.step !== step) progress.step(state.step);
        step = state.step;
        if (state.bytesDone !== done || state.bytesTotal !== total)
            progress.bytes(state.bytesDone, state.bytesTotal);
        [done, total] = [state.bytesDone, state.bytesTotal];
        if (state.fraction >= 0) progress.fraction?.(state.fraction);
    }
}

/** Null: the state is that of another job. */
async function stateOf<Operation extends string>(
    host: Host,
    kind: JobKind<Operation>,
    id: string,
): Promise<JobState | null> {
    const state = await readJobState(host, kind.statePath, operationsOf(kind));
    return state?.id === id ? state : null;
}

function resultsOf<Operation extends string>(
    {unit}: JobKind<Operation>,
    state: JobState | null,
    signal: AbortSignal,
): Results {
    if (state?.state === 'done') return state.results;
    if (state?.error) throw new SnowError(...state.error);
    // Stopped before it could begin.
    if (signal.aborted) throw new SnowError('Cancelled', 'Cancelled before anything was changed');
    const journal = unit.replace(/\.service$/, '');
    throw new SnowError(
        'Failed',
        `The work was killed; see journalctl -u ${journal}, and try again`,
    );
}

function isAtWork(activeState: string): boolean {
    return ['active', 'activating', 'deactivating', 'reloading'].includes(activeState);
}

function serviceManager<Operation extends string>(
    {systemd}: Host,
    {offlineText}: JobKind<Operation>,
): Systemd {
    if (systemd) return systemd;
    throw new SnowError('NotSupported', offlineText);
}
