// SPDX-License-Identifier: GPL-2.0-or-later
// What the worker is asked to do, as the arguments of its program.

import {parseArgs} from 'node:util';

import {SnowError} from '../host/error.ts';
import type {JobIdentity, JobKind} from '../host/worker-job/job-kind.ts';
import {type SessionEnvironment, machineName} from './model.ts';
import {formatSession, parseSession} from './session-environment.ts';

export const intuneOperations = [
    'init',
    'recreate',
    'restore',
    'destroy',
    'adopt',
    'complete-adoption',
] as const;
export type IntuneOperation = (typeof intuneOperations)[number];

export interface IntuneRequest {
    /** Of the container's owner. */
    readonly uid: number;
    readonly operation: IntuneOperation;
    /** Empty: that of the settings, or of the container. */
    readonly channel: string;
    /** Reference of the image, in place of a channel; or empty. */
    readonly image: string;
    /** Directory of the caller's FIFOs, or empty. */
    readonly pipes: string;
    /** destroy: the settings, too. */
    readonly everything: boolean;
    readonly session: SessionEnvironment;
}

export type IntuneJobRequest = IntuneRequest & JobIdentity<IntuneOperation>;

const descriptions: Readonly<Record<IntuneOperation, string>> = {
    init: 'Make an Intune container',
    recreate: 'Make an Intune container anew',
    restore: 'Bring back the Intune container before',
    destroy: 'Remove an Intune container',
    adopt: 'Take over an Intune container of intuneme',
    'complete-adoption': 'Remove an installation of intuneme',
};

/** The worker of one user's container. */
export function jobKind(uid: number): JobKind<IntuneOperation> {
    return {
        domain: 'intune',
        scope: String(uid),
        unit: `snow-intune-job-u${uid}.service`,
        worker: '/usr/lib/snow-control/snow-intune-job',
        statePath: `/run/snow-control/intune-job-u${uid}/state.json`,
        descriptions,
        // The container is started again, which may have taken its time to stop.
        stopTimeout: 300,
        busyText: 'Another operation on this container is running',
        offlineText: 'Containers are only of the running system',
    };
}

export function jobArguments(
    job: Pick<JobIdentity<IntuneOperation>, 'id' | 'startedBy'>,
    {uid, operation, channel, image, pipes, everything, session}: IntuneRequest,
): readonly string[] {
    return [
        `--job=${job.id}`,
        `--started-by=${job.startedBy}`,
        ...(channel === '' ? [] : [`--channel=${channel}`]),
        ...(image === '' ? [] : [`--image=${image}`]),
        ...(pipes === '' ? [] : [`--pipes=${pipes}`]),
        ...(everything ? ['--everything'] : []),
        ...formatSession(session).map(variable => `--session=${variable}`),
        '--',
        operation,
        String(uid),
    ];
}

/** Throws SnowError InvalidArgs: nobody but root calls it, and yet it is checked once more. */
export function parseJobArguments(args: readonly string[]): IntuneJobRequest {
    const {values, positionals} = parse(args);
    const [name = '', owner = '', ...more] = positionals;
    const operation = intuneOperations.find(known => known === name);
    if (!operation || more.length > 0) throw invalid(`${JSON.stringify(name)} is no operation`);
    const {job: id = '', 'started-by': startedBy = ''} = values;
    if (!/^[0-9a-f-]{36}$/.test(id)) throw invalid('--job takes the id of a job');
    const uid = parseUid(owner);
    return {
        id,
        startedBy: parseUid(startedBy),
        operation,
        target: machineName(uid),
        uid,
        channel: values.channel ?? '',
        image: values.image ?? '',
        pipes: values.pipes ?? '',
        everything: values.everything ?? false,
        session: parseSession(values.session ?? []),
    };
}

function parseUid(text: string): number {
    if (!/^\d{1,10}$/.test(text) || Number(text) >= 2 ** 32)
        throw invalid(`${JSON.stringify(text)} is no uid`);
    return Number(text);
}

function parse(args: readonly string[]) {
    try {
        return parseArgs({
            args: [...args],
            options: {
                job: {type: 'string'},
                'started-by': {type: 'string'},
                channel: {type: 'string'},
                image: {type: 'string'},
                pipes: {type: 'string'},
                everything: {type: 'boolean'},
                session: {type: 'string', multiple: true},
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
