// SPDX-License-Identifier: GPL-2.0-or-later
// One operation on the root directory of a container, in a unit of its own: it goes on when the service
// that asked for it is gone. Killed at any instant, it leaves the old container or the new one.

import {readCallersLine} from '../host/caller-pipes.ts';
import type {Progress, Results} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {JobReport} from '../host/worker-job/job-report.ts';
import type {JobState} from '../host/worker-job/job-state.ts';
import {ContainerDisk} from './disk.ts';
import {removeEnrolment} from './home.ts';
import {openIntuneme, removeIntuneme} from './intuneme.ts';
import {type IntuneJobRequest, type IntuneOperation, jobKind} from './job-request.ts';
import {forgetCheck} from './last-check.ts';
import {lockMachine} from './machine-lock.ts';
import {
    type Channel,
    type ContainerRecord,
    MACHINES,
    type Owner,
    machineName,
    machineUnit,
    previousRootfsPath,
    rootfsPath,
    stateDirectory,
} from './model.ts';
import {readOwner} from './owner.ts';
import type {Enrolment, MachinePorts, MakingPorts} from './ports.ts';
import {forgetReadiness, noteAdopted, noteReady, wasAdopted, wasReady} from './readiness.ts';
import {chooseUidBase, readRecord, recordOf} from './record.ts';
import {chooseImage, readSettings, removeSettings} from './settings.ts';
import {hideShortcuts, showShortcuts} from './shortcuts.ts';

export interface WorkerParts {
    readonly host: Host;
    readonly ports: MakingPorts & MachinePorts;
    readonly request: IntuneJobRequest;
    /** Aborted by who wants the unit to stop. */
    readonly signal: AbortSignal;
    readonly journal: WorkerJournal;
    /** A test has one of its own. */
    readonly disk?: ContainerDisk;
}

export interface WorkerJournal {
    info(text: string): void;
    notice(text: string): void;
    /** What nobody foresaw. */
    error(doing: string, error: unknown): void;
}

/** Milliseconds in which a start that goes on has come to its end. */
const PATIENCE = 150_000;
/** Bytes without which nothing is begun. */
const MINIMUM_SPACE = 256 * 1024 * 1024;

const STARTED = ['active', 'activating', 'reloading'];

type Ending = Pick<JobState, 'state' | 'error' | 'results'>;

/** Does what was asked for, to its end, and returns what was reported last. Never throws. */
export async function runIntuneJob(parts: WorkerParts): Promise<JobState<IntuneOperation>> {
    const {host, request, journal} = parts;
    const start = performance.now();
    const report = new JobReport(host, jobKind(request.uid).statePath, request, error => {
        journal.error('The state of the job cannot be written', error);
    });
    const end = await new IntuneJob(parts, report).run().then(
        (results): Ending => ({state: 'done', error: null, results}),
        (error: unknown) => endingOf(error, request, journal),
    );
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    const line = `intune.${request.operation} of ${request.target} for uid ${request.startedBy}`;
    const text = `${line}: ${end.state} in ${seconds} s`;
    if (end.error) journal.notice(`${text}: ${end.error[0]}: ${end.error[1]}`);
    else journal.info(text);
    return report.end(end);
}

interface WantedImage {
    readonly channel: Channel;
    readonly image: string;
}

/** The steps of a job. */
class IntuneJob {
    readonly #parts: WorkerParts;
    readonly #progress: Progress;
    readonly #disk: ContainerDisk;
    readonly #warnings: string[] = [];

    constructor(parts: WorkerParts, progress: Progress) {
        this.#parts = parts;
        this.#progress = progress;
        this.#disk = parts.disk ?? new ContainerDisk(parts.host, parts.request.uid);
    }

