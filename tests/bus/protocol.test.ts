// SPDX-License-Identifier: GPL-2.0-or-later
import {readFile, readdir} from 'node:fs/promises';
import {resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import {Message, MessageType, systemBus} from '@jellybrick/dbus-next';
import {XMLParser} from 'fast-xml-parser';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import {type BusConnection, Variant} from '../../helper/src/host/dbus.ts';
import type {Running} from './harness/processes.ts';
import {
    DBUS,
    FEATURE,
    FEATURES,
    MANAGER,
    ROOT,
    SERVICE,
    call,
    getAll,
    managedObjects,
    record,
} from './harness/remote.ts';
import {type Stage, initialState, setStage} from './harness/stage.ts';

let stage: Stage;
let service: Running;
let bus: BusConnection;

beforeAll(async () => {
    stage = await setStage();
    service = await stage.startService();
});

beforeEach(async () => {
    await stage.setState(initialState);
    bus = await stage.connect();
});

afterEach(async () => {
    await bus.close();
});

afterAll(async () => {
    await stage[Symbol.asyncDispose]();
});

const reads = (): number => service.lines.filter(line => line.startsWith('read ')).length;

describe('introspection', () => {
    const parser = new XMLParser({
        ignoreAttributes: false,
        attributeNamePrefix: '',
        isArray: name => ['interface', 'node', 'method', 'property', 'arg'].includes(name),
    });

    interface Node {
        readonly interface?: readonly {readonly name: string}[];
        readonly node?: readonly {readonly name: string}[];
    }

    async function introspect(path: string): Promise<Node> {
        const [xml] = await call(bus, path, `${DBUS}.Introspectable.Introspect`);
        return (parser.parse(String(xml)) as {node: [Node]}).node[0];
    }

    async function walk(path: string): Promise<ReadonlyMap<string, Node>> {
        const node = await introspect(path);
        const found = new Map([[path, node]]);
        for (const {name} of node.node ?? []) {
            const below = await walk(path === '/' ? `/${name}` : `${path}/${name}`);
            for (const [child, value] of below) found.set(child, value);
        }
        return found;
    }

    it('leads to every object, and says what interfaces/*.xml say', async () => {
        const directory = resolve(import.meta.dirname, '../../interfaces');
        const ours = new Map<string, unknown>();
        for (const file of await readdir(directory)) {
            const xml = await readFile(`${directory}/${file}`, 'utf8');
            const [definition] = (parser.parse(xml) as {node: [Node]}).node[0].interface ?? [];
            if (definition?.name.startsWith(SERVICE)) ours.set(definition.name, definition);
        }
        const {path: job} = await finishedJob();

        const nodes = await walk('/');
        const objects = await managedObjects(bus);
        expect(Object.keys(objects)).toContain(job);
        expect([...nodes.keys()]).toEqual(
            expect.arrayContaining(['/', ROOT, `${ROOT}/Jobs`, ...Object.keys(objects)]),
        );
        const seen = new Set<string>();
        for (const [path, node] of nodes) {
            const own = (node.interface ?? []).filter(({name}) => name.startsWith(SERVICE));
            const expected = path === ROOT ? [MANAGER] : Object.keys(objects[path] ?? {});
            expect(own.map(({name}) => name)).toEqual(expected);
            for (const definition of own) {
                expect(definition).toEqual(ours.get(definition.name));
                seen.add(definition.name);
            }
        }
        expect([...seen].sort()).toEqual([...ours.keys()].sort());
    });

    it('knows the standard interfaces where they are', async () => {
        const names = async (path: string): Promise<readonly string[]> =>
            ((await introspect(path)).interface ?? []).map(({name}) =>
                name.replace(`${DBUS}.`, ''),
            );
        expect(await names('/')).toEqual(['Peer', 'Introspectable']);
        expect(await names(`${ROOT}/Jobs`)).toEqual(['Peer', 'Introspectable']);
        expect(await names(ROOT)).toEqual([
            'Peer',
            'Introspectable',
            'Properties',
            'ObjectManager',
            MANAGER,
        ]);
        expect(await names(`${ROOT}/Features`)).not.toContain('ObjectManager');
    });

    async function finishedJob(): Promise<{readonly path: string}> {
        const [path] = await call(bus, `${ROOT}/Features`, `${FEATURES}.Check`, 'a{sv}', [{}]);
        return {path: String(path)};
    }
});

describe('a call that is wrong', () => {
    const invalid = `${SERVICE}.Error.InvalidArgs`;
    const quick = `${ROOT}/Features/quick`;
    const merge = (value: Variant) => [{merge: value}];
    const table: readonly (readonly [
        what: string,
        path: string,
        method: string,
        signature: string,
        body: readonly unknown[],
        error: string,
    ])[] = [
        ['no argument', quick, `${FEATURE}.Enable`, '', [], invalid],
        ['a string for the options', quick, `${FEATURE}.Enable`, 's', ['x'], invalid],
        ['one argument more', quick, `${FEATURE}.Enable`, 'a{sv}s', [{}, 'x'], invalid],
        ['options of strings', quick, `${FEATURE}.Enable`, 'a{ss}', [{merge: 'x'}], invalid],
        [
            'the options in a variant',
            quick,
            `${FEATURE}.Enable`,
            'v',
            [new Variant('s', '')],
            invalid,
        ],
        ['arguments swapped', quick, `${FEATURE}.Rollback`, 'a{sv}s', [{}, ''], invalid],
        ['a version of bytes', quick, `${FEATURE}.Rollback`, 'aya{sv}', [[1], {}], invalid],
        [
            'a number for a switch',
            `${ROOT}/Features`,
            `${FEATURES}.SetAutomatic`,
            'ua{sv}',
            [1, {}],
            invalid,
        ],
        ['an argument for none', ROOT, `${MANAGER}.ListJobs`, 's', ['x'], invalid],
        ['an argument for a ping', '/', `${DBUS}.Peer.Ping`, 's', ['x'], invalid],
        ['a property without a name', ROOT, `${DBUS}.Properties.Get`, 's', [MANAGER], invalid],
        [
            'an unknown option',
            quick,
            `${FEATURE}.Enable`,
            'a{sv}',
            [{force: new Variant('b', true)}],
            invalid,
        ],
        [
            'an option of another method',
            quick,
            `${FEATURE}.Enable`,
            'a{sv}',
            [{automatic: new Variant('b', true)}],
            invalid,
        ],
        [
            'an option as text',
            quick,
            `${FEATURE}.Enable`,
            'a{sv}',
            merge(new Variant('s', 'true')),
            invalid,
        ],
        [
            'an option in two variants',
            quick,
            `${FEATURE}.Enable`,
            'a{sv}',
            merge(new Variant('v', new Variant('b', true))),
            invalid,
        ],
        [
            'an option with the name of a JavaScript method',
            quick,
            `${FEATURE}.Enable`,
            'a{sv}',
            [{constructor: new Variant('b', true)}],
            invalid,
        ],
        [
            'an option __proto__',
            quick,
            `${FEATURE}.Enable`,
            'a{sv}',
            [
                JSON.parse('{"__proto__": 0}', (k, v: unknown) =>
                    k === '__proto__' ? new Variant('b', true) : v,
                ),
            ],
            invalid,
        ],
        ['an unknown method', quick, `${FEATURE}.Explode`, '', [], `${DBUS}.Error.UnknownMethod`],
        [
            'a method of every object',
            quick,
            `${FEATURE}.toString`,
            '',
            [],
            `${DBUS}.Error.UnknownMethod`,
        ],
        [
            'an interface of another object',
            quick,
            `${FEATURES}.Check`,
            'a{sv}',
            [{}],
            `${DBUS}.Error.UnknownInterface`,
        ],
        [
            'an object manager where none is',
            quick,
            `${DBUS}.ObjectManager.GetManagedObjects`,
            '',
            [],
            `${DBUS}.Error.UnknownInterface`,
        ],
        [
            'properties of a mere node',
            '/org',
            `${DBUS}.Properties.GetAll`,
            's',
            [''],
            `${DBUS}.Error.UnknownInterface`,
        ],
        [
            'a feature that is not there',
            `${ROOT}/Features/nowhere`,
            `${FEATURE}.Enable`,
            'a{sv}',
            [{}],
            `${DBUS}.Error.UnknownObject`,
        ],
        [
            'a job that is not there',
            `${ROOT}/Jobs/999`,
            `${SERVICE}.Job.Cancel`,
            'a{sv}',
            [{}],
            `${DBUS}.Error.UnknownObject`,
        ],
        [
            'a domain that is not there',
            `${ROOT}/Other/x`,
            `${FEATURE}.Enable`,
            'a{sv}',
            [{}],
            `${DBUS}.Error.UnknownObject`,
        ],
        [
            'a property that is not there',
            quick,
            `${DBUS}.Properties.Get`,
            'ss',
            [FEATURE, 'Nope'],
            `${DBUS}.Error.UnknownProperty`,
        ],
        [
            'a property of every JavaScript object',
            quick,
            `${DBUS}.Properties.Get`,
            'ss',
            [FEATURE, 'constructor'],
            `${DBUS}.Error.UnknownProperty`,
        ],
        [
            'properties of an interface that is not there',
            quick,
            `${DBUS}.Properties.GetAll`,
            's',
            [FEATURES],
            `${DBUS}.Error.UnknownInterface`,
        ],
        [
            'properties of __proto__',
            quick,
            `${DBUS}.Properties.GetAll`,
            's',
            ['__proto__'],
            `${DBUS}.Error.UnknownInterface`,
        ],
        [
            'a change of a property',
            quick,
            `${DBUS}.Properties.Set`,
            'ssv',
            [FEATURE, 'Enabled', new Variant('b', true)],
            `${DBUS}.Error.PropertyReadOnly`,
        ],
        [
            'a change of a property that is not there',
            quick,
            `${DBUS}.Properties.Set`,
            'ssv',
            [FEATURE, 'Nope', new Variant('b', true)],
            `${DBUS}.Error.UnknownProperty`,
        ],
    ];

    for (const [what, path, method, signature, body, error] of table) {
        it(`with ${what} is answered with ${error.split('.').at(-1) ?? ''}`, async () => {
            const jobs = await call(bus, ROOT, `${MANAGER}.ListJobs`);
            const failure = await call(bus, path, method, signature, body).then(
                () => 'went well',
                (reason: unknown) => reason,
            );
            const code = error.replace(`${SERVICE}.Error.`, '');
            expect(failure).toMatchObject(error === code ? {errorName: error} : {code});
            expect(String((failure as Error).message)).toMatch(/^[^\n]{5,200}$/);
            expect(await call(bus, ROOT, `${MANAGER}.ListJobs`)).toEqual(jobs);
        });
    }

    it('gets only a bounded part of what it sent back', async () => {
        const name = 'x'.repeat(1_000_000);
        const failure = call(bus, quick, `${DBUS}.Properties.Get`, 'ss', [FEATURE, name]);
        await expect(failure).rejects.toThrow(/^.{100,600}$/);
    });
});

describe('properties', () => {
    it('are read from the machine each time they are asked for', async () => {
        expect(await getAll(bus, `${ROOT}/Features/quick`, FEATURE)).toMatchObject({
            Enabled: false,
        });
        await stage.setState({features: {quick: true}});
        expect(await getAll(bus, `${ROOT}/Features/quick`, FEATURE)).toMatchObject({
            Enabled: true,
            Versions: ['1.0'],
        });
    });

    it('with 64 bits come as such', async () => {
        const [value] = await bus.call({
            destination: SERVICE,
            path: `${ROOT}/Features`,
            interface: `${DBUS}.Properties`,
            member: 'Get',
            signature: 'ss',
            body: [FEATURES, 'LastCheck'],
        });
        expect(value).toEqual(new Variant('x', 1_700_000_000n));
    });

    it('that many ask for at once are read once or twice', async () => {
        await stage.setState({...initialState, readTime: 200});
        const before = reads();
        const all = await Promise.all(
            Array.from({length: 60}, () => getAll(bus, `${ROOT}/Features/quick`, FEATURE)),
        );
        expect(all).toHaveLength(60);
        expect(reads() - before).toBeLessThanOrEqual(2);
    });

    it('of the service need no look at the machine', async () => {
        const before = reads();
        expect(await getAll(bus, ROOT, MANAGER)).toEqual({
            Version: '1.2.3',
            ImageDriver: 'bootc',
        });
        await call(bus, ROOT, `${DBUS}.Peer.Ping`);
        await call(bus, ROOT, `${MANAGER}.ListJobs`);
        expect(reads()).toBe(before);
    });

    it('that cannot be read are an error of one line, the reason being in the journal', async () => {
        await stage.setState({...initialState, isBroken: true});
        const failure = getAll(bus, `${ROOT}/Features/quick`, FEATURE);
        await expect(failure).rejects.toMatchObject({
            code: 'Failed',
            message: 'GetAll failed; the journal of snowd says why',
        });
        await service.waitForLine(/^<3>GetAll: TypeError: The stand-in is broken/);
    });
});

describe('signals', () => {
    it('tell what a read finds changed, come and gone', async () => {
        await managedObjects(bus);
        const heard = await record(bus);
        await stage.setState({features: {quick: true, brief: false, fresh: false}});
        await managedObjects(bus);
        await expect.poll(() => heard.length).toBeGreaterThanOrEqual(6);
        const gone = ['slow', 'failing', 'crashing', 'strange'];
        expect(heard.map(({path, member, body}) => [path, member, ...body.slice(0, 2)])).toEqual([
            ...gone.map(name => [ROOT, 'InterfacesRemoved', `${ROOT}/Features/${name}`, [FEATURE]]),
            [
                `${ROOT}/Features/quick`,
                'PropertiesChanged',
                FEATURE,
                {Enabled: true, Installed: '1.0', Versions: ['1.0'], Active: '1.0'},
            ],
            [
                ROOT,
                'InterfacesAdded',
                `${ROOT}/Features/fresh`,
                {[FEATURE]: expect.objectContaining({Name: 'fresh', Enabled: false})},
            ],
        ]);
    });

    it('are not sent when nothing changed', async () => {
        await managedObjects(bus);
        const heard = await record(bus);
        await managedObjects(bus);
        await getAll(bus, `${ROOT}/Features/quick`, FEATURE);
        await sleep(100);
        expect(heard).toEqual([]);
    });
});

describe('a caller that wants no reply', () => {
    it('has it done, and is sent neither reply nor error', async () => {
        const raw = systemBus({authMethods: ['EXTERNAL']});
        await new Promise<void>(done => raw.on('connect', done));
        const replies: Message[] = [];
        raw.on('message', message => {
            if (message.type !== MessageType.SIGNAL) replies.push(message);
        });
        const send = (path: string, member: string): void => {
            const target = {destination: SERVICE, path, interface: FEATURE, member};
            raw.send(new Message({...target, signature: 'a{sv}', body: [{}], flags: 1}));
        };
        send(`${ROOT}/Features/nowhere`, 'Enable');
        send(`${ROOT}/Features/quick`, 'Enable');
        await expect.poll(async () => (await stage.readState()).features['quick']).toBe(true);
        await call(bus, ROOT, `${DBUS}.Peer.Ping`);
        expect(replies).toEqual([]);
        raw.disconnect();
    });
});
