// SPDX-License-Identifier: GPL-2.0-or-later
import {type BusConnection, type Signal, plainValue} from '../../../helper/src/host/dbus.ts';

export const SERVICE = 'org.frostyard.Snow1';
export const ROOT = '/org/frostyard/Snow1';
export const FEATURE = `${SERVICE}.Feature`;
export const FEATURES = `${SERVICE}.Features`;
export const JOB = `${SERVICE}.Job`;
export const MANAGER = `${SERVICE}.Manager`;
export const DBUS = 'org.freedesktop.DBus';

/** Calls a method of the service, named with its interface; the reply without variants. */
export async function call(
    bus: BusConnection,
    path: string,
    method: string,
    signature = '',
    body: readonly unknown[] = [],
): Promise<readonly unknown[]> {
    const dot = method.lastIndexOf('.');
    const reply = await bus.call({
        destination: SERVICE,
        path,
        interface: method.slice(0, dot),
        member: method.slice(dot + 1),
        signature,
        body,
    });
    return reply.map(plainValue);
}

/** Starts a job; its path. */
export async function start(
    bus: BusConnection,
    feature: string,
    method: string,
    options: Readonly<Record<string, unknown>> = {},
): Promise<string> {
    const path = feature === '' ? `${ROOT}/Features` : `${ROOT}/Features/${feature}`;
    const interfaceName = feature === '' ? FEATURES : FEATURE;
    const [job] = await call(bus, path, `${interfaceName}.${method}`, 'a{sv}', [options]);
    return String(job);
}

export async function getAll(
    bus: BusConnection,
    path: string,
    interfaceName: string,
): Promise<Readonly<Record<string, unknown>>> {
    const [all] = await call(bus, path, `${DBUS}.Properties.GetAll`, 's', [interfaceName]);
    return all as Readonly<Record<string, unknown>>;
}

export async function managedObjects(
    bus: BusConnection,
): Promise<Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>> {
    const [objects] = await call(bus, ROOT, `${DBUS}.ObjectManager.GetManagedObjects`);
    return objects as Awaited<ReturnType<typeof managedObjects>>;
}

/** Signals of the service as they come, with the time. */
export interface Heard {
    readonly at: number;
    readonly path: string;
    readonly member: string;
    readonly body: readonly unknown[];
}

export async function record(bus: BusConnection): Promise<readonly Heard[]> {
    const records: Heard[] = [];
    await bus.subscribe({sender: SERVICE}, ({path, member, body}: Signal) => {
        records.push({at: performance.now(), path, member, body: body.map(plainValue)});
    });
    return records;
}

/** Waits for the end of a job: what its signal Finished says. */
export async function finished(
    bus: BusConnection,
    begin: () => Promise<string>,
): Promise<{
    readonly path: string;
    readonly state: string;
    readonly error: readonly [string, string];
    readonly results: Readonly<Record<string, unknown>>;
}> {
    const ends = new Map<string, readonly unknown[]>();
    let look = (): void => undefined;
    const undo = await bus.subscribe(
        {sender: SERVICE, interface: JOB, member: 'Finished'},
        ({path, body}) => {
            ends.set(path, body.map(plainValue));
            look();
        },
    );
    const path = await begin();
    const [state, error, results] = await new Promise<readonly unknown[]>(resolve => {
        look = () => {
            const end = ends.get(path);
            if (end) resolve(end);
        };
        look();
    });
    await undo();
    return {
        path,
        state: String(state),
        error: error as readonly [string, string],
        results: results as Readonly<Record<string, unknown>>,
    };
}
