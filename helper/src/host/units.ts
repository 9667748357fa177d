// SPDX-License-Identifier: GPL-2.0-or-later
// Services that systemd runs for us, see Systemd in host.ts.
import {constants} from 'node:os';

import {type BusConnection, Variant, connectToSystemBus} from './dbus.ts';
import {SnowError} from './error.ts';
import {localFiles} from './files.ts';
import type {ProgramResult, RunUnitOptions, StreamPaths, Systemd} from './host.ts';
import {MAX_BUFFER, TIMEOUT, programEnvironment} from './programs.ts';
import {ServiceManager, type UnitProperty, serviceManagerError} from './service-manager.ts';

export type Units = Pick<
    Systemd,
    'runUnit' | 'startUnit' | 'waitForUnit' | 'stopUnit' | 'activeState'
>;

/** What systemd writes for "never", in microseconds. */
const INFINITY = 2n ** 64n - 1n;
/** Seconds in which a program that was told to stop has to end. */
const STOP_TIMEOUT = 10;

/** Code of waitid(2) for a program that ended by itself. */
const CLD_EXITED = 1;

/** Over a connection to the bus that is made when it is first needed, and kept. */
export function localUnits(connect: () => Promise<BusConnection> = connectToSystemBus): Units {
    let connecting: Promise<ServiceManager> | null = null;

    function manager(): Promise<ServiceManager> {
        const forget = (): void => void (connecting = null);
        connecting ??= connect().then(
            bus => {
                void bus.closed.then(forget);
                return new ServiceManager(bus);
            },
            (error: unknown) => {
                forget();
                throw serviceManagerError(error);
            },
        );
        return connecting;
    }

    return {
        async runUnit(name, command, options = {}) {
            return runToItsEnd(await manager(), serviceName(name), command, options);
        },
        async startUnit(name, command, {description, before, environment, stopTimeout}) {
            await (
                await manager()
            ).startTransientUnit(serviceName(name), [
                ...programProperties(command, environment),
                ['Description', new Variant('s', description)],
                ['KillMode', new Variant('s', 'mixed')],
                ['TimeoutStartUSec', new Variant('t', INFINITY)],
                ...(stopTimeout === undefined ? [] : [stopTimeoutProperty(stopTimeout)]),
                ...(before ? [['Before', new Variant('as', [...before])] as const] : []),
            ]);
        },
        async waitForUnit(name, signal) {
            return (await manager()).waitForUnit(serviceName(name), signal);
        },
        async stopUnit(name) {
            return (await manager()).stopUnit(serviceName(name));
        },
        async activeState(name) {
            return (await manager()).activeState(serviceName(name));
        },
    };
}

/**
 * The bus library passes no file descriptors, so that what the program prints goes to files; they
 * are in memory, in a directory of ours.
 */
