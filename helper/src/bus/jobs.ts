// SPDX-License-Identifier: GPL-2.0-or-later
import {setMaxListeners} from 'node:events';

import {JobInterface, type JobProperties} from '../generated/dbus.ts';
import type {BusConnection, Variant} from '../host/dbus.ts';
import type {Domain, JobSpec, Results, RunningJob} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Activity} from './activity.ts';
import {type ErrorPair, errorPair} from './errors.ts';
import {JobProgress} from './job-progress.ts';
import {logError, logInfo, logNotice, secondsSince} from './journal.ts';
import type {ObjectTree} from './object-tree.ts';
import {JOBS} from './paths.ts';
import {resultsToWire} from './wire.ts';

const UNFINISHED_PER_UID = 16;
const KEPT_FINISHED = 64;
const NO_ERROR: ErrorPair = ['', ''];

interface Job {
    readonly path: string;
    readonly domain: Domain;
    readonly spec: JobSpec;
    readonly uid: number;
    /** Whether an earlier service started it. */
    readonly isAdopted: boolean;
    readonly abort: AbortController;
    /** Settles, never rejects, when the job ended and everyone was told. */
    ended: Promise<void>;
    /** Lets the service end without it; more than once is fine. */
    release: () => void;
    isFinished: boolean;
}

interface Outcome {
    readonly state: 'done' | 'failed' | 'cancelled';
    readonly error: ErrorPair;
    /** As they are sent. */
    readonly results: Readonly<Record<string, Variant>>;
}

/** Long work: started for a user, watched on the bus, cancelled by its owner. */
export class Jobs {
    readonly #bus: BusConnection;
    readonly #tree: ObjectTree;
    readonly #activity: Activity;
    readonly #jobs = new Map<string, Job>();
    /** By domain and scope, the end of the reading jobs that were started so far. */
    readonly #readers = new Map<string, Promise<void>>();
    #started = 0;
    #isStopping = false;

    constructor(bus: BusConnection, tree: ObjectTree, activity: Activity) {
        this.#bus = bus;
        this.#tree = tree;
        this.#activity = activity;
    }

    /**
     * Starts work in the name of a user, and returns its path at once. One job that writes runs at a
     * time in a domain, or in its scope; those that read follow one another. Throws SnowError Busy.
     */
    start(domain: Domain, spec: JobSpec, uid: number): string {
        this.#refuseTooMany(uid);
        if (spec.isWriter) this.#refuseSecondWriter(domain, spec.scope);
        return this.#add(domain, spec, uid);
    }

    /** Takes over what an earlier service started, and what goes on. */
    adopt(domain: Domain, {spec, startedBy}: RunningJob): void {
        this.#add(domain, spec, startedBy, true);
    }

    #add(domain: Domain, spec: JobSpec, uid: number, isAdopted = false): string {
        const job: Job = {
            path: `${JOBS}/${++this.#started}`,
            domain,
            spec,
            uid,
            isAdopted,
            abort: new AbortController(),
            ended: Promise.resolve(),
            release: once(this.#activity.begin()),
            isFinished: false,
        };
        // Every request and program of a job listens; Node would take more than ten for a leak.
        setMaxListeners(0, job.abort.signal);
        this.#jobs.set(job.path, job);
        const properties: JobProperties = {
            Operation: spec.operation,
            Target: spec.target,
            Step: '',
            Progress: -1,
            BytesDone: 0,
            BytesTotal: 0,
            StartedByUID: uid,
            State: 'running',
            Error: NO_ERROR,
        };
        this.#tree.add(job.path, {[JobInterface.name]: {...properties}});
        job.ended = this.#live(job);
        return job.path;
    }

