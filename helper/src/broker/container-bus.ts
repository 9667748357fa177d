// SPDX-License-Identifier: GPL-2.0-or-later
// The way to the bus of the user's session in the container: snowd has a program run there, as the
// user, whose standard streams lead to it. Nothing of the host is seen from there but these.

import {BusError} from '../host/bus-error.ts';
import type {BusConnection} from '../host/dbus.ts';
import {SnowError} from '../host/error.ts';
import {FifoWay} from '../host/fifo-way.ts';
import {WireConnection} from '../host/wire/connection.ts';
import {errorNames} from './names.ts';

const SERVICE = 'org.frostyard.Snow1';
const ROOT = '/org/frostyard/Snow1';
const INTUNE = `${SERVICE}.Intune`;
const JOB = `${SERVICE}.Job`;
/** Milliseconds; a container that is started is waited for, too. */
const CONNECT_TIMEOUT = 5 * 60_000;
const PROPERTIES = 'org.freedesktop.DBus.Properties';

export interface ContainerBusOptions {
    readonly uid: number;
    /** Which session applications show up in, if the container is started: NAME=VALUE each. */
    readonly session: readonly string[];
    /** Bytes of a message's body. */
    readonly maxBody: number;
    /** Whether a call may start the container, as the user has it now. */
    readonly startsContainer: () => boolean;
    readonly onConnected: (connection: WireConnection) => void;
    readonly onLost: (reason: string) => void;
}

interface Run {
    /** Throws when the program ends, or cannot be followed any more. */
    readonly failed: Promise<never>;
}

interface Attempt {
    readonly mayStart: boolean;
    readonly connection: Promise<WireConnection>;
}

/** One connection at a time; when it is lost the next call makes another. */
export class ContainerBus {
    readonly #options: ContainerBusOptions;
    readonly #stop = new AbortController();
    #attempt: Attempt | null = null;

    constructor(options: ContainerBusOptions) {
        this.#options = options;
    }

    /** Throws BusError. */
    async connection(mayStart: boolean): Promise<WireConnection> {
        const attempt = this.#attempt ?? this.#begin(mayStart);
        try {
            return await attempt.connection;
        } catch (error) {
            // What somebody else did not want started was not tried for us.
            if (mayStart && !attempt.mayStart) return this.connection(mayStart);
            throw error;
        }
    }

    /** Ends the connection, and the program in the container with it. */
    async close(): Promise<void> {
        this.#stop.abort();
        const connection = await this.#attempt?.connection.catch(() => null);
        connection?.drop();
    }

    #begin(wantsStart: boolean): Attempt {
        const mayStart = wantsStart && this.#options.startsContainer();
        const connection = this.#connect(mayStart);
        const attempt = {mayStart: wantsStart, connection};
        this.#attempt = attempt;
        const forget = (): void => {
            if (this.#attempt === attempt) this.#attempt = null;
        };
        connection.then(
            made =>
                void made.closed.then(reason => {
                    forget();
                    if (!this.#stop.signal.aborted) this.#options.onLost(reason);
                }),
            forget,
        );
        return attempt;
    }

    async #connect(mayStart: boolean): Promise<WireConnection> {
        try {
            const connection = await this.#connectThroughService(mayStart);
            this.#options.onConnected(connection);
            return connection;
        } catch (error) {
            if (error instanceof SnowError) {
                const isAway = error.code === 'NotFound' || error.code === 'WrongState';
                const name = isAway ? errorNames.serviceUnknown : errorNames.spawnFailed;
                throw new BusError(name, error.message, {cause: error});
            }
            if (error instanceof BusError)
                throw new BusError(errorNames.spawnFailed, error.message, {cause: error});
            throw error;
        }
    }

    async #connectThroughService(mayStart: boolean): Promise<WireConnection> {
        // Loaded late: the name on the bus is owned earlier that way.
        const {connectToSystemBus} = await import('../host/dbus.ts');
        const bus = await connectToSystemBus();
        try {
            if (!mayStart) await this.#refuseToStart(bus);
            return await this.#connectOverPipes(bus);
        } finally {
            await bus.close();
        }
    }

    async #refuseToStart(bus: BusConnection): Promise<void> {
        const {plainValue} = await import('../host/dbus.ts');
        const [value] = await bus.call({
            ...this.#object(),
            interface: PROPERTIES,
            member: 'Get',
            signature: 'ss',
            body: [INTUNE, 'State'],
        });
        const state = String(plainValue(value));
        if (state === 'running' || state === 'starting') return;
        throw new SnowError(
            'WrongState',
            state === 'absent'
                ? 'There is no Intune container: snowctl intune init makes one'
                : 'The Intune container does not run: snowctl intune start starts it',
        );
    }

    async #connectOverPipes(bus: BusConnection): Promise<WireConnection> {
        const {uid, maxBody} = this.#options;
        const way = await FifoWay.create(uid);
        const waiting = new AbortController();
        try {
            const {failed} = await this.#run(bus, way);
            const limit = AbortSignal.timeout(CONNECT_TIMEOUT);
            const signal = AbortSignal.any([this.#stop.signal, waiting.signal, limit]);
            const opening = WireConnection.open(way, {maxBody, signal});
            // One of them is not waited for any more.
            opening.catch(() => undefined);
            const connection = await Promise.race([failed, opening]);
            await way.letGo();
            return connection;
        } catch (error) {
            waiting.abort();
            await way[Symbol.asyncDispose]();
            throw error;
        }
    }

    /** Has the program run. */
    async #run(bus: BusConnection, way: FifoWay): Promise<Run> {
        const {Variant} = await import('../host/dbus.ts');
        /** What the signal Finished of each job said, of any that ended meanwhile. */
        const ends = new Map<string, readonly unknown[]>();
        let job = '';
        let fail: (error: SnowError) => void = () => undefined;
        const failed = new Promise<never>((_, reject) => (fail = reject));
        failed.catch(() => undefined);
        const failIfEnded = (): void => {
            const end = ends.get(job);
            if (end) void failureOf(end, way).then(fail);
        };
        const lose = (): void => fail(new SnowError('Failed', 'The service was lost meanwhile'));
        void bus.closed.then(lose);
        await Promise.all([
            bus.subscribe({sender: SERVICE, interface: JOB, member: 'Finished'}, end => {
                ends.set(end.path, end.body);
                if (end.path === job) failIfEnded();
            }),
            bus.watchOwner(SERVICE, owner => {
                if (owner === '' && job !== '') lose();
            }),
        ]);
        const {uid, session} = this.#options;
        const bridge = ['systemd-stdio-bridge', `--bus-path=unix:path=/run/user/${uid}/bus`];
        const [path] = await bus.call(
            {
                ...this.#object(),
                interface: INTUNE,
                member: 'Run',
                signature: 'asa{sv}',
                body: [
                    bridge,
                    {
                        pipes: new Variant('s', way.directory),
                        session: new Variant('as', [...session]),
                    },
                ],
            },
            this.#stop.signal,
        );
        job = String(path);
        failIfEnded();
        return {failed};
    }

    #object(): {readonly destination: string; readonly path: string} {
        return {destination: SERVICE, path: `${ROOT}/Intune/u${this.#options.uid}`};
    }
}

/** Why a job that was to go on has ended: the body of its signal Finished. */
async function failureOf([, error]: readonly unknown[], way: FifoWay): Promise<SnowError> {
    const said = Array.isArray(error) ? String(error[1] ?? '') : '';
    if (said !== '') return new SnowError('Failed', said);
    const why = (await way.lastWords()) || 'its program there has ended';
    return new SnowError('Failed', `The bus of the container cannot be reached: ${why}`);
}
