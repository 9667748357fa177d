// SPDX-License-Identifier: GPL-2.0-or-later
// A machine for the tests of the image: a temporary tree, a driver that keeps its images in memory,
// and a systemd that runs the worker in this process.
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import type {ExtensionOutlook, ExtensionsOfNextBoot} from '../../../helper/src/host/domain.ts';
import {SnowError} from '../../../helper/src/host/error.ts';
import type {Host, Systemd} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import type {ImageDriver, Work} from '../../../helper/src/image/driver.ts';
import {type JobRequest, parseJobArguments} from '../../../helper/src/image/job-request.ts';
import type {JobState} from '../../../helper/src/image/job-state.ts';
import {
    type CheckResult,
    type Deployment,
    type ImageStatus,
    type Offer,
    isSameImage,
} from '../../../helper/src/image/model.ts';
import {runImageJob} from '../../../helper/src/image/worker.ts';
import {writeTree} from '../../lab/definitions.ts';

export const SNOW = 'ghcr.io/frostyard/snow:latest';
export const SNOWFIELD = 'ghcr.io/frostyard/snowfield:latest';

export function digestOf(version: string): string {
    return `sha256:${Buffer.from(version).toString('hex').padEnd(64, '0').slice(0, 64)}`;
}

export function deployment(version: string, image = SNOW): Deployment {
    return {
        version,
        image,
        transport: 'registry',
        digest: digestOf(version),
        timestamp: 1_760_000_000,
        slot: null,
        isPinned: false,
        canSoftReboot: false,
    };
}

export function offer(version: string): Offer {
    return {version, digest: digestOf(version), timestamp: 1_760_000_000, size: 1000};
}

export function statusOf(changed: Partial<ImageStatus> = {}): ImageStatus {
    return {
        followed: SNOW,
        booted: deployment('1'),
        staged: null,
        rollback: deployment('0'),
        isRollbackQueued: false,
        downloaded: null,
        capabilities: ['check', 'update', 'download-only', 'switch', 'rollback', 'unstage'],
        problem: '',
        ...changed,
    };
}

/** How the programs go about it. */
export interface Manners {
    /** What the source has; null: nothing new. */
    newest: string | null;
    /** Changes end well and do nothing. */
    doesNothing: boolean;
    /** Thrown by what asks the source. */
    sourceFault: unknown;
    /** Thrown by changes, before or after the change was made. */
    fault: unknown;
    faultIsLate: boolean;
    /** Milliseconds that a change takes; it can be cancelled meanwhile. */
    duration: number;
    /** Cancelling comes too late. */
    ignoresAbort: boolean;
    /** Thrown by status(). */
    statusFault: unknown;
    statusTime: number;
}

export interface ImageMachine {
    readonly root: string;
    readonly host: Host;
    readonly driver: ImageDriver;
    readonly manners: Manners;
    status: ImageStatus;
    outlooks: readonly ExtensionOutlook[];
    readonly extensions: ExtensionsOfNextBoot;
    /** Names of the driver's methods, and of what the extensions were asked. */
    readonly calls: string[];
    readonly journal: string[];
    /** ActiveState by unit. */
    readonly units: Map<string, string>;
    work(operation: JobRequest['operation'], options?: WorkOptions): Promise<JobState>;
    write(files: Readonly<Record<string, string>>): Promise<void>;
    read(path: string): Promise<string | null>;
    dispose(): Promise<void>;
}

export interface WorkOptions {
    readonly target?: string;
    readonly reference?: string;
    readonly signal?: AbortSignal;
}

export async function makeImageMachine(status = statusOf()): Promise<ImageMachine> {
    const root = await mkdtemp(join(tmpdir(), 'snow-image-'));
    const manners: Manners = {
        newest: null,
        doesNothing: false,
        sourceFault: null,
        fault: null,
        faultIsLate: false,
        duration: 0,
        ignoresAbort: false,
        statusFault: null,
        statusTime: 0,
    };
    const calls: string[] = [];
    const journal: string[] = [];
    const units = new Map<string, string>();
    const systemd = workerSystemd(units, request =>
        machine.work(request.operation, {...request, signal: request.signal}),
    );
    const host: Host = {...localHost(root), systemd};
    const machine: ImageMachine = {
        root,
        host,
        driver: fakeDriver(() => machine),
        manners,
        status,
        outlooks: [],
        extensions: {
            assess: () => Promise.resolve(machine.outlooks),
            fetch(_system, progress, signal) {
                calls.push('fetch extensions');
                if (signal.aborted) throw new SnowError('Cancelled', 'Cancelled');
                progress.bytes(5, 10);
                return Promise.resolve(machine.outlooks);
            },
        },
        calls,
        journal,
        units,
        work: (operation, {target = '', reference = '', signal, ...rest} = {}) =>
            runImageJob({
                host,
                drivers: [machine.driver],
                extensions: machine.extensions,
                request: {
                    id: '00000000-0000-0000-0000-000000000000',
                    startedBy: 1000,
                    maySoftReboot: false,
                    ...rest,
                    operation,
                    target,
                    reference,
                },
                signal: signal ?? new AbortController().signal,
                journal: {
                    info: text => void journal.push(text),
                    notice: text => void journal.push(text),
                    error: (doing, error) => void journal.push(`${doing}: ${String(error)}`),
                },
            }),
        write: files => writeTree(root, files),
        read: path => readFile(join(root, path), 'utf8').catch(() => null),
        dispose: () => rm(root, {recursive: true, force: true}),
    };
    return machine;
}

