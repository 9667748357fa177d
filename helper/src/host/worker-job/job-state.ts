// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker says of its job, in a file in memory that the service follows. It outlives both.

import type {Results} from '../domain.ts';
import {type ErrorCode, errorCodes} from '../error.ts';
import type {Host} from '../host.ts';
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
} from '../importer.ts';
import type {JobIdentity} from './job-kind.ts';

const MAX_BYTES = 256 * 1024;

export const jobOutcomes = ['done', 'failed', 'cancelled'] as const;
export type JobOutcome = (typeof jobOutcomes)[number];

export interface JobState<Operation extends string = string> extends JobIdentity<Operation> {
    /** What goes on now, for a person. */
    readonly step: string;
    readonly bytesDone: number;
    /** 0 while it is not known. */
    readonly bytesTotal: number;
    /** Of all the work, 0 to 1, where it is known without bytes; -1: it is not. */
    readonly fraction: number;
    readonly state: 'running' | JobOutcome;
    /** Code and one line; null unless it failed or was cancelled. */
    readonly error: readonly [code: ErrorCode, text: string] | null;
    /** Empty until it is done. */
    readonly results: Results;
}

/** A job that has yet to say something. */
export function initialState<Operation extends string>({
    id,
    operation,
    target,
    startedBy,
}: JobIdentity<Operation>): JobState<Operation> {
    return {
        id,
        operation,
        target,
        startedBy,
        step: '',
        bytesDone: 0,
        bytesTotal: 0,
        fraction: -1,
        state: 'running',
        error: null,
        results: {},
    };
}

/** Null: there was no job since the boot. Throws SnowError Failed when it is not what we wrote. */
export async function readJobState<Operation extends string>(
    host: Host,
    path: string,
    operations: readonly Operation[],
): Promise<JobState<Operation> | null> {
    const text = await host.files.readText(path, MAX_BYTES);
    return text === null ? null : parseJobState(path, text, operations);
}

export async function writeJobState(host: Host, path: string, state: JobState): Promise<void> {
    await host.files.writeWhole(path, `${JSON.stringify(state)}\n`);
}

/** Throws SnowError Failed that names the field. Fields that are not known are left out. */
export function parseJobState<Operation extends string>(
    path: string,
    text: string,
    operations: readonly Operation[],
): JobState<Operation> {
    return importJson(
        path,
        text,
        object({
            id: string,
            operation: oneOf(...operations),
            target: string,
            startedBy: count,
            step: string,
            bytesDone: count,
            bytesTotal: count,
            fraction: number,
            state: oneOf('running', ...jobOutcomes),
            error: nullable(error),
            results: map(record(result), found => Object.fromEntries(found)),
        }),
    );
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
