// SPDX-License-Identifier: GPL-2.0-or-later
import {IntuneInterface} from '../generated/dbus.ts';
import {checkPipesPath} from '../host/caller-pipes.ts';
import {plainValue} from '../host/dbus.ts';
import type {
    Domain,
    JobSpec,
    ObjectSnapshot,
    Progress,
    Results,
    RunningJob,
} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {runningJob, workerJob} from '../host/worker-job/follow-job.ts';
import {type IntuneOperation, type IntuneRequest, jobArguments, jobKind} from './job-request.ts';
import {type SessionEnvironment, machineName} from './model.ts';
import {type Course, ContainerOperations} from './operations.ts';
import {refuseStranger, uidOf} from './object-path.ts';
import {canOwn} from './owner.ts';
import type {ServicePorts} from './ports.ts';
import {knownUids} from './record.ts';
import {isActivationToken, parseSession} from './session-environment.ts';
import {changedSettings, chooseImage, readSettings} from './settings.ts';
import {readContainer} from './state.ts';

/** Who is logged in has a directory there. */
const SESSIONS = '/run/user';
const MAX_ARGUMENTS = 256;
const MAX_ARGUMENT = 32 * 1024;

type Options = Readonly<Record<string, unknown>>;

/** The containers on the bus: one object for each user who has one, or is logged in. */
export function intuneDomain(host: Host, ports: ServicePorts): Domain {
    const operations = new ContainerOperations(host, ports);
    return {
        name: 'intune',
        async snapshot() {
            const objects = new Map<string, ObjectSnapshot>();
            for (const uid of await shownUids(host)) {
                const properties = await readContainer(host, ports, uid);
                objects.set(`Intune/u${uid}`, {[IntuneInterface.name]: {...properties}});
            }
            return objects;
        },
        refuseStranger,
        async prepare(path, interfaceName, method, args, options, caller) {
            if (interfaceName !== IntuneInterface.name)
                throw new SnowError('NotFound', `There is no container at ${path}`);
            refuseStranger(path, caller);
            return prepare(host, operations, {uid: uidOf(path), caller, method, args, options});
        },
        async running() {
            const jobs = await Promise.all(
                (await workedOnUids(host)).map(uid => runningJob(host, jobKind(uid))),
            );
            return jobs.filter((job): job is RunningJob => job !== null);
        },
    };
}

async function shownUids(host: Host): Promise<readonly number[]> {
    const loggedIn = (await host.files.list(SESSIONS)).filter(name => /^[1-9]\d{0,9}$/.test(name));
    const all = new Set([...(await knownUids(host)), ...loggedIn.map(Number)]);
    return [...all].filter(canOwn).sort((a, b) => a - b);
}

async function workedOnUids(host: Host): Promise<readonly number[]> {
    return (await host.files.list('/run/snow-control'))
        .map(name => /^intune-job-u([1-9]\d{0,9})$/.exec(name)?.[1])
        .filter(uid => uid !== undefined)
        .map(Number);
}

interface Call {
    readonly uid: number;
    readonly caller: number;
    readonly method: string;
    readonly args: readonly unknown[];
    readonly options: Options;
}

/** Throws SnowError InvalidArgs, NotAuthorized, NotSupported. */
async function prepare(
    host: Host,
    operations: ContainerOperations,
    {uid, caller, method, args, options}: Call,
): Promise<JobSpec> {
    const session = parseSession(texts(options, 'session'));
    switch (method) {
        case 'Init':
            return makingJob(host, {uid, operation: 'init', session}, options, caller);
        case 'Recreate':
            return makingJob(host, {uid, operation: 'recreate', session}, options, caller);
        case 'Restore':
            return diskJob(host, {...nothingMore, uid, operation: 'restore', session});
        case 'Destroy': {
            const everything = flag(options, 'everything');
            return diskJob(host, {...nothingMore, uid, operation: 'destroy', everything});
        }
        case 'Adopt': {
            const operation = flag(options, 'complete') ? 'complete-adoption' : 'adopt';
            return diskJob(host, {...nothingMore, uid, operation});
        }
        case 'Start':
            return machineJob(uid, 'start', course => operations.start(uid, session, course));
        case 'Stop':
            return machineJob(uid, 'stop', course => operations.stop(uid, course));
        case 'Restart':
            return machineJob(uid, 'restart', course => operations.restart(uid, session, course));
        case 'Open': {
            const [application] = args;
            if (typeof application !== 'string' || !isArgument(application) || application === '')
                throw new SnowError('InvalidArgs', 'Open takes the name of an application');
            const given = programArguments(texts(options, 'arguments'));
            const activationToken = text(options, 'activation-token');
            if (!isActivationToken(activationToken))
                throw new SnowError('InvalidArgs', 'This cannot be an activation token');
            const launch = {application, args: given, activationToken};
            return concurrentJob(uid, 'open', application, course =>
                operations.open(uid, launch, session, course),
            );
        }
        case 'Run': {
            const pipes = text(options, 'pipes');
            if (pipes === '') throw new SnowError('InvalidArgs', 'Run needs the option pipes');
            checkPipesPath(pipes, caller);
            const command = programArguments(args[0]);
            const isTerminal = flag(options, 'terminal');
            const request = {command, pipes, isTerminal, caller};
            return concurrentJob(uid, 'run', command[0] ?? '', course =>
                operations.runProgram(uid, request, session, course),
            );
        }
        case 'Check':
            return readingJob(uid, 'check', course => operations.check(uid, course));
        case 'Inspect':
            return concurrentJob(uid, 'inspect', machineName(uid), course =>
                operations.inspect(uid, course),
            );
        case 'AttachDevice':
        case 'DetachDevice': {
            const [node] = args;
            if (typeof node !== 'string' || !/^\/dev\/[A-Za-z0-9/_-]{1,200}$/.test(node))
                throw new SnowError('InvalidArgs', `${method} takes the path of a device node`);
            const choice = method === 'AttachDevice' ? 'attach' : 'detach';
            return {
                ...specOf(uid, `${choice}-device`),
                target: node,
                scope: `${uid} devices`,
                isWriter: true,
                run: runWith(course => operations.chooseDevice(uid, node, choice, course)),
            };
        }
        case 'Configure': {
            const changes = dictionary(args[0]);
            const {settings} = await readSettings(host, uid);
            changedSettings(settings, changes);
            return {
                ...specOf(uid, 'configure'),
                scope: `${uid} settings`,
                isWriter: true,
                run: () => operations.configure(uid, now => changedSettings(now, changes)),
            };
        }
        default:
            throw new SnowError('NotSupported', `There is no method ${method}`);
    }
}

