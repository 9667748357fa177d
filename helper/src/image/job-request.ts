// SPDX-License-Identifier: GPL-2.0-or-later
// What the worker is asked to do, as the arguments of its program.

import {parseArgs} from 'node:util';

import {SnowError} from '../host/error.ts';
import type {JobIdentity} from '../host/worker-job/job-kind.ts';
import {parseReference} from '../host/image-reference.ts';

export const imageOperations = [
    'check',
    'update',
    'download',
    'switch',
    'rollback',
    'unstage',
] as const;
export type ImageOperation = (typeof imageOperations)[number];

/** The target is the name of a channel, a reference, or empty. */
export interface JobRequest extends JobIdentity<ImageOperation> {
    /** The image to switch to; empty for all other operations. */
    readonly reference: string;
    /** Whether a restart without the firmware is to be prepared, where the image can do with that. */
    readonly maySoftReboot: boolean;
}

export function jobArguments(request: JobRequest): readonly string[] {
    const {id, operation, target, reference, maySoftReboot, startedBy} = request;
    return [
        `--job=${id}`,
        `--started-by=${startedBy}`,
        `--target=${target}`,
        ...(maySoftReboot ? ['--soft-reboot'] : []),
        '--',
        operation,
        ...(reference === '' ? [] : [reference]),
    ];
}

/** Throws SnowError InvalidArgs: nobody but root calls it, and yet it is checked once more. */
export function parseJobArguments(args: readonly string[]): JobRequest {
    const {values, positionals} = parse(args);
    const [name = '', reference = '', ...more] = positionals;
    const operation = imageOperations.find(known => known === name);
    if (!operation) throw invalid(`${JSON.stringify(name)} is no operation`);
    if (more.length > 0 || (operation === 'switch') !== (reference !== ''))
        throw invalid(`${operation} does not take these arguments`);
    if (reference !== '') parseReference(reference);

    const {job: id = '', target = '', 'started-by': uid = ''} = values;
    const maySoftReboot = values['soft-reboot'] ?? false;
    if (!JOB_ID.test(id)) throw invalid('--job takes the id of a job');
    if (!/^\d{1,10}$/.test(uid) || Number(uid) >= 2 ** 32)
        throw invalid('--started-by takes a uid');
    if (!/^[\x21-\x7e]{0,512}$/.test(target)) throw invalid('--target takes one word');
    if (maySoftReboot && operation !== 'update')
        throw invalid(`${operation} does not take --soft-reboot`);
    return {id, operation, target, reference, maySoftReboot, startedBy: Number(uid)};
}

export const JOB_ID = /^[0-9a-f-]{36}$/;

function parse(args: readonly string[]) {
    try {
        return parseArgs({
            args: [...args],
            options: {
                job: {type: 'string'},
                'started-by': {type: 'string'},
                target: {type: 'string'},
                'soft-reboot': {type: 'boolean'},
            },
            allowPositionals: true,
        });
    } catch (error) {
        throw invalid(error instanceof Error ? error.message : String(error));
    }
}

function invalid(text: string): SnowError {
    return new SnowError('InvalidArgs', text);
}
