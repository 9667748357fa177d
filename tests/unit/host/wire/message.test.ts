// SPDX-License-Identifier: GPL-2.0-or-later
import {once} from 'node:events';
import type {EventEmitter} from 'node:events';

import {Message as PeerMessage, type MessageBus, Variant, sessionBus} from '@jellybrick/dbus-next';
import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

import {FrameReader} from '../../../../helper/src/host/wire/frames.ts';
import {
    type Message,
    encodeHeader,
    envelope,
    messageTypes,
} from '../../../../helper/src/host/wire/message.ts';
import {
    MalformedMessage,
    ValueReader,
    isValidBody,
    stringBody,
} from '../../../../helper/src/host/wire/values.ts';
import {FakeBus} from './fake-bus.ts';

interface Typed {
    readonly signature: string;
    readonly value: unknown;
}

const text = fc.string({unit: 'grapheme', maxLength: 20}).filter(s => !s.includes('\0'));
const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/);
const path = fc.array(name, {maxLength: 3}).map(names => `/${names.join('/')}`);
const dotted = fc.array(name, {minLength: 2, maxLength: 3}).map(names => names.join('.'));

function of(signature: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<Typed> {
    return value.map(v => ({signature, value: v}));
}
const basic = fc.oneof(
    of('y', fc.integer({min: 0, max: 255})),
    of('b', fc.boolean()),
    of('n', fc.integer({min: -32768, max: 32767})),
    of('q', fc.integer({min: 0, max: 65535})),
    of('i', fc.integer()),
    of('u', fc.nat(0xffffffff)),
    // The other library refuses the least of all.
    of('x', fc.bigInt({min: 1n - 2n ** 63n, max: 2n ** 63n - 1n})),
    of('t', fc.bigInt({min: 0n, max: 2n ** 64n - 1n})),
    of('d', fc.double({noNaN: true, noDefaultInfinity: true})),
    of('s', text),
    of('o', path),
    of('g', fc.constantFrom('', 's', 'a{sv}', '(ii)as')),
);
const {typed} = fc.letrec<{typed: Typed}>(tie => ({
    typed: fc.oneof(
        {maxDepth: 4},
        basic,
        fc.tuple(tie('typed'), fc.nat(3)).map(([{signature, value}, count]) => ({
            signature: `a${signature}`,
            // The library takes and gives bytes as a buffer.
            value:
                signature === 'y'
                    ? Buffer.alloc(count, Number(value))
                    : Array.from({length: count}, () => value),
        })),
        fc.array(tie('typed'), {minLength: 1, maxLength: 3}).map(members => ({
            signature: `(${members.map(member => member.signature).join('')})`,
            value: members.map(member => member.value),
        })),
        fc.tuple(text, tie('typed')).map(([key, {signature, value}]) => ({
            signature: `a{s${signature}}`,
            value: key === '__proto__' ? {} : {[key]: value},
        })),
        tie('typed').map(({signature, value}) => ({
            signature: 'v',
            value: new Variant(signature, value),
        })),
    ),
}));
const call = fc
    .record({
        path,
        member: name,
        interface: fc.option(dotted, {nil: ''}),
        destination: fc.option(dotted, {nil: ''}),
        flags: fc.integer({min: 0, max: 7}),
        body: fc.array(typed, {maxLength: 4}),
    })
    .filter(({body}) => body.map(({signature}) => signature).join('').length < 200);

let bus: FakeBus;
let peer: MessageBus;

beforeAll(async () => {
    bus = await FakeBus.start();
    peer = sessionBus({busAddress: bus.address});
    await once(peer as unknown as EventEmitter, 'connect');
});

afterAll(async () => {
    peer.disconnect();
    await bus[Symbol.asyncDispose]();
});

/** A message as another library makes it. */
async function fromPeer({body, ...parts}: typeof call extends fc.Arbitrary<infer T> ? T : never) {
    const {interface: interfaceName, destination, ...rest} = parts;
    peer.send(
        new PeerMessage({
            ...rest,
            ...(interfaceName === '' ? {} : {interface: interfaceName}),
            ...(destination === '' ? {} : {destination}),
            signature: body.map(({signature}) => signature).join(''),
            body: body.map(({value}) => value),
        } as ConstructorParameters<typeof PeerMessage>[0]),
    );
    return bus.next();
}

function encode(message: Message): Buffer {
    const header = encodeHeader(message, message.serial, message.body.length);
    return Buffer.concat([header, message.body]);
}

describe('a message', () => {
    it('of another library is read as it was meant', async () => {
        await fc.assert(
            fc.asyncProperty(call, async parts => {
                const message = await fromPeer(parts);
                const signature = parts.body.map(({signature: one}) => one).join('');
                const {body, ...said} = parts;
                expect(message).toMatchObject({...said, signature, type: messageTypes.call});
                expect(body.length === 0 || message.body.length > 0 || signature === '').toBe(true);
                expect(isValidBody(signature, message.body, message.isBigEndian)).toBe(true);
            }),
            {numRuns: 300},
        );
    });

    it('is the same after it was written and read again, in any pieces', async () => {
        await fc.assert(
            fc.asyncProperty(
                fc.array(call, {minLength: 1, maxLength: 4}),
                fc.array(fc.nat(200), {minLength: 1, maxLength: 20}),
                async (calls, pieces) => {
                    const messages: Message[] = [];
                    for (const parts of calls) messages.push(await fromPeer(parts));
                    const bytes = Buffer.concat(messages.map(encode));
                    const reader = new FrameReader(1024 * 1024);
                    const read: Message[] = [];
                    for (let at = 0, i = 0; at < bytes.length; i++) {
                        const end = at + Math.max(1, pieces[i % pieces.length] ?? 1);
                        read.push(...reader.push(bytes.subarray(at, end)));
                        at = end;
                    }
                    expect(read).toEqual(messages.map(message => ({...message, sender: ''})));
                },
            ),
            {numRuns: 100},
        );
    });

    it.each([true, false])(
        'of ours is understood by another library (big endian: %s)',
        async big => {
            const message = envelope({
                type: messageTypes.signal,
                path: '/com/example',
                interface: 'com.example.Interface',
                member: 'Said',
                signature: 's',
                isBigEndian: big,
            });
            const heard = once(peer as unknown as EventEmitter, 'message');
            bus.send(message, stringBody('größer als ein Byte', big));
            const [{member, body}] = (await heard) as [PeerMessage];
            expect({member, body}).toEqual({member: 'Said', body: ['größer als ein Byte']});
        },
    );

    it('without its body, which is larger than wanted, is followed by the next one', () => {
        const reader = new FrameReader(100);
        const parts = {type: messageTypes.call, path: '/', member: 'A', signature: 's'} as const;
        const large = stringBody('x'.repeat(5000), false);
        const small = stringBody('y', false);
        const bytes = Buffer.concat([
            encodeHeader(envelope(parts), 1, large.length),
            large,
            encodeHeader(envelope(parts), 2, small.length),
            small,
        ]);
        for (const size of [1, 7, 1000, bytes.length]) {
            const read: Message[] = [];
            for (let at = 0; at < bytes.length; at += size)
                read.push(...reader.push(bytes.subarray(at, at + size)));
            expect(read).toMatchObject([
                {serial: 1, isCut: true, body: Buffer.alloc(0)},
                {serial: 2, isCut: false, body: small},
            ]);
        }
    });

    it('that is broken somewhere is refused, or is another one, and nothing worse', async () => {
        await fc.assert(
            fc.asyncProperty(
                call,
                fc.array(fc.tuple(fc.nat(), fc.nat(255)), {minLength: 1, maxLength: 3}),
                async (parts, changes) => {
                    const bytes = encode(await fromPeer(parts));
                    for (const [at, value] of changes) bytes[at % bytes.length] = value;
                    const reader = new FrameReader(1024 * 1024);
                    try {
                        for (const {signature, body, isBigEndian} of reader.push(bytes))
                            isValidBody(signature, body, isBigEndian);
                    } catch (error) {
                        expect(error).toBeInstanceOf(MalformedMessage);
                    }
                },
            ),
            {numRuns: 500},
        );
    });
});

describe('a body', () => {
    it.each([
        ['s', [3, 0, 0, 0, 97, 98, 99, 0], true],
        ['s', [3, 0, 0, 0, 97, 98, 99, 1], false],
        ['s', [3, 0, 0, 0, 97, 0, 99, 0], false],
        ['s', [1, 0, 0, 0, 0xff, 0], false],
        ['s', [255, 255, 255, 255, 97, 0], false],
        ['s', [1, 0, 0, 0, 97, 0, 0], false],
        ['b', [2, 0, 0, 0], false],
        ['yu', [1, 0, 0, 0, 1, 0, 0, 0], true],
        ['yu', [1, 7, 0, 0, 1, 0, 0, 0], false],
        ['o', [1, 0, 0, 0, 97, 0], false],
        ['g', [1, 97, 0], false],
        ['v', [2, 115, 115, 0], false],
        ['v', [0, 0], false],
        ['au', [6, 0, 0, 0, 1, 0, 0, 0, 1, 0], false],
        ['a{vs}', [0, 0, 0, 0, 0, 0, 0, 0], false],
        ['()', [], false],
        ['(s', [], false],
        ['z', [], false],
        ['', [], true],
        ['', [0], false],
    ])('of %s is judged as the bus does: %j', (signature, bytes, isValid) => {
        expect(isValidBody(signature, Buffer.from(bytes), false)).toBe(isValid);
    });

    it('of variants in variants has an end', () => {
        const deep = Buffer.concat([
            ...Array.from({length: 100_000}, () => Buffer.from([1, 118, 0])),
            Buffer.from([1, 121, 0, 0]),
        ]);
        expect(isValidBody('v', deep, false)).toBe(false);
    });

    it('of a string is read again', () => {
        fc.assert(
            fc.property(text, fc.boolean(), (string, big) => {
                const body = stringBody(string, big);
                expect(isValidBody('s', body, big)).toBe(true);
                expect(new ValueReader(body, big).string()).toBe(string);
            }),
        );
    });
});
