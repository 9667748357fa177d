// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for snowd on a guest's system bus where a test needs a state that cannot be had at will:
// thirty features, every state of an OS image, a job that stays at 45 %. It only shows what it is told by
// org.frostyard.StandIn.Do, and notes what it is asked.
import {Message, MessageType, NameFlag, Variant, systemBus} from '@jellybrick/dbus-next';

import {
    FeatureInterface,
    FeaturesInterface,
    ImageInterface,
    IntuneInterface,
    JobInterface,
    ManagerInterface,
} from '../../helper/src/generated/dbus.ts';

export type Objects = Record<string, Record<string, Record<string, unknown>>>;

export type Command =
    /** Takes the place of all objects. */
    | {readonly do: 'show'; readonly objects: Objects}
    | {
          readonly do: 'change';
          readonly path: string;
          readonly interface: string;
          readonly values: Record<string, unknown>;
          /** Without a signal, as it changes while the service does not run. */
          readonly isSilent?: boolean;
      }
    | {
          readonly do: 'finish';
          readonly path: string;
          readonly state: 'done' | 'failed' | 'cancelled';
          readonly error: readonly [string, string];
          readonly results: Record<string, unknown>;
      }
    /** Every call of the method is refused from now on; an empty name takes that back. */
    | {readonly do: 'refuse'; readonly method: string; readonly name: string; readonly text: string}
    /** Answers with the calls since the last time: [path, method, arguments, flags]. */
    | {readonly do: 'calls'}
    /** The same, and they are kept for the next time. */
    | {readonly do: 'peek'}
    /** Answers with the numbers of all jobs. */
    | {readonly do: 'jobs'};

const ERROR = 'org.freedesktop.DBus.Error';
const ROOT = '/org/frostyard/Snow1';
/** Of the user of the desktop tests. */
const UID = 1001;
const tables = [
    FeatureInterface,
    FeaturesInterface,
    ImageInterface,
    IntuneInterface,
    JobInterface,
    ManagerInterface,
];

const bus = systemBus();
const refusals = new Map<string, {name: string; text: string}>();
let calls: unknown[] = [];
let objects: Objects = {};
let lastJob = 0;

bus.addMethodHandler(message => {
    if (message.interface === 'org.frostyard.StandIn') {
        const command = JSON.parse(String(message.body[0])) as Command;
        bus.send(Message.newMethodReturn(message, 's', [JSON.stringify(obey(command) ?? null)]));
        return true;
    }
    if (message.member === 'GetManagedObjects') {
        const all = Object.entries(objects).map(([path, interfaces]) => [path, pack(interfaces)]);
        bus.send(Message.newMethodReturn(message, 'a{oa{sa{sv}}}', [Object.fromEntries(all)]));
        calls.push([message.path, message.member]);
        return true;
    }
    if (message.interface === 'org.freedesktop.DBus.Properties' && message.member === 'Get') {
        const [name = '', property = ''] = message.body.map(String);
        const value = pack(objects[message.path] ?? {})[name]?.[property];
        if (value) bus.send(Message.newMethodReturn(message, 'v', [value]));
        else bus.send(Message.newError(message, `${ERROR}.UnknownProperty`, property));
        return true;
    }
    const table = tables.find(({name}) => name === message.interface);
    if (!table) return false;

    calls.push([message.path, message.member, plain(message.body), message.flags]);
    const refusal = refusals.get(message.member);
    if (refusal) bus.send(Message.newError(message, refusal.name, refusal.text));
    else if (message.member === 'Cancel') answerCancel(message);
    else bus.send(Message.newMethodReturn(message, 'o', [startJob(message)]));
    return true;
});

await bus.requestName('org.frostyard.Snow1', NameFlag.DO_NOT_QUEUE);
console.log('ready');

function obey(command: Command): unknown {
    switch (command.do) {
        case 'show':
            show(command.objects);
            return null;
        case 'change':
            change(command.path, command.interface, command.values, command.isSilent);
            return null;
        case 'finish':
            finish(command.path, command.state, command.error, command.results);
            return null;
        case 'refuse':
            if (command.name) refusals.set(command.method, command);
            else refusals.delete(command.method);
            return null;
        case 'calls': {
            const answer = calls;
            calls = [];
            return answer;
        }
        case 'peek':
            return calls;
        case 'jobs':
            return Object.keys(objects)
                .filter(path => path.startsWith(`${ROOT}/Jobs/`))
                .map(path => Number(path.slice(path.lastIndexOf('/') + 1)));
    }
}

function show(next: Objects): void {
    for (const [path, interfaces] of Object.entries(objects))
        if (!(path in next))
            emitManager('InterfacesRemoved', 'oas', [path, Object.keys(interfaces)]);
    const known = objects;
    objects = next;
    for (const [path, interfaces] of Object.entries(next)) {
        if (!(path in known))
            emitManager('InterfacesAdded', 'oa{sa{sv}}', [path, pack(interfaces)]);
        else for (const [name, values] of Object.entries(interfaces)) change(path, name, values);
    }
}

