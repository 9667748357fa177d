// SPDX-License-Identifier: GPL-2.0-or-later
// What dfuzzer does, with what it lacks: arguments of every type, right and wrong, for every method of
// every interface of every object that the introspection data lead to. SNOW_FUZZ_SECONDS: a minute.
import {Message, type MessageBus, Variant, systemBus} from '@jellybrick/dbus-next';
import fc from 'fast-check';
import {XMLParser} from 'fast-xml-parser';
import {afterAll, beforeAll, expect, it} from 'vitest';

import type {BusConnection} from '../../helper/src/host/dbus.ts';
import type {Running} from './harness/processes.ts';
import {DBUS, ROOT, SERVICE, call} from './harness/remote.ts';
import {type Stage, setStage} from './harness/stage.ts';

const SECONDS = Number(process.env['SNOW_FUZZ_SECONDS'] ?? 60);

interface Target {
    readonly path: string;
    readonly interface: string;
    readonly member: string;
    readonly signature: string;
}

let stage: Stage;
let service: Running;
let bus: BusConnection;
let raw: MessageBus;

beforeAll(async () => {
    stage = await setStage();
    await stage.setState({
        features: {quick: false, failing: false, crashing: true, strange: false},
    });
    service = await stage.startService();
    bus = await stage.connect();
    raw = systemBus({authMethods: ['EXTERNAL']});
    await new Promise<void>(resolve => raw.on('connect', resolve));
});

afterAll(async () => {
    raw.disconnect();
    await bus.close();
    await stage[Symbol.asyncDispose]();
});

const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    isArray: name => ['interface', 'node', 'method', 'arg'].includes(name),
});

interface Node {
    readonly interface?: readonly {
        readonly name: string;
        readonly method?: readonly {
            readonly name: string;
            readonly arg?: readonly {readonly type: string; readonly direction: string}[];
        }[];
    }[];
    readonly node?: readonly {readonly name: string}[];
}

async function findTargets(path: string): Promise<readonly Target[]> {
    const [xml] = await call(bus, path, `${DBUS}.Introspectable.Introspect`);
    const [node] = (parser.parse(String(xml)) as {node: [Node]}).node;
    const own = (node.interface ?? []).flatMap(({name, method}) =>
        (method ?? []).map(({name: member, arg}) => {
            const inputs = (arg ?? []).filter(({direction}) => direction === 'in');
            return {path, interface: name, member, signature: inputs.map(a => a.type).join('')};
        }),
    );
    const below = await Promise.all(
        (node.node ?? []).map(({name}) => findTargets(`${path === '/' ? '' : path}/${name}`)),
    );
    return [...own, ...below.flat()];
}

const hostileStrings = fc.oneof(
    fc.constantFrom(
        '',
        '../../../../etc/passwd',
        '/etc/passwd',
        '..',
        '%2e%2e%2f',
        '-rf',
        '--help',
        '$(reboot)',
        '`reboot`',
        '; reboot',
        'a\nb',
        '\u001b[2J',
        '\u202etxt.exe',
        '__proto__',
        'constructor',
        'x'.repeat(100_000),
        '%s%n%s%n',
        '{"a": 1}',
        'NaN',
        '1.0',
        'org.frostyard.Snow1.Feature',
        'Enabled',
        '💥',
    ),
    fc.string({unit: 'grapheme', maxLength: 200}).map(text => text.replaceAll('\0', '')),
);

/** Values of a type, by its signature. */
function valuesOf(signature: string): fc.Arbitrary<unknown> {
    switch (signature[0]) {
        case 's':
            return hostileStrings;
        case 'o':
            return fc.constantFrom('/', ROOT, `${ROOT}/Features/quick`, '/a/b_2fc');
        case 'g':
            return fc.constantFrom('', 's', 'a{sv}', '((((s))))');
        case 'b':
            return fc.boolean();
        case 'y':
            return fc.integer({min: 0, max: 255});
        case 'n':
            return fc.integer({min: -32768, max: 32767});
        case 'q':
            return fc.integer({min: 0, max: 65535});
        case 'i':
            return fc.integer();
        case 'u':
            return fc.integer({min: 0, max: 4_294_967_295});
        case 'x':
            return fc.bigInt({min: -(2n ** 62n), max: 2n ** 62n});
        case 't':
            return fc.bigInt({min: 0n, max: 2n ** 63n});
        case 'd':
            return fc.double({noNaN: true, noDefaultInfinity: true});
        case 'v':
            return fc
                .constantFrom('s', 'b', 'x', 'as', 'a{sv}', '(sb)', 'v')
                .chain(inner => valuesOf(inner).map(value => new Variant(inner, value)));
        case 'a':
            return signature[1] === '{' ? dictionariesOf(signature[3] ?? 's') : listsOf(signature);
        default:
            return structOf(signature);
    }
}

