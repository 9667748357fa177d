// SPDX-License-Identifier: GPL-2.0-or-later
// What the service does with a container itself. All of it only talks to others: killed in between, it
// leaves nothing half done.

import type {Progress, Results} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {recordCheck} from './last-check.ts';
import {applyDeviceSettings, chooseDevice} from './devices/devices.ts';
import type {DeviceChoice} from './devices/model.ts';
import {lockMachine} from './machine-lock.ts';
import {MachineTurns} from './machine-turns.ts';
import {
    type ContainerRecord,
    type SessionEnvironment,
    type Settings,
    machineUnit,
    rootfsPath,
} from './model.ts';
import type {Launch, ProgramRequest, ServicePorts} from './ports.ts';
import {noteReady} from './readiness.ts';
import {readRecord} from './record.ts';
import {chooseImage, readSettings, writeSettings} from './settings.ts';

/** Milliseconds in which the worker exchanges two containers. */
const PATIENCE = 30_000;

/** How one operation is watched and ended. */
export interface Course {
    readonly progress: Progress;
    readonly signal: AbortSignal;
}

export class ContainerOperations {
    readonly #host: Host;
    readonly #ports: ServicePorts;
    readonly #turns = new MachineTurns();

    constructor(host: Host, ports: ServicePorts) {
        this.#host = host;
        this.#ports = ports;
    }

    start(uid: number, session: SessionEnvironment, course: Course): Promise<Results> {
        return this.#turns.run(uid, async () => {
            await this.#start(await this.#requireRecord(uid), session, course);
            return {};
        });
    }

    stop(uid: number, course: Course): Promise<Results> {
        return this.#turns.run(uid, async () => {
            await this.#stop(await this.#requireRecord(uid), course);
            return {};
        });
    }

    restart(uid: number, session: SessionEnvironment, course: Course): Promise<Results> {
        return this.#turns.run(uid, async () => {
            const record = await this.#requireRecord(uid);
            await this.#stop(record, course);
            await this.#start(record, session, course);
            return {};
        });
    }

    async open(
        uid: number,
        launch: Launch,
        session: SessionEnvironment,
        course: Course,
    ): Promise<Results> {
        const record = await this.#ensureRunning(uid, session, course);
        course.progress.step(`Starting ${launch.application}`);
        await this.#ports.openApplication(this.#host, record, launch, course.signal);
        return {};
    }

    async runProgram(
        uid: number,
        request: ProgramRequest,
        session: SessionEnvironment,
        course: Course,
    ): Promise<Results> {
        const record = await this.#ensureRunning(uid, session, course);
        course.progress.step('Running');
        const status = await this.#ports.runProgram(this.#host, record, request, course.signal);
        return {'exit-status': status};
    }

    async check(uid: number, {progress, signal}: Course): Promise<Results> {
        const settings = await readSettings(this.#host, uid);
        const record = await readRecord(this.#host, uid);
        const {image} = record ?? chooseImage(settings, {channel: '', image: ''});
        progress.step(`Asking for ${image}`);
        const digest = await this.#ports.newestDigest(this.#host, image, signal);
        const time = Math.floor(Date.now() / 1000);
        await recordCheck(this.#host, uid, {time, image, digest});
        return {image, digest, newer: record !== null && digest !== record.digest};
    }

    async inspect(uid: number, {progress, signal}: Course): Promise<Results> {
        const record = await this.#requireRecord(uid);
        if (!(await this.#isRunning(uid)))
            throw new SnowError('WrongState', 'The container does not run; start it first');
        progress.step('Looking into the container');
        return {report: await this.#ports.inspect(this.#host, record, signal)};
    }

    async configure(uid: number, change: (settings: Settings) => Settings): Promise<Results> {
        const {settings} = await readSettings(this.#host, uid);
        const changed = change(settings);
        await writeSettings(this.#host, uid, changed);
        const isRunning = await this.#isRunning(uid);
        const record = await readRecord(this.#host, uid);
        if (!isRunning) {
            if (record) await this.#ports.rememberMachine?.(this.#host, uid, changed);
            return {'restart-needed': false};
        }
        const policies = ['cameras', 'securityKeys', 'listedDevices'] as const;
        if (record && policies.some(policy => changed[policy] !== settings[policy]))
            await applyDeviceSettings(this.#host, record, changed);
        return {'restart-needed': true};
    }

    async chooseDevice(
        uid: number,
        node: string,
        choice: DeviceChoice,
        {progress, signal}: Course,
    ): Promise<Results> {
        const record = await this.#requireRecord(uid);
        if (!(await this.#isRunning(uid)))
            throw new SnowError('WrongState', 'The container does not run; start it first');
        const {settings} = await readSettings(this.#host, uid);
        progress.step(choice === 'attach' ? `Attaching ${node}` : `Detaching ${node}`);
        return {nodes: await chooseDevice(this.#host, record, settings, node, choice, signal)};
    }

    #ensureRunning(
        uid: number,
        session: SessionEnvironment,
        course: Course,
    ): Promise<ContainerRecord> {
        return this.#turns.run(uid, async () => {
            const record = await this.#requireRecord(uid);
            if (!(await this.#isRunning(uid))) await this.#start(record, session, course);
            return record;
        });
    }

    async #start(
        record: ContainerRecord,
        session: SessionEnvironment,
        {progress, signal}: Course,
    ): Promise<void> {
        const {uid} = record.owner;
        if (await this.#isRunning(uid)) return;
        await using _lock = await lockMachine(this.#host, uid, PATIENCE, signal);
        const {settings} = await readSettings(this.#host, uid);
        progress.step('Starting the container');
        await this.#ports.startMachine(this.#host, record, settings, session, progress, signal);
        await noteReady(this.#host, record);
    }

    async #stop(record: ContainerRecord, {progress, signal}: Course): Promise<void> {
        const {uid} = record.owner;
        const state = (await this.#host.systemd?.activeState(machineUnit(uid))) ?? 'inactive';
        if (state === 'inactive') return;
        await using _lock = await lockMachine(this.#host, uid, PATIENCE, signal);
        progress.step('Stopping the container');
        await this.#ports.stopMachine(this.#host, record, progress, signal);
        // What was configured while it ran.
        const {settings} = await readSettings(this.#host, uid);
        await this.#ports.rememberMachine?.(this.#host, uid, settings);
    }

    async #isRunning(uid: number): Promise<boolean> {
        return (await this.#host.systemd?.activeState(machineUnit(uid))) === 'active';
    }

    async #requireRecord(uid: number): Promise<ContainerRecord> {
        const record = await readRecord(this.#host, uid);
        if (record) return record;
        const isThere = (await this.#host.files.status(rootfsPath(uid))) !== null;
        throw new SnowError(
            'WrongState',
            isThere
                ? 'The machine of that name was not made here'
                : 'There is no container; make one first (snowctl intune init)',
        );
    }
}