function change(
    path: string,
    interfaceName: string,
    values: Record<string, unknown>,
    isSilent = false,
): void {
    Object.assign((objects[path] ??= {}), {
        [interfaceName]: {...objects[path]?.[interfaceName], ...values},
    });
    if (isSilent) return;
    bus.send(
        signal(path, 'org.freedesktop.DBus.Properties', 'PropertiesChanged', 'sa{sv}as', [
            interfaceName,
            pack({[interfaceName]: values})[interfaceName],
            [],
        ]),
    );
}

function startJob(call: Message): string {
    do lastJob++;
    while (`${ROOT}/Jobs/${lastJob}` in objects);
    const path = `${ROOT}/Jobs/${lastJob}`;
    const job = {
        ...describeJob(call),
        Step: 'Getting ready',
        Progress: -1,
        BytesDone: 0,
        BytesTotal: 0,
        StartedByUID: UID,
        State: 'running',
        Error: ['', ''],
    };
    objects[path] = {[JobInterface.name]: job};
    emitManager('InterfacesAdded', 'oa{sa{sv}}', [path, pack(objects[path])]);
    return path;
}

function describeJob({path, interface: name, member, body}: Message) {
    if (name === ImageInterface.name) {
        const options = plain(body.at(-1)) as Record<string, unknown>;
        const verb = options['download-only'] === true ? 'download' : member.toLowerCase();
        return {
            Operation: `image.${verb}`,
            Target: typeof body[0] === 'string' ? body[0] : '',
        };
    }
    if (name === IntuneInterface.name)
        return {
            Operation: `intune.${member.replace('Device', '-device').toLowerCase()}`,
            Target: typeof body[0] === 'string' ? body[0] : `intune-u${UID}`,
        };
    const operation = {
        UpdateAll: 'features.update',
        SetAutomatic: 'features.automatic',
    }[member];
    return {
        Operation: operation ?? `features.${member.toLowerCase()}`,
        Target: String(objects[path]?.[FeatureInterface.name]?.Name ?? ''),
    };
}

function answerCancel(call: Message): void {
    bus.send(Message.newMethodReturn(call));
    finish(call.path, 'cancelled', ['org.frostyard.Snow1.Error.Cancelled', 'Cancelled'], {});
}

function finish(
    path: string,
    state: string,
    error: readonly [string, string],
    results: Record<string, unknown>,
): void {
    change(path, JobInterface.name, {State: state, Error: error});
    const variants = Object.entries(results).map(([key, value]) => {
        const signature = Array.isArray(value) ? 'as' : typeof value === 'boolean' ? 'b' : 's';
        return [key, new Variant(signature, value)];
    });
    bus.send(
        signal(path, JobInterface.name, 'Finished', 's(ss)a{sv}', [
            state,
            error,
            Object.fromEntries(variants),
        ]),
    );
}

function emitManager(member: string, signature: string, body: unknown[]): void {
    bus.send(signal(ROOT, 'org.freedesktop.DBus.ObjectManager', member, signature, body));
}

function signal(
    path: string,
    interfaceName: string,
    member: string,
    signature: string,
    body: unknown[],
): Message {
    return new Message({
        type: MessageType.SIGNAL,
        path,
        interface: interfaceName,
        member,
        signature,
        body,
    });
}

function pack(
    interfaces: Record<string, Record<string, unknown>>,
): Record<string, Record<string, Variant>> {
    const packed = Object.entries(interfaces).map(([name, values]) => {
        const types: Record<string, string> | undefined = tables.find(
            table => table.name === name,
        )?.properties;
        const variants = Object.entries(values).map(([key, value]) => {
            const type = types?.[key];
            if (type === undefined) throw new Error(`${name} has no ${key}`);
            return [key, new Variant(type, packInner(type, value))];
        });
        return [name, Object.fromEntries(variants)];
    });
    return Object.fromEntries(packed) as Record<string, Record<string, Variant>>;
}

/** The values of dictionaries are variants, whose type shows in JavaScript. */
function packInner(type: string, value: unknown): unknown {
    if (type === 'aa{sv}')
        return (value as readonly unknown[]).map(inner => packInner('a{sv}', inner));
    if (type !== 'a{sv}') return value;
    const signatures: Record<string, string> = {string: 's', boolean: 'b', number: 'x'};
    const variants = Object.entries(value as object).map(([key, inner]) => {
        const signature = signatures[typeof inner];
        if (!signature) throw new Error(`${key} is no plain value`);
        return [key, new Variant(signature, inner)];
    });
    return Object.fromEntries(variants);
}

/** Without the variants, for JSON. */
function plain(value: unknown): unknown {
    if (value instanceof Variant) return plain(value.value);
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