    paths(): readonly string[] {
        return [...this.#jobs.keys()];
    }

    /** Throws SnowError NotFound. */
    ownerOf(path: string): number {
        return this.#get(path).uid;
    }

    /** Asks a job to end; one that ended stays as it is. */
    cancel(path: string): void {
        this.#get(path).abort.abort();
    }

    /** Takes no more jobs, cancels those that cannot go on without the service, and waits for their end. */
    async stop(): Promise<void> {
        for (const {spec, abort} of this.#jobs.values()) if (!spec.outlivesService) abort.abort();
        await this.finish();
    }

    /** Takes no more jobs, and waits for the end of those that cannot go on without the service. */
    async finish(): Promise<void> {
        this.#isStopping = true;
        const jobs = [...this.#jobs.values()];
        for (const {spec, release} of jobs) if (spec.outlivesService) release();
        await Promise.all(jobs.map(job => (job.spec.outlivesService ? null : job.ended)));
    }

    #get(path: string): Job {
        const job = this.#jobs.get(path);
        if (!job) throw new SnowError('NotFound', `There is no job ${path}`);
        return job;
    }

    #refuseTooMany(uid: number): void {
        if (this.#isStopping) throw new SnowError('Busy', 'The service is being stopped');
        const own = [...this.#jobs.values()].filter(job => !job.isFinished && job.uid === uid);
        if (own.length >= UNFINISHED_PER_UID)
            throw new SnowError('Busy', `User ${uid} has ${own.length} jobs that are not finished`);
    }

    #refuseSecondWriter(domain: Domain, scope: string | undefined): void {
        for (const job of this.#jobs.values()) {
            const isOther = job.domain !== domain || job.spec.scope !== scope;
            if (!isOther && job.spec.isWriter && !job.isFinished)
                throw new SnowError('Busy', `Another operation is running: ${job.path}`);
        }
    }

    async #live(job: Job): Promise<void> {
        const start = performance.now();
        try {
            // The caller learns the path before it hears of the job.
            await new Promise(resolve => setImmediate(resolve));
            const progress = new JobProgress(changed => {
                this.#tree.change(job.path, JobInterface.name, changed);
            });
            const outcome = await this.#outcomeOf(job, progress);
            // Whoever hears of the end finds the properties as they are now.
            await this.#readAfter(job);
            this.#tell(job, progress, outcome);
            log(job, outcome, start);
        } catch (error) {
            logError(`${job.path} could not be brought to its end`, error);
        } finally {
            job.isFinished = true;
            this.#forgetOld();
            job.release();
        }
    }

    async #outcomeOf(job: Job, progress: JobProgress): Promise<Outcome> {
        const {spec, domain, abort} = job;
        try {
            // To tell what a job changed, one must know what was before.
            if (!this.#tree.isKnown(domain)) await this.#tree.refresh(domain);
            const run = (): Promise<Results> => {
                // What goes on already is stopped by who follows it.
                if (abort.signal.aborted && !job.isAdopted)
                    throw new SnowError('Cancelled', 'Cancelled');
                return spec.run(progress, abort.signal, job.uid);
            };
            const results = await (spec.isWriter || spec.isConcurrent
                ? run()
                : this.#runAfterReaders(job, run));
            return {state: 'done', error: NO_ERROR, results: resultsToWire(results)};
        } catch (error) {
            const isCancelled = error instanceof SnowError && error.code === 'Cancelled';
            const doing = `${spec.operation} ${spec.target}`.trim();
            return {
                state: isCancelled ? 'cancelled' : 'failed',
                error: errorPair(error, doing),
                results: {},
            };
        }
    }

    /** Two that read at once would ask the same servers the same thing. */
    async #runAfterReaders(job: Job, run: () => Promise<Results>): Promise<Results> {
        const key = `${job.domain.name} ${job.spec.scope ?? ''}`;
        const before = this.#readers.get(key) ?? Promise.resolve();
        const mine = Promise.race([before, whenAborted(job.abort.signal)]).then(run);
        const both = Promise.allSettled([before, mine]).then(() => undefined);
        this.#readers.set(key, both);
        try {
            return await mine;
        } finally {
            if (this.#readers.get(key) === both) this.#readers.delete(key);
        }
    }

    async #readAfter({domain, spec}: Job): Promise<void> {
        try {
            await this.#tree.refresh(domain);
        } catch (error) {
            logError(`The state after ${spec.operation} cannot be read`, error);
        }
    }

    #tell(job: Job, progress: JobProgress, {state, error, results}: Outcome): void {
        job.isFinished = true;
        const last = progress.end();
        const full = state === 'done' ? {Progress: 1} : {};
        const ended = {...last, ...full, State: state, Error: error};
        this.#tree.change(job.path, JobInterface.name, ended);
        const {signature} = JobInterface.signals.Finished;
        this.#bus.emit(job.path, JobInterface.name, 'Finished', signature, [state, error, results]);
    }

    #forgetOld(): void {
        const finished = [...this.#jobs.values()].filter(job => job.isFinished);
        for (const {path} of finished.slice(0, Math.max(0, finished.length - KEPT_FINISHED))) {
            this.#jobs.delete(path);
            this.#tree.remove(path);
        }
    }
}

function once(run: () => void): () => void {
    let isDone = false;
    return () => {
        if (!isDone) run();
        isDone = true;
    };
}

function whenAborted(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), {once: true});
    });
}

function log({spec, uid, path}: Job, {state, error: [name, text]}: Outcome, start: number): void {
    const what = `${spec.operation} ${spec.target}`.trim();
    const number = path.slice(JOBS.length + 1);
    const line = `${what} for uid ${uid}: ${state} in ${secondsSince(start)} (job ${number})`;
    if (state === 'done') logInfo(line);
    else logNotice(`${line}: ${name.slice(name.lastIndexOf('.') + 1)}: ${text}`);
}