const nothingMore = {channel: '', image: '', pipes: '', everything: false, session: {}} as const;

async function makingJob(
    host: Host,
    wanted: {
        readonly uid: number;
        readonly operation: IntuneOperation;
        readonly session: SessionEnvironment;
    },
    options: Options,
    caller: number,
): Promise<JobSpec> {
    const [channel, image, pipes] = ['channel', 'image', 'pipes'].map(key => text(options, key));
    const request = {...nothingMore, ...wanted, channel: channel ?? '', image: image ?? ''};
    if (pipes) checkPipesPath(pipes, caller);
    // The worker looks again; who asks for what is not allowed hears of it at once.
    if (request.channel !== '' || request.image !== '')
        chooseImage(await readSettings(host, wanted.uid), request);
    return diskJob(host, {...request, pipes: pipes ?? ''});
}

function diskJob(host: Host, request: IntuneRequest): JobSpec {
    const {uid, operation} = request;
    const what = {operation, target: machineName(uid)};
    return workerJob(host, jobKind(uid), what, {
        before: [],
        toArguments: job => jobArguments(job, request),
    });
}

type Run = (course: Course) => Promise<Results>;

function specOf(uid: number, verb: string): Pick<JobSpec, 'operation' | 'target' | 'scope'> {
    return {operation: `intune.${verb}`, target: machineName(uid), scope: String(uid)};
}

function runWith(run: Run): JobSpec['run'] {
    return (progress: Progress, signal: AbortSignal) => run({progress, signal});
}

/** Beside the worker, which fetches while the machine runs. */
function machineJob(uid: number, verb: string, run: Run): JobSpec {
    const scope = `${uid} machine`;
    return {...specOf(uid, verb), scope, isWriter: true, run: runWith(run)};
}

function readingJob(uid: number, verb: string, run: Run): JobSpec {
    return {...specOf(uid, verb), isWriter: false, run: runWith(run)};
}

function concurrentJob(uid: number, verb: string, target: string, run: Run): JobSpec {
    const spec = specOf(uid, verb);
    return {...spec, target, isWriter: false, isConcurrent: true, run: runWith(run)};
}

function text(options: Options, name: string): string {
    const value = options[name] ?? '';
    if (typeof value !== 'string')
        throw new SnowError('InvalidArgs', `The option ${name} takes a string`);
    return value;
}

function texts(options: Options, name: string): readonly string[] {
    const value = options[name] ?? [];
    if (!isTexts(value))
        throw new SnowError('InvalidArgs', `The option ${name} takes a list of strings`);
    return value;
}

function flag(options: Options, name: string): boolean {
    const value = options[name] ?? false;
    if (typeof value !== 'boolean')
        throw new SnowError('InvalidArgs', `The option ${name} takes a boolean`);
    return value;
}

function programArguments(value: unknown): readonly string[] {
    if (!isTexts(value) || value.length > MAX_ARGUMENTS || !value.every(isArgument))
        throw new SnowError('InvalidArgs', 'These cannot be the arguments of a program');
    return value;
}

function isArgument(value: string): boolean {
    return value.length <= MAX_ARGUMENT && !value.includes('\0');
}

function isTexts(value: unknown): value is readonly string[] {
    return Array.isArray(value) && value.every(item => typeof item === 'string');
}

/** Of a{sv}. */
function dictionary(value: unknown): Options {
    // The library makes a key "__proto__" the prototype of what it hands over.
    if (
        typeof value !== 'object' ||
        value === null ||
        Object.getPrototypeOf(value) !== Object.prototype
    )
        throw new SnowError('InvalidArgs', 'Configure takes a dictionary of settings');
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(item)]));
}
