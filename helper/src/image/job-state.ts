// SPDX-License-Identifier: GPL-2.0-or-later
// What the worker says of its job, in a file in memory that the service follows. It outlives both.

import type {Results} from '../host/domain.ts';
import {type ErrorCode, errorCodes} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {
    type Importer,
    array,
    count,
    importJson,
    map,
    nullable,
    number,
    object,
    oneOf,
    record,
    refuse,
    string,
} from './importer.ts';
import {type ImageOperation, imageOperations, type JobRequest} from './job-request.ts';

export const JOB_STATE = '/run/snow-control/image-job/state.json';
const MAX_BYTES = 256 * 1024;

export const jobOutcomes = ['done', 'failed', 'cancelled'] as const;
export type JobOutcome = (typeof jobOutcomes)[number];

export interface JobState {
    /** Of its request. */
    readonly id: string;
    readonly operation: ImageOperation;
    readonly target: string;
    /** uid */
    readonly startedBy: number;
    /** What goes on now, for a person. */
    readonly step: string;
    readonly bytesDone: number;
    /** 0 while it is not known. */
    readonly bytesTotal: number;
    readonly state: 'running' | JobOutcome;
    /** Code and one line; null unless it failed or was cancelled. */
    readonly error: readonly [code: ErrorCode, text: string] | null;
    /** Empty until it is done. */
    readonly results: Results;
}

/** A job that has yet to say something. */
export function initialState({id, operation, target, startedBy}: JobRequest): JobState {
    return {
        id,
        operation,
        target,
        startedBy,
        step: '',
        bytesDone: 0,
        bytesTotal: 0,
        state: 'running',
        error: null,
        results: {},
    };
}

/** Null: there was no job since the boot. Throws SnowError Failed when it is not what we wrote. */
export async function readJobState(host: Host): Promise<JobState | null> {
    const text = await host.files.readText(JOB_STATE, MAX_BYTES);
    return text === null ? null : parseJobState(text);
}

export async function writeJobState(host: Host, state: JobState): Promise<void> {
    await host.files.writeWhole(JOB_STATE, `${JSON.stringify(state)}\n`);
}

/** Throws SnowError Failed that names the field. Fields that are not known are left out. */
export function parseJobState(text: string): JobState {
    return importJson(JOB_STATE, text, jobState);
}

const result: Importer<Results[string]> = found => {
    const {value} = found;
    if (typeof value === 'string' || typeof value === 'boolean') return value;
    return Array.isArray(value) ? array(string)(found) : number(found);
};

const error: Importer<readonly [ErrorCode, string]> = found => {
    const [code, text, ...more] = array(string)(found);
    const known = errorCodes.find(one => one === code);
    if (known === undefined || text === undefined || more.length > 0)
        return refuse(found, 'is no code with a text');
    return [known, text];
};

const jobState: Importer<JobState> = object({
    id: string,
    operation: oneOf(...imageOperations),
    target: string,
    startedBy: count,
    step: string,
    bytesDone: count,
    bytesTotal: count,
    state: oneOf('running', ...jobOutcomes),
    error: nullable(error),
    results: map(record(result), found => Object.fromEntries(found)),
});
