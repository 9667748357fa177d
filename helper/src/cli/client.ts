// SPDX-License-Identifier: GPL-2.0-or-later
// snowctl's side of the D-Bus service. Jobs are followed by their signals alone.

import {JobInterface, ManagerInterface} from '../generated/dbus.ts';
import {
    type BusConnection,
    connectToSystemBus,
    type MethodCall,
    plainValue,
    type Signal,
    Variant,
} from '../host/dbus.ts';
import type {Progress, Results} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import {startTextAgent} from '../host/text-agent.ts';
import type {ChangeRequest, OptionValue, Runner, RunningJob} from './runner.ts';
import {jobError, serviceError} from './service-errors.ts';

const BUS_NAME = 'org.frostyard.Snow1';
const ROOT = '/org/frostyard/Snow1';
const JOBS = `${ROOT}/Jobs`;
const PROPERTIES = 'org.freedesktop.DBus.Properties';

export interface ClientOptions {
    /** Whether a password may be asked for, by the desktop or on this terminal. */
    readonly mayAskPassword: boolean;
    /** Whether there is a terminal to ask on. */
    readonly hasTerminal: boolean;
    /** Whether it is going to be needed, and so may start at once. */
    readonly startsService?: boolean;
}

/** A job as the service describes it. */
export interface JobState {
    readonly number: string;
    readonly operation: string;
    readonly target: string;
    readonly step: string;
    /** 0 to 1; -1: not known. */
    readonly progress: number;
    readonly bytesDone: number;
    readonly bytesTotal: number;
    readonly startedByUid: number;
    readonly state: string;
    readonly error: {readonly code: string; readonly message: string} | null;
}

/** Connects to the system bus. Throws SnowError. */
export async function connectToService(options: ClientOptions): Promise<ServiceClient> {
    try {
        const bus = await connectToSystemBus();
        if (options.startsService) startService(bus);
        return new ServiceClient(bus, options);
    } catch (error) {
        throw serviceError(error);
    }
}

/** Has the bus start the service while this process still reads what it is going to ask. */
function startService(bus: BusConnection): void {
    bus.call({
        destination: 'org.freedesktop.DBus',
        path: '/org/freedesktop/DBus',
        interface: 'org.freedesktop.DBus',
        member: 'StartServiceByName',
        signature: 'su',
        body: [BUS_NAME, 0],
    }).catch(() => {
        // The first call to the service will say why it cannot be started.
    });
}

/** The service over the bus, started by the bus when it is needed. */
export class ServiceClient implements Runner {
    readonly #bus: BusConnection;
    readonly #options: ClientOptions;
    readonly #jobs = new Map<string, FollowedJob>();
    /** Signals of jobs whose path the reply has not told yet. */
    #early: Signal[] = [];
    #startsPending = 0;
    #subscribed: Promise<void> | null = null;
    #agent: Promise<AsyncDisposable> | null = null;

    constructor(bus: BusConnection, options: ClientOptions) {
        this.#bus = bus;
        this.#options = options;
    }

    async start(request: ChangeRequest): Promise<RunningJob> {
        const {path, interfaceName, method, signature, args, options} = request;
        this.#startsPending++;
        try {
            await (this.#subscribed ??= this.#subscribe());
            await this.#prepareToAsk();
            const [job] = await this.#call({
                path: `${ROOT}/${path}`,
                interface: interfaceName,
                member: method,
                signature: `${signature}a{sv}`,
                body: [...args, options].map(withVariants),
            });
            return this.#follow(String(job), request);
        } catch (error) {
            throw serviceError(error);
        } finally {
            if (--this.#startsPending === 0) this.#early = [];
        }
    }

    /** Properties of an object below /org/frostyard/Snow1; the service is started for it. */
    async readProperties(
        path: string,
        interfaceName: string,
    ): Promise<Readonly<Record<string, unknown>>> {
        try {
            return await this.#readAll(`${ROOT}/${path}`, interfaceName);
        } catch (error) {
            throw serviceError(error);
        }
    }

    /** Calls a method of another service, which may have a password asked for. Throws BusError. */
    async callOther(call: Omit<MethodCall, 'allowInteraction'>): Promise<readonly unknown[]> {
        await this.#prepareToAsk();
        return this.#bus.call({...call, allowInteraction: this.#options.mayAskPassword});
    }

