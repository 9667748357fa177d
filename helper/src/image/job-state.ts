// SPDX-License-Identifier: GPL-2.0-or-later
// What the worker says of its job.

import type {Host} from '../host/host.ts';
import * as workerJob from '../host/worker-job/job-state.ts';
import {type ImageOperation, imageOperations} from './job-request.ts';

export {initialState, jobOutcomes, type JobOutcome} from '../host/worker-job/job-state.ts';

export const JOB_STATE = '/run/snow-control/image-job/state.json';

export type JobState = workerJob.JobState<ImageOperation>;

/** Null: there was no job since the boot. Throws SnowError Failed when it is not what we wrote. */
export function readJobState(host: Host): Promise<JobState | null> {
    return workerJob.readJobState(host, JOB_STATE, imageOperations);
}

export function writeJobState(host: Host, state: JobState): Promise<void> {
    return workerJob.writeJobState(host, JOB_STATE, state);
}

/** Throws SnowError Failed that names the field. Fields that are not known are left out. */
export function parseJobState(text: string): JobState {
    return workerJob.parseJobState(JOB_STATE, text, imageOperations);
}