async function runToItsEnd(
    manager: ServiceManager,
    unit: string,
    command: readonly [string, ...string[]],
    options: RunUnitOptions,
): Promise<ProgramResult> {
    const {signal, timeout = TIMEOUT, maxBuffer = MAX_BUFFER, properties} = options;
    const cancelled = new SnowError('Cancelled', `${command[0]} was stopped`);
    if (signal?.aborted) throw cancelled;
    const files = localFiles('');
    await using scratch = await files.createScratch();
    await using jobs = await manager.followJobs(unit);
    const [stdout, stderr] = await Promise.all([
        scratch.write('stdout', Buffer.alloc(0)),
        scratch.write('stderr', Buffer.alloc(0)),
    ]);
    const job = await manager.startTransientUnit(unit, [
        ...programProperties(command, {
            LC_ALL: programEnvironment.LC_ALL,
            SYSTEMD_COLORS: programEnvironment.SYSTEMD_COLORS,
        }),
        ['Description', new Variant('s', command.join(' '))],
        // It stays until its exit status is read.
        ['AddRef', new Variant('b', true)],
        ['TimeoutStartUSec', new Variant('t', microseconds(timeout))],
        stopTimeoutProperty(STOP_TIMEOUT),
        ...(options.streams
            ? streamProperties(options.streams)
            : ([
                  ['StandardOutputFileToTruncate', new Variant('s', stdout)],
                  ['StandardErrorFileToTruncate', new Variant('s', stderr)],
                  ...(options.input === undefined ? [] : inputProperties(options.input)),
              ] as const)),
        ...(properties?.privateNetwork
            ? [['PrivateNetwork', new Variant('b', true)] as const]
            : []),
    ]);
    const stop = (): void => {
        manager.stopUnit(unit).catch(() => {
            // The time limit will end it, or the program itself.
        });
    };
    signal?.addEventListener('abort', stop, {once: true});
    if (signal?.aborted) stop();
    try {
        const result = await jobs.result(job);
        // Somebody stopped it; its start is over at once, and the program some time later.
        if (result === 'canceled') await manager.waitForUnit(unit);
        if (signal?.aborted) throw cancelled;
        const text = async (path: string): Promise<string> =>
            (await files.readText(path, maxBuffer)) ?? '';
        const exit = result === 'done' ? success : exitOf(await manager.exitOf(unit), result);
        return {...exit, stdout: await text(stdout), stderr: await text(stderr)};
    } finally {
        signal?.removeEventListener('abort', stop);
        manager.unrefUnit(unit).catch(() => {
            // It is let go of when the connection ends.
        });
    }
}

const success = {exitCode: 0, signal: null} as const;

function exitOf(
    {code, status}: {readonly code: number; readonly status: number},
    result: string,
): Pick<ProgramResult, 'exitCode' | 'signal'> {
    if (code === 0) throw new SnowError('Failed', `systemd cannot start the program: ${result}`);
    if (code === CLD_EXITED) return {exitCode: status, signal: null};
    const [name] = Object.entries(constants.signals).find(([, number]) => number === status) ?? [];
    return {exitCode: null, signal: name ?? String(status)};
}

/** A service that is gone when its program has ended, whatever became of it. */
function programProperties(
    command: readonly [string, ...string[]],
    environment: Readonly<Record<string, string>> = {},
): readonly UnitProperty[] {
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    return [
        ['Type', new Variant('s', 'oneshot')],
        ['CollectMode', new Variant('s', 'inactive-or-failed')],
        // Word for word: a dollar sign is none of a variable.
        ['ExecStartEx', new Variant('a(sasas)', [[command[0], [...command], ['no-env-expand']]])],
        ['Environment', new Variant('as', variables)],
    ];
}

function inputProperties(input: string | Uint8Array): readonly UnitProperty[] {
    return [
        ['StandardInput', new Variant('s', 'data')],
        ['StandardInputData', new Variant('ay', Buffer.from(input))],
    ];
}

function streamProperties({stdin, stdout, stderr}: StreamPaths): readonly UnitProperty[] {
    return [
        ['StandardInputFile', new Variant('s', stdin)],
        ['StandardOutputFile', new Variant('s', stdout)],
        ['StandardErrorFile', new Variant('s', stderr)],
    ];
}

function microseconds(milliseconds: number): bigint {
    return milliseconds === Infinity ? INFINITY : BigInt(Math.ceil(milliseconds * 1000));
}

function stopTimeoutProperty(seconds: number): UnitProperty {
    return ['TimeoutStopUSec', new Variant('t', BigInt(Math.ceil(seconds * 1e6)))];
}

/** Throws SnowError InvalidArgs. */
function serviceName(name: string): string {
    const unit = name.endsWith('.service') ? name : `${name}.service`;
    if (unit.length > 255 || !/^[A-Za-z0-9:_@-][A-Za-z0-9:_.@\\-]*\.service$/.test(unit))
        throw new SnowError('InvalidArgs', `${JSON.stringify(name)} is no name of a unit`);
    return unit;
}