    async run(): Promise<Results> {
        const {host, request} = this.#parts;
        this.#progress.step('Looking at the container');
        const owner = await readOwner(host, request.uid);
        await this.#disk.prepare();
        await this.#refusePublicMachines();
        // What a job that was killed left, too; nothing may write any more where it is taken away.
        await this.#parts.ports.abandonFetch?.(host, this.#disk.next);
        await this.#parts.ports.abandonProvision?.(host, request.uid);
        await this.#disk.settle();
        this.#refuseCancelled();
        const results = await this.#perform(owner);
        return {...results, warnings: this.#warnings};
    }

    #perform(owner: Owner): Promise<Results> {
        switch (this.#parts.request.operation) {
            case 'init':
                return this.#init(owner);
            case 'recreate':
                return this.#recreate(owner);
            case 'restore':
                return this.#restore();
            case 'destroy':
                return this.#destroy(owner);
            case 'adopt':
                return this.#adopt(owner);
            case 'complete-adoption':
                return this.#completeAdoption(owner);
        }
    }

    async #init(owner: Owner): Promise<Results> {
        const {host, request} = this.#parts;
        await this.#refuseSecond();
        const password = await this.#readPassword();
        const wanted = await this.#chooseImage(request);
        const record = await this.#make(owner, wanted, await chooseUidBase(host, owner.uid), {
            password,
            keep: null,
        });
        await this.#takeFirst(record);
        return describe(record);
    }

    async #adopt(owner: Owner): Promise<Results> {
        const {host, request, ports} = this.#parts;
        await this.#refuseSecond();
        await using old = await openIntuneme(host, owner);
        await this.#refuseRunning(old.machine);
        const wanted = await this.#chooseImage({
            ...request,
            channel: old.isInsiders ? 'insiders' : 'stable',
        });
        const uidBase = await chooseUidBase(host, owner.uid);
        const before = {owner, uidBase, ...wanted, digest: '', created: 0};
        this.#progress.step('Reading the enrolment');
        const keep = await ports.readEnrolment(host, old.rootfs, before);
        const record = await this.#make(owner, wanted, uidBase, {password: null, keep});
        await noteAdopted(host, record);
        await this.#takeFirst(record);
        return describe(record);
    }

    async #completeAdoption(owner: Owner): Promise<Results> {
        const {host} = this.#parts;
        const record = await this.#requireRecord();
        if (!(await wasAdopted(host, record)))
            throw new SnowError('WrongState', 'This container was not taken over from intuneme');
        if (!(await wasReady(host, record)))
            throw new SnowError(
                'WrongState',
                'The container has not worked yet; start it first (snowctl intune start)',
            );
        await using old = await openIntuneme(host, owner);
        await this.#refuseRunning(old.machine);
        this.#progress.step('Removing the installation of intuneme');
        await removeIntuneme(host, owner);
        return {};
    }

    async #recreate(owner: Owner): Promise<Results> {
        const {host, request, ports} = this.#parts;
        const before = await this.#requireRecord();
        const isChange = request.channel !== '' || request.image !== '';
        const wanted = isChange
            ? await this.#chooseImage(request)
            : await this.#followedImage(before);
        this.#progress.step('Reading the enrolment');
        const keep = await ports.readEnrolment(host, rootfsPath(owner.uid), before);
        const record = await this.#make(owner, wanted, before.uidBase, {password: null, keep});
        await this.#exchange(record, before, () => this.#disk.takeNext());
        return describe(record);
    }

    async #restore(): Promise<Results> {
        const {host, request} = this.#parts;
        if (!(await this.#disk.hasPrevious()))
            throw new SnowError('NotFound', 'There is no container before this one');
        const previous = await recordOf(host, request.uid, previousRootfsPath(request.uid));
        if (!previous) throw new SnowError('NotFound', 'There is no container before this one');
        const current = await readRecord(host, request.uid);
        await this.#exchange(previous, current, () => this.#disk.exchangePrevious());
        await showShortcuts(host, request.uid);
        return describe(previous);
    }

    async #destroy(owner: Owner): Promise<Results> {
        const {host, request, signal, ports} = this.#parts;
        const {uid} = owner;
        const record = await readRecord(host, uid);
        if (!record && (await host.files.status(rootfsPath(uid))) !== null)
            throw this.#foreignMachine();
        await using _lock = await lockMachine(host, uid, PATIENCE, signal);
        if (record) await ports.stopMachine(host, record, this.#progress, signal);
        this.#refuseCancelled();
        this.#progress.step('Removing the container');
        await hideShortcuts(host, uid);
        await this.#disk.removeAll();
        await ports.forgetMachine?.(host, uid);
        this.#progress.step('Removing the enrolment');
        this.#warnings.push(...(await removeEnrolment(host, owner)));
        await forgetReadiness(host, uid);
        await forgetCheck(host, uid);
        if (request.everything) await removeSettings(host, uid);
        await host.files.removeEmptyDirectory(stateDirectory(uid));
        return {};
    }

    /** Fetches and provisions the next root directory, and leaves nothing of it when that fails. */
    async #make(
        owner: Owner,
        {channel, image}: WantedImage,
        uidBase: number,
        access: {readonly password: string | null; readonly keep: Enrolment | null},
    ): Promise<ContainerRecord> {
        const {host, ports, signal} = this.#parts;
        const destination = this.#disk.next;
        await this.#refuseFullDisk(destination);
        try {
            this.#progress.step(`Fetching ${image}`);
            const fetching = {reference: image, destination};
            const {digest} = await ports.fetchRootfs(host, fetching, this.#progress, signal);
            this.#refuseCancelled();
            const created = Math.floor(Date.now() / 1000);
            const record = {owner, uidBase, channel, image, digest, created};
            this.#progress.step('Setting up the container');
            await ports.makeHome(host, owner);
            await ports.provision(host, destination, record, access, this.#progress, signal);
            this.#refuseCancelled();
            await this.#disk.record(record);
            return record;
        } catch (error) {
            await this.#settleAgain();
            throw error;
        }
    }

    async #takeFirst({owner}: ContainerRecord): Promise<void> {
        const {host, ports} = this.#parts;
        const {settings} = await readSettings(host, owner.uid);
        await ports.rememberMachine?.(host, owner.uid, settings);
        this.#progress.step('Putting the container into place');
        await this.#disk.takeNext();
        await showShortcuts(host, owner.uid);
    }

    /** Stops what runs, exchanges, and starts what ran; what cannot be started is taken back. */
    async #exchange(
        record: ContainerRecord,
        before: ContainerRecord | null,
        swap: () => Promise<void>,
    ): Promise<void> {
        const {host, signal, ports, request} = this.#parts;
        const {uid} = record.owner;
        let wasRunning = false;
        try {
            await using _lock = await lockMachine(host, uid, PATIENCE, signal);
            const state = (await host.systemd?.activeState(machineUnit(uid))) ?? 'inactive';
            wasRunning = STARTED.includes(state);
            const stopped = before ?? record;
            if (state !== 'inactive' && state !== 'failed')
                await ports.stopMachine(host, stopped, this.#progress, signal);
            this.#refuseCancelled();
            this.#progress.step('Putting the container into place');
            await swap();
        } catch (error) {
            await this.#settleAgain();
            if (wasRunning && before) await this.#startAgain(before);
            throw error;
        }
        if (!wasRunning) return;
        const {settings} = await readSettings(host, uid);
        try {
            await using _lock = await lockMachine(host, uid, PATIENCE, signal);
            const {session} = request;
            await ports.startMachine(host, record, settings, session, this.#progress, signal);
            await noteReady(host, record);
        } catch (error) {
            if (!before) throw error;
            await this.#goBack(before);
            throw error;
        }
    }

    /** Has the container before run again, since the new one does not. */
    async #goBack(before: ContainerRecord): Promise<void> {
        const {host, ports} = this.#parts;
        const {uid} = before.owner;
        const never = new AbortController().signal;
        this.#progress.step('Going back to the container before');
        try {
            await using _lock = await lockMachine(host, uid, PATIENCE, never);
            await ports.stopMachine(host, before, this.#progress, never);
            await this.#disk.exchangePrevious();
        } catch (error) {
            this.#parts.journal.error('The container before cannot be brought back', error);
            return;
        }
        await this.#startAgain(before);
    }

    async #startAgain(record: ContainerRecord): Promise<void> {
        const {host, ports, request, journal} = this.#parts;
        try {
            const {settings} = await readSettings(host, record.owner.uid);
            const never = new AbortController().signal;
            const {session} = request;
            await ports.startMachine(host, record, settings, session, this.#progress, never);
        } catch (error) {
            // What is thrown is why it was stopped.
            journal.error('The container before cannot be started again', error);
        }
    }

    /** After an exchange that was not done to its end, the one before gets its place. */
    async #settleAgain(): Promise<void> {
        try {
            await this.#disk.settle();
        } catch (error) {
            // The next job tries again.
            this.#parts.journal.error('What is left cannot be removed', error);
        }
    }

    /** Throws SnowError InvalidArgs, NotFound. Null: there is to be no password. */
    async #readPassword(): Promise<string | null> {
        const {request, signal} = this.#parts;
        if (request.pipes === '') return null;
        this.#progress.step('Waiting for the password');
        const {pipes, startedBy} = request;
        const password = await readCallersLine(pipes, 'password', startedBy, signal);
        if (password === null) throw new SnowError('NotFound', `There is no ${pipes}/password`);
        return password;
    }

    async #chooseImage(wanted: {readonly channel: string; readonly image: string}) {
        const settings = await readSettings(this.#parts.host, this.#parts.request.uid);
        return chooseImage(settings, wanted);
    }

    /** The channel's image may have been given another name since. */
    async #followedImage({channel, image}: ContainerRecord): Promise<WantedImage> {
        return this.#chooseImage(
            channel === 'custom' ? {channel: '', image} : {channel, image: ''},
        );
    }

    async #requireRecord(): Promise<ContainerRecord> {
        const {host, request} = this.#parts;
        const record = await readRecord(host, request.uid);
        if (record) return record;
        if ((await host.files.status(rootfsPath(request.uid))) !== null)
            throw this.#foreignMachine();
        throw new SnowError(
            'WrongState',
            'There is no container; make one first (snowctl intune init)',
        );
    }

    async #refuseSecond(): Promise<void> {
        const {host, request} = this.#parts;
        const path = rootfsPath(request.uid);
        if ((await host.files.status(path)) === null) return;
        if (!(await readRecord(host, request.uid))) throw this.#foreignMachine();
        throw new SnowError(
            'WrongState',
            'There is a container already; recreate or destroy it (snowctl intune)',
        );
    }

    #foreignMachine(): SnowError {
        const name = machineName(this.#parts.request.uid);
        return new SnowError(
            'WrongState',
            `There is a machine ${name} that was not made here; remove it first (machinectl remove ${name})`,
        );
    }

    /** Two containers must not use one home directory. */
    async #refuseRunning(machine: string): Promise<void> {
        const command = ['machinectl', '--no-pager', 'show', '--property=State', '--', machine];
        const [program = '', ...args] = command;
        const {exitCode} = await this.#parts.host.programs.run([program, ...args]);
        if (exitCode === 0)
            throw new SnowError('WrongState', `Stop the machine ${machine} first (intuneme stop)`);
    }

    async #refusePublicMachines(): Promise<void> {
        const status = await this.#parts.host.files.status(MACHINES);
        if (status?.type !== 'directory' || status.uid !== 0 || (status.mode & 0o077) !== 0)
            throw new SnowError(
                'WrongState',
                `${MACHINES} has to be root’s alone; run chmod 0700 ${MACHINES}`,
            );
    }

    async #refuseFullDisk(path: string): Promise<void> {
        const free = await this.#parts.host.files.freeBytes(path);
        if (free < MINIMUM_SPACE)
            throw new SnowError(
                'NoSpace',
                `${MACHINES} has ${Math.floor(free / 1024 / 1024)} MiB left, too little for a container`,
            );
    }

    #refuseCancelled(): void {
        if (this.#parts.signal.aborted)
            throw new SnowError('Cancelled', 'Cancelled before anything was changed');
    }
}

function describe({image, digest, channel}: ContainerRecord): Results {
    return {image, digest, channel};
}

function endingOf(
    error: unknown,
    {operation, uid}: IntuneJobRequest,
    journal: WorkerJournal,
): Ending {
    if (!(error instanceof SnowError)) {
        journal.error(`intune.${operation}`, error);
        const unit = jobKind(uid).unit.replace(/\.service$/, '');
        const text = `intune.${operation} failed; see journalctl -u ${unit}`;
        return {state: 'failed', error: ['Failed', text], results: {}};
    }
    const state = error.code === 'Cancelled' ? 'cancelled' : 'failed';
    return {state, error: [error.code, error.message], results: {}};
}
