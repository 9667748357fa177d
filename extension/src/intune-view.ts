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
    /** The running one that takes longest. */
    readonly job: Job | null;
    /** What is wrong, in the service's words; empty: nothing. */
    readonly problem: string;
    /** Null: there is nothing to switch now. */
    readonly click: IntuneSwitch | null;
    readonly exists: boolean;
    readonly applications: readonly IntuneApplication[];
    /** Kinds of devices of the host that the running container has. */
    readonly devices: readonly string[];
    /** Applications and a shell. */
    readonly canOpen: boolean;
    readonly canUpdate: boolean;
    /** Something is done that nothing else can be done beside, but opening applications. */
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

/** Opening an application of a container that runs starts nothing. */
const STARTING = ['intune.start', 'intune.restart', 'intune.open'];
const STOPPING = ['intune.stop'];
/** The container stays as it is. */
const PASSING = ['intune.check', 'intune.configure'];
/** The container can be used while the next one is made. */
const RECREATE = 'intune.recreate';

const ON: readonly string[] = ['starting', 'running'] satisfies readonly IntuneState[];

const DEVICE_KINDS = ['gpu', 'nvidia', 'smart-cards', 'security-key', 'camera'];

export function viewIntune(intune: IntuneProperties, around: IntuneSurroundings): IntuneView {
    const running = around.jobs.filter(isRunning);
    const ofMachine = running.findLast(job => isAmong(job, [...STARTING, ...STOPPING])) ?? null;
    const ofDisk =
        running.findLast(job => !isAmong(job, [...STARTING, ...STOPPING, ...PASSING])) ?? null;
    const isBusy = running.length > 0 || around.isAsking;
    const failed = isBusy ? '' : failure(around.jobs);
    const exists = intune.State !== '' && intune.State !== 'absent';
    const canUse = exists && !around.isAsking && (ofDisk === null || ofDisk.Operation === RECREATE);
    const own = ownState(intune, failed !== '');
    const state = stateOf(own, ofMachine, ofDisk);
    return {
        state,
        isOn: ON.includes(state === 'working' ? own : state),
        job: ofDisk ?? running.at(-1) ?? null,
        problem: isBusy ? '' : around.refusal?.message || failed || intune.Problem,
        click: canUse && ofMachine === null ? switchOf(own) : null,
        exists,
        applications: exists ? readApplications(intune) : [],
        devices: own === 'running' ? readDevices(intune) : [],
        canOpen: canUse && state !== 'stopping',
        canUpdate: exists && intune.NewestDigest !== '' && intune.NewestDigest !== intune.Digest,
        isBusy,
    };
}

export function readApplications({Applications}: IntuneProperties): readonly IntuneApplication[] {
    return Applications.flatMap(({id, name, icon}) =>
        typeof id === 'string' && id ? [{id, name: textOr(name, id), icon: textOr(icon, '')}] : [],
    );
}

/** Without what goes on. */
function ownState({State}: IntuneProperties, hasFailed: boolean): IntuneState {
    const state = STATES.includes(State) ? (State as IntuneState) : 'absent';
    return hasFailed && state === 'stopped' ? 'failed' : state;
}

function stateOf(own: IntuneState, ofMachine: Job | null, ofDisk: Job | null): IntuneState {
    const isNoNews = ofMachine?.Operation === 'intune.open' && own === 'running';
    if (ofMachine && !isNoNews) return isAmong(ofMachine, STOPPING) ? 'stopping' : 'starting';
    return ofDisk ? 'working' : own;
}

function isAmong(job: Job, operations: readonly string[]): boolean {
    return operations.includes(job.Operation);
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