function fakeDriver(machine: () => ImageMachine): ImageDriver {
    async function change(name: string, work: Work, next: Partial<ImageStatus>): Promise<void> {
        const {manners, calls} = machine();
        calls.push(name);
        work.progress.step('Pulling');
        work.progress.bytes(1, 10);
        if (manners.fault !== null && !manners.faultIsLate) throw manners.fault;
        await sleep(manners.duration);
        if (work.signal.aborted && !manners.ignoresAbort)
            throw new SnowError('Cancelled', 'The program was stopped');
        if (!manners.doesNothing) machine().status = {...machine().status, ...next};
        if (manners.fault !== null) throw manners.fault;
    }

    const newest = (): Deployment => deployment(machine().manners.newest ?? '1');

    return {
        name: 'bootc',
        otherUnits: ['bootc-update-stage.service'],
        detect: () => Promise.resolve(true),
        async status() {
            const {manners, status} = machine();
            await sleep(manners.statusTime);
            if (manners.statusFault !== null) throw manners.statusFault;
            return status;
        },
        stagedSystem: () =>
            Promise.resolve({release: {ID: 'debian', VERSION_ID: '14'}, tree: '/next'}),
        check({before}) {
            const {manners, calls} = machine();
            calls.push('check');
            if (manners.sourceFault !== null) return Promise.reject(manners.sourceFault as Error);
            const found = newest();
            const result = (outcome: 'staged' | 'held-rollback' | 'available'): CheckResult => ({
                outcome,
                offer: {...found, size: 1000},
            });
            const isIt = (image: Deployment | null): boolean =>
                image !== null && isSameImage(image, found);
            if (isIt(before.booted)) return Promise.resolve({outcome: 'current'});
            if (isIt(before.staged)) return Promise.resolve(result('staged'));
            return Promise.resolve(result(isIt(before.rollback) ? 'held-rollback' : 'available'));
        },
        update(work) {
            const staged = work.before.downloaded ?? newest();
            return change('update', work, {staged, downloaded: null, isRollbackQueued: false});
        },
        download: work => change('download', work, {downloaded: newest()}),
        switchTo: (work, reference) =>
            change('switch', work, {
                followed: reference,
                staged: deployment('7', reference),
            }),
        rollback: work => change('rollback', work, {staged: null, isRollbackQueued: true}),
        unstage: work => change('unstage', work, {staged: null, isRollbackQueued: false}),
        cleanUp() {
            machine().calls.push('clean up');
            return Promise.resolve();
        },
    };
}

type Run = (request: JobRequest & {readonly signal: AbortSignal}) => Promise<unknown>;

function workerSystemd(units: Map<string, string>, run: Run): Systemd {
    const name = 'snow-image-job.service';
    const stop = new AbortController();
    let running: Promise<unknown> = Promise.resolve();
    return {
        runUnit: () => Promise.reject(new Error('no program is run here')),
        startUnit(unit, [, ...args]) {
            if (units.has(unit)) throw new SnowError('Busy', `${unit} is running`);
            units.set(unit, 'activating');
            running = run({...parseJobArguments(args), signal: stop.signal}).finally(() => {
                units.delete(unit);
            });
            return Promise.resolve();
        },
        async waitForUnit() {
            await running;
            while (units.has(name)) await sleep(10);
        },
        stopUnit() {
            stop.abort();
            return Promise.resolve();
        },
        activeState: unit => Promise.resolve(units.get(unit) ?? 'inactive'),
        isUnitEnabled: () => Promise.resolve(false),
        setUnitEnabled: () => Promise.resolve(),
    };
}