    /** The jobs of the service; none while it does not run, unless it is to be started for this. */
    async listJobs(startsService = false): Promise<readonly JobState[]> {
        try {
            if (!startsService && !(await this.#isRunning())) return [];
            const [paths] = await this.#call({
                path: ROOT,
                interface: ManagerInterface.name,
                member: 'ListJobs',
            });
            const jobs = Array.isArray(paths) ? paths.map(String) : [];
            return await Promise.all(jobs.map(path => this.#readJob(path)));
        } catch (error) {
            throw serviceError(error);
        }
    }

    /** Throws SnowError NotFound, NotAuthorized. */
    async cancelJob(number: string, startsService = false): Promise<void> {
        const missing = new SnowError('NotFound', `There is no job ${number}`);
        try {
            if (!startsService && !(await this.#isRunning())) throw missing;
            await this.#prepareToAsk();
            await this.#call(cancelCall(`${JOBS}/${number}`));
        } catch (error) {
            const known = serviceError(error);
            throw known.code === 'NotFound' ? missing : known;
        }
    }

    async [Symbol.asyncDispose](): Promise<void> {
        const agent = await this.#agent;
        await agent?.[Symbol.asyncDispose]();
        await this.#bus.close();
    }

    /** Before the first call, so that not even a job that ends at once is missed. */
    async #subscribe(): Promise<void> {
        await Promise.all([
            this.#bus.subscribe({sender: BUS_NAME, pathNamespace: JOBS}, signal => {
                const job = this.#jobs.get(signal.path);
                if (job) job.hear(signal);
                else if (this.#startsPending > 0) this.#early.push(signal);
            }),
            this.#bus.watchOwner(BUS_NAME, owner => {
                const reason = 'The service snowd stopped in the middle';
                for (const job of this.#jobs.values()) {
                    if (!job.goesOn) job.lose(reason);
                    else if (owner === '' && !job.isOver) void this.#findAgain(job, reason);
                }
            }),
        ]);
        void this.#bus.closed.then(reason => {
            for (const job of this.#jobs.values())
                job.lose(`The connection to the system bus is lost: ${reason}`);
        });
    }

    /** What goes on without the service, which knows of it when it is started again. */
    async #findAgain(job: FollowedJob, reason: string): Promise<void> {
        this.#jobs.delete(job.path);
        const wanted = job.goesOn;
        try {
            const isIt = ({operation, target, state}: JobState): boolean =>
                wanted !== undefined &&
                operation.startsWith(wanted.operation) &&
                (wanted.target === undefined || target === wanted.target) &&
                state === 'running';
            const number = (await this.listJobs(true)).find(isIt)?.number;
            if (number === undefined) {
                job.lose(reason);
                return;
            }
            job.path = `${JOBS}/${number}`;
            this.#jobs.set(job.path, job);
            // It may have ended before its signals were listened to.
            if (!isIt(await this.#readJob(job.path))) job.lose(reason);
        } catch {
            job.lose(reason);
        }
    }

    #follow(path: string, request: ChangeRequest): RunningJob {
        const job = new FollowedJob(path, request);
        this.#jobs.set(path, job);
        for (const signal of this.#early) if (signal.path === path) job.hear(signal);
        return {
            number: path.slice(path.lastIndexOf('/') + 1),
            follow: progress => job.follow(progress),
            cancel: async () => {
                try {
                    await this.#call(cancelCall(job.path));
                } catch (error) {
                    throw serviceError(error);
                }
            },
        };
    }

    async #readJob(path: string): Promise<JobState> {
        return jobState(path, await this.#readAll(path, JobInterface.name));
    }

    async #readAll(path: string, interfaceName: string) {
        const [properties] = await this.#call({
            path,
            interface: PROPERTIES,
            member: 'GetAll',
            signature: 's',
            body: [interfaceName],
        });
        return record(plainValue(properties));
    }

    async #isRunning(): Promise<boolean> {
        const [isOwned] = await this.#bus.call({
            destination: 'org.freedesktop.DBus',
            path: '/org/freedesktop/DBus',
            interface: 'org.freedesktop.DBus',
            member: 'NameHasOwner',
            signature: 's',
            body: [BUS_NAME],
        });
        return isOwned === true;
    }

    async #prepareToAsk(): Promise<void> {
        const {mayAskPassword, hasTerminal} = this.#options;
        if (mayAskPassword && hasTerminal) await (this.#agent ??= startTextAgent());
    }

    #call(call: Omit<MethodCall, 'destination' | 'allowInteraction'>): Promise<readonly unknown[]> {
        const {mayAskPassword} = this.#options;
        return this.#bus.call({...call, destination: BUS_NAME, allowInteraction: mayAskPassword});
    }
}

