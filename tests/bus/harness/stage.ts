// SPDX-License-Identifier: GPL-2.0-or-later
import {readFile, rename, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {type BusConnection, connectToSystemBus} from '../../../helper/src/host/dbus.ts';
import {bundle} from './bundle.ts';
import {type Polkit, type User, startPolkit} from './polkit.ts';
import {type PrivateBus, startPrivateBus} from './private-bus.ts';
import {type Running, startProgram} from './processes.ts';
import type {StandInState} from './stand-in.ts';
import {type Caller, startCaller} from './start-caller.ts';

/** A bus with polkit, snowd over a stand-in domain, and callers of every kind. */
export interface Stage extends AsyncDisposable {
    readonly bus: PrivateBus;
    readonly polkit: Polkit;
    /** Where the stand-in's bundle and its state are. */
    readonly standIn: {readonly bundle: string; readonly state: string};
    startService(idleTimeout?: number): Promise<Running>;
    startCaller(user: User): Promise<Caller>;
    /** A connection as root, of this process. */
    connect(): Promise<BusConnection>;
    setState(state: StandInState): Promise<void>;
    readState(): Promise<StandInState>;
}

export interface StageOptions {
    /** Rules of polkit in JavaScript. */
    readonly rules?: string;
}

export const initialState: StandInState = {
    features: {
        quick: false,
        slow: false,
        brief: false,
        failing: false,
        crashing: false,
        strange: false,
    },
};

/** Sets everything up but the service. */
export async function setStage({rules = ''}: StageOptions = {}): Promise<Stage> {
    if (process.getuid?.() !== 0) throw new Error('The tests of the bus need root');
    const bus = await startPrivateBus();
    const [polkit, standIn, caller] = await Promise.all([
        startPolkit(bus, rules),
        bundle('tests/bus/harness/stand-in.ts', bus.directory),
        bundle('tests/bus/harness/caller.ts', bus.directory),
    ]);
    const state = join(bus.directory, 'state.json');
    // What a killed service leaves goes with the bus.
    const env = {
        ...process.env,
        DBUS_SYSTEM_BUS_ADDRESS: bus.address,
        TMPDIR: bus.directory,
    };
    const disposables: AsyncDisposable[] = [];
    const stage: Stage = {
        bus,
        polkit,
        standIn: {bundle: standIn, state},
        async startService(idleTimeout = 60_000) {
            const service = startProgram([process.execPath, standIn, state, String(idleTimeout)], {
                env,
            });
            disposables.push(service);
            await whenOwned(stage);
            return service;
        },
        async startCaller(user) {
            const started = await startCaller(bus, polkit, caller, user);
            disposables.push(started);
            return started;
        },
        connect() {
            process.env['DBUS_SYSTEM_BUS_ADDRESS'] = bus.address;
            return connectToSystemBus();
        },
        async setState(content) {
            await writeFile(`${state}.set`, JSON.stringify(content));
            await rename(`${state}.set`, state);
        },
        readState: async () => JSON.parse(await readFile(state, 'utf8')) as StandInState,
        async [Symbol.asyncDispose]() {
            for (const item of disposables.reverse()) await item[Symbol.asyncDispose]();
            await polkit[Symbol.asyncDispose]();
            await bus[Symbol.asyncDispose]();
        },
    };
    await stage.setState(initialState);
    return stage;
}

async function whenOwned(stage: Stage): Promise<void> {
    const connection = await stage.connect();
    await new Promise<void>((resolve, reject) => {
        connection
            .watchOwner('org.frostyard.Snow1', owner => {
                if (owner !== '') resolve();
            })
            .catch(reject);
    });
    await connection.close();
}
