// SPDX-License-Identifier: GPL-2.0-or-later
// From the cached properties of the user's container to what the menu shows. Pure, so that it says
// nothing in any language.
import type {Refusal} from './feature-view.js';
import type {IntuneProperties} from './generated/dbus.js';
import {type Job, failure, isRunning} from './snow-objects.js';

/** What the toggle tells. */
export type IntuneState =
    | 'absent'
    | 'stopped'
    | 'starting'
    | 'running'
    | 'stopping'
    | 'failed'
    /** A job that the container is made or changed by. */
    | 'working';

/** What a click on the toggle does. */
export type IntuneSwitch = 'start' | 'stop';

export interface IntuneApplication {
    readonly id: string;
    readonly name: string;
    readonly icon: string;
}

export interface IntuneView {
    readonly state: IntuneState;
    /** It runs, or is about to. */
    readonly isOn: boolean;
    /** The running one. */
    readonly job: Job | null;
    /** What is wrong, in the service's words; empty: nothing. */
    readonly problem: string;
    /** Null: there is nothing to switch now. */
    readonly click: IntuneSwitch | null;
    readonly exists: boolean;
    readonly applications: readonly IntuneApplication[];
    /** Kinds of devices of the host that the running container has. */
    readonly devices: readonly string[];
    readonly canUpdate: boolean;
    readonly isBusy: boolean;
}

/** What the view is made of, beside the container itself. */
export interface IntuneSurroundings {
    /** Those of the container. */
    readonly jobs: readonly Job[];
    /** A call waits for its answer. */
    readonly isAsking: boolean;
    readonly refusal: Refusal | null;
}

const STATES: readonly string[] = [
    'absent',
    'stopped',
    'starting',
    'running',
    'stopping',
    'failed',
] satisfies readonly IntuneState[];

/** What they bring about; opening an application of one that runs starts nothing. */
const STARTING = ['intune.start', 'intune.restart', 'intune.open'];
/** The container stays as it is. */
const PASSING = ['intune.check', 'intune.configure'];

const ON: readonly string[] = ['starting', 'running'] satisfies readonly IntuneState[];

const DEVICE_KINDS = ['gpu', 'nvidia', 'smart-cards', 'security-key', 'camera'];

export function viewIntune(intune: IntuneProperties, around: IntuneSurroundings): IntuneView {
    const job = around.jobs.findLast(isRunning) ?? null;
    const isBusy = job !== null || around.isAsking;
    const failed = failure(around.jobs);
    const exists = intune.State !== '' && intune.State !== 'absent';
    const state = stateOf(intune, job, failed !== '');
    return {
        state,
        isOn: ON.includes(state === 'working' ? intune.State : state),
        job,
        problem: isBusy ? '' : around.refusal?.message || failed || intune.Problem,
        click: isBusy || !exists ? null : switchOf(state),
        exists,
        applications: exists ? readApplications(intune) : [],
        devices: state === 'running' ? readDevices(intune) : [],
        canUpdate: exists && intune.NewestDigest !== '' && intune.NewestDigest !== intune.Digest,
        isBusy,
    };
}

export function readApplications({Applications}: IntuneProperties): readonly IntuneApplication[] {
    return Applications.flatMap(({id, name, icon}) =>
        typeof id === 'string' && id ? [{id, name: textOr(name, id), icon: textOr(icon, '')}] : [],
    );
}

function stateOf(intune: IntuneProperties, job: Job | null, hasFailed: boolean): IntuneState {
    const state = STATES.includes(intune.State) ? (intune.State as IntuneState) : 'absent';
    if (job && STARTING.includes(job.Operation))
        return state === 'running' && job.Operation === 'intune.open' ? 'running' : 'starting';
    if (job?.Operation === 'intune.stop') return 'stopping';
    if (job && !PASSING.includes(job.Operation)) return 'working';
    return hasFailed && !job && state === 'stopped' ? 'failed' : state;
}

function switchOf(state: IntuneState): IntuneSwitch | null {
    if (state === 'stopped' || state === 'failed') return 'start';
    // Whoever starts it without a job of ours cannot be cancelled, but stopped.
    return state === 'running' || state === 'starting' ? 'stop' : null;
}

function readDevices({Bindings}: IntuneProperties): readonly string[] {
    const present = Bindings.flatMap(({kind, present: isPresent}) =>
        isPresent === true && typeof kind === 'string' ? [kind] : [],
    );
    return DEVICE_KINDS.filter(kind => present.includes(kind));
}

function textOr(value: unknown, fallback: string): string {
    return typeof value === 'string' && value ? value : fallback;
}