/** What the signals told of one job. */
class FollowedJob {
    path: string;
    readonly goesOn: ChangeRequest['goesOn'];
    readonly #shownBy: string;
    isOver = false;
    readonly #ended: Promise<Results>;
    #resolve: (results: Results) => void = () => undefined;
    #reject: (error: SnowError) => void = () => undefined;
    #progress: Progress | null = null;
    #latest: Readonly<Record<string, unknown>> = {};

    constructor(path: string, {goesOn, shownBy = 'features list'}: ChangeRequest) {
        this.path = path;
        this.goesOn = goesOn;
        this.#shownBy = shownBy;
        this.#ended = new Promise((resolve, reject) => {
            this.#resolve = resolve;
            this.#reject = reject;
        });
        const end = (): void => void (this.isOver = true);
        // Whoever follows is told of an error; nobody has to.
        this.#ended.then(end, end);
    }

    follow(progress: Progress): Promise<Results> {
        this.#progress = progress;
        this.#tell(this.#latest);
        return this.#ended;
    }

    hear({interface: name, member, body}: Signal): void {
        if (name === PROPERTIES && member === 'PropertiesChanged' && body[0] === JobInterface.name)
            this.#tell(record(plainValue(body[1])));
        if (name === JobInterface.name && member === 'Finished') this.#finish(body.map(plainValue));
    }

    lose(reason: string): void {
        const text = `${reason}; "snowctl ${this.#shownBy}" shows what is there now`;
        this.#reject(new SnowError('Failed', text));
    }

    #tell(changed: Readonly<Record<string, unknown>>): void {
        this.#latest = {...this.#latest, ...changed};
        const {Step, Progress: share, BytesDone, BytesTotal} = this.#latest;
        if ('Step' in changed && typeof Step === 'string') this.#progress?.step(Step);
        if (('BytesDone' in changed || 'BytesTotal' in changed) && typeof BytesDone === 'number')
            this.#progress?.bytes(BytesDone, typeof BytesTotal === 'number' ? BytesTotal : 0);
        else if ('Progress' in changed && typeof share === 'number')
            this.#progress?.fraction?.(share);
    }

    #finish([state, error, results]: readonly unknown[]): void {
        if (state === 'done') {
            this.#resolve(record(results) as Results);
            return;
        }
        const [name, message] = Array.isArray(error) ? error.map(String) : [];
        this.#reject(
            state === 'cancelled'
                ? new SnowError('Cancelled', message || 'The job was canceled')
                : jobError(name ?? '', message ?? ''),
        );
    }
}

function cancelCall(path: string) {
    return {path, interface: JobInterface.name, member: 'Cancel', signature: 'a{sv}', body: [{}]};
}

/** A dictionary as a{sv}; anything else as it is. */
function withVariants(argument: unknown): unknown {
    if (typeof argument !== 'object' || argument === null || Array.isArray(argument))
        return argument;
    const entries = Object.entries(argument as Readonly<Record<string, OptionValue>>);
    return Object.fromEntries(
        entries.map(([key, value]) => [key, new Variant(signatureOf(value), value)]),
    );
}

function signatureOf(value: OptionValue): string {
    if (typeof value === 'boolean') return 'b';
    return typeof value === 'string' ? 's' : 'as';
}

function jobState(path: string, properties: Readonly<Record<string, unknown>>): JobState {
    const text = (key: string): string => String(properties[key] ?? '');
    const number = (key: string): number => Number(properties[key] ?? 0);
    const error = properties['Error'];
    const [name = '', message = ''] = Array.isArray(error) ? error.map(String) : [];
    return {
        number: path.slice(path.lastIndexOf('/') + 1),
        operation: text('Operation'),
        target: text('Target'),
        step: text('Step'),
        progress: number('Progress'),
        bytesDone: number('BytesDone'),
        bytesTotal: number('BytesTotal'),
        startedByUid: number('StartedByUID'),
        state: text('State'),
        error: name === '' ? null : {code: jobError(name, message).code, message},
    };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? {...value} : {};
}
