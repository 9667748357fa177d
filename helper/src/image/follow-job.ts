// SPDX-License-Identifier: GPL-2.0-or-later
// The service's end of a job that runs in the unit of the worker.

import type {JobSpec, RunningJob} from '../host/domain.ts';
import type {Host} from '../host/host.ts';
import * as followed from '../host/worker-job/follow-job.ts';
import type {JobKind} from '../host/worker-job/job-kind.ts';
import {type ImageOperation, type JobRequest, jobArguments} from './job-request.ts';
import {JOB_STATE} from './job-state.ts';

export const WORKER_UNIT = 'snow-image-job.service';
/** Has the extensions follow what others stage, and would begin before the worker gets to it. */
const STAGED_UNIT = 'snow-image-staged.service';

const kind: JobKind<ImageOperation> = {
    domain: 'image',
    unit: WORKER_UNIT,
    worker: '/usr/lib/snow-control/snow-image-job',
    statePath: JOB_STATE,
    descriptions: {
        check: 'Look for an update of the system',
        update: 'Update the system',
        download: 'Download an update of the system',
        switch: 'Switch the system to another image',
        rollback: 'Go back to the previous system',
        unstage: 'Take back a staged change of the system',
    },
    // A program is ended, what it left is taken away, and the machine looked at again.
    stopTimeout: 90,
    busyText: 'Another operation on the system image is running',
    offlineText: 'Only the image of the running system can be changed',
};

/** What a caller asks for. */
export type WantedJob = Omit<JobRequest, 'id' | 'startedBy'>;

/**
 * A job that is to be started.
 *
 * @param otherUnits units that may not be started beside it
 */
export function workerJob(host: Host, otherUnits: readonly string[], request: WantedJob): JobSpec {
    return followed.workerJob(host, kind, request, {
        before: [...otherUnits, STAGED_UNIT],
        toArguments: ({id, startedBy}) => jobArguments({...request, id, startedBy}),
    });
}

/** The job of an earlier service that still runs; null: there is none. */
export function runningJob(host: Host): Promise<RunningJob | null> {
    return followed.runningJob(host, kind);
}
