// SPDX-License-Identifier: GPL-2.0-or-later
import {chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';

import type {CallerRecord} from '../../../../helper/src/broker/caller-list.ts';
import {type BrokerOptions, formatOptions} from '../../../../helper/src/broker/options.ts';
import {StandInContainer} from './container.ts';
import {type SessionBus, startSessionBus} from './session-bus.ts';

export const NAME = 'com.microsoft.identity.broker1';
export const PATH = '/com/microsoft/identity/broker1';
export const INTERFACE = 'com.microsoft.identity.Broker1';

/** The bus of the host's session, with snow-broker, and the one of the container's, with its broker. */
export interface BrokerStage extends AsyncDisposable {
    readonly host: SessionBus;
    readonly inside: SessionBus;
    readonly container: StandInContainer;
    readonly runtimeDirectory: string;
    readonly configDirectory: string;
    choose(options: Partial<BrokerOptions>): Promise<void>;
    callers(): Promise<readonly CallerRecord[]>;
    /** Another bus for what is in the container, after the first one was stopped. */
    restartInside(): Promise<void>;
}

export interface StagePrograms {
    /** Command of snow-broker. */
    readonly broker: readonly string[];
    /** Of the stand-in for the broker in the container. */
    readonly identityBroker: readonly string[];
}

export async function setBrokerStage(programs: StagePrograms): Promise<BrokerStage> {
    const directory = await mkdtemp('/tmp/snow-broker-');
    await chmod(directory, 0o755);
    const runtimeDirectory = join(directory, 'run');
    const config = join(directory, 'config');
    await mkdir(runtimeDirectory, {mode: 0o700});
    await mkdir(join(config, 'snow-control'), {recursive: true});

    const system = await startSessionBus();
    process.env['DBUS_SYSTEM_BUS_ADDRESS'] = system.address;
    const startInside = (): Promise<SessionBus> =>
        startSessionBus({services: {[NAME]: programs.identityBroker}});
    let inside = await startInside();
    let container = await StandInContainer.start(inside.address);
    const host = await startSessionBus({
        services: {[NAME]: programs.broker},
        environment: {
            DBUS_SYSTEM_BUS_ADDRESS: system.address,
            XDG_RUNTIME_DIR: runtimeDirectory,
            XDG_CONFIG_HOME: config,
            WAYLAND_DISPLAY: 'wayland-7',
            DISPLAY: 'elsewhere:0',
        },
    });
    const stage = {
        host,
        get inside() {
            return inside;
        },
        get container() {
            return container;
        },
        runtimeDirectory,
        configDirectory: config,
        async choose(options: Partial<BrokerOptions>) {
            const all = {
                isEnabled: true,
                startsContainer: false,
                admitsSandboxed: false,
                ...options,
            };
            const path = join(config, 'snow-control/broker.conf');
            await writeFile(`${path}.new`, formatOptions(all));
            await rename(`${path}.new`, path);
        },
        async callers() {
            const path = join(runtimeDirectory, 'snow-control/broker-callers.json');
            return JSON.parse(await readFile(path, 'utf8')) as readonly CallerRecord[];
        },
        async restartInside() {
            await container[Symbol.asyncDispose]();
            await inside[Symbol.asyncDispose]();
            inside = await startInside();
            container = await StandInContainer.start(inside.address);
        },
        async [Symbol.asyncDispose]() {
            await host[Symbol.asyncDispose]();
            await container[Symbol.asyncDispose]();
            await inside[Symbol.asyncDispose]();
            await system[Symbol.asyncDispose]();
            await rm(dirname(runtimeDirectory), {recursive: true, force: true});
        },
    };
    await stage.choose({});
    return stage;
}