function dictionariesOf(valueType: string): fc.Arbitrary<unknown> {
    const keys = fc.oneof(
        fc.constantFrom('merge', 'automatic', 'force', '__proto__'),
        hostileStrings,
    );
    return fc
        .array(fc.tuple(keys, valuesOf(valueType)), {maxLength: 4})
        .map(entries => Object.fromEntries(entries));
}

function listsOf(signature: string): fc.Arbitrary<unknown> {
    return fc.array(valuesOf(signature.slice(1)), {maxLength: 5});
}

function structOf(signature: string): fc.Arbitrary<unknown> {
    return fc.tuple(...[...signature.slice(1, -1)].map(type => valuesOf(type)));
}

const types = [
    ...'sogbynqiuxtdv',
    'as',
    'ay',
    'ao',
    'aas',
    'a{sv}',
    'a{ss}',
    '(ss)',
    '(sbx)',
    'av',
] as const;

function splitSignature(signature: string): readonly string[] {
    return signature.match(/a*(\{..\}|\([a-z]+\)|[a-z])/g) ?? [];
}

/** A call of a target, with its own signature or any other. */
function callsOf(targets: readonly Target[]): fc.Arbitrary<Message> {
    const places = fc.oneof(
        {weight: 8, arbitrary: fc.constantFrom(...targets)},
        {
            weight: 1,
            arbitrary: fc.record({
                path: fc.constantFrom('/', ROOT, `${ROOT}/Features/_`, `${ROOT}/Jobs/0`, '/x'),
                interface: fc.constantFrom(...new Set(targets.map(t => t.interface))),
                member: fc.constantFrom('Enable', 'constructor', '__proto__', 'Get', 'A'),
                signature: fc.constant(''),
            }),
        },
    );
    return places.chain(target => {
        const right = fc.constant(splitSignature(target.signature));
        const wrong = fc.array(fc.constantFrom(...types), {maxLength: 4});
        return fc.oneof({weight: 2, arbitrary: right}, {weight: 1, arbitrary: wrong}).chain(parts =>
            fc.tuple(...parts.map(valuesOf)).map(
                body =>
                    new Message({
                        ...target,
                        destination: SERVICE,
                        signature: parts.join(''),
                        body,
                        flags: body.length % 2 === 0 ? 4 : 0,
                    }),
            ),
        );
    });
}

it(
    `survives ${SECONDS} seconds of calls with every kind of argument`,
    async () => {
        const targets = await findTargets('/');
        expect(new Set(targets.map(target => target.interface)).size).toBeGreaterThanOrEqual(7);
        const end = performance.now() + SECONDS * 1000;
        const tried = new Map<string, number>();
        let answers = 0;
        while (performance.now() < end) {
            await fc.assert(
                fc.asyncProperty(
                    fc.array(callsOf(targets), {minLength: 20, maxLength: 40}),
                    async messages => {
                        const replies = await Promise.all(
                            messages.map(message => {
                                const key = `${message.interface}.${message.member}`;
                                tried.set(key, (tried.get(key) ?? 0) + 1);
                                return raw.call(message).then(
                                    () => ['', ''] as const,
                                    (error: Error & {readonly type?: string}) =>
                                        [error.type ?? '', error.message] as const,
                                );
                            }),
                        );
                        for (const [name, text] of replies) {
                            answers += 1;
                            expect(name).toMatch(
                                /^$|^org\.(freedesktop\.DBus|frostyard\.Snow1)\.Error\.\w+$/,
                            );
                            expect(text.length).toBeLessThan(600);
                            expect(text).not.toMatch(/\n|\bat .*\(|\.cjs|node:|TypeError|secret/);
                        }
                    },
                ),
                {numRuns: 10},
            );
        }
        await call(bus, ROOT, `${DBUS}.Peer.Ping`);
        expect(service.child.exitCode).toBeNull();
        for (const target of targets)
            expect(tried.get(`${target.interface}.${target.member}`) ?? 0).toBeGreaterThan(0);
        console.log(`${answers} calls of ${tried.size} methods were answered`);
    },
    SECONDS * 1000 + 60_000,
);
