// SPDX-License-Identifier: GPL-2.0-or-later
import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';

import {Forwarder} from '../../../helper/src/broker/forwarder.ts';
import {INTERFACE, OBJECT_PATH} from '../../../helper/src/broker/names.ts';
import {BusError} from '../../../helper/src/host/bus-error.ts';
import {type WireConnection, textOf} from '../../../helper/src/host/wire/connection.ts';
import {type Envelope, flags, messageTypes} from '../../../helper/src/host/wire/message.ts';
import {stringBody} from '../../../helper/src/host/wire/values.ts';
import {FakeBus} from '../host/wire/fake-bus.ts';

let host: FakeBus;
let inside: FakeBus;
let container: WireConnection;
let admit: () => Promise<void>;
let ends: number;
const onError = vi.fn();

beforeEach(async () => {
    host = await FakeBus.start();
    inside = await FakeBus.start();
    const connection = await host.connect();
    container = await inside.connect();
    admit = () => Promise.resolve();
    ends = 0;
    onError.mockClear();
    const forwarder = new Forwarder({
        host: connection,
        admit: () => admit(),
        container: () => Promise.resolve(container),
        machineId: () => Promise.resolve('0123'),
        begin: () => () => void (ends += 1),
        onError,
    });
    connection.handleCalls(message => forwarder.handle(message));
});
afterEach(async () => {
    container.drop();
    await host[Symbol.asyncDispose]();
    await inside[Symbol.asyncDispose]();
});

/** A program of the host calls a method of the broker. */
function call(
    parts: Partial<Envelope> = {},
    body: Buffer = stringBody('a question', false),
): number {
    return host.send(
        {
            type: messageTypes.call,
            path: OBJECT_PATH,
            interface: INTERFACE,
            member: 'getAccounts',
            signature: 's',
            ...parts,
        },
        body,
    );
}

describe('a call that is handed on', () => {
    it('says the same there, in the same bytes', async () => {
        const body = Buffer.from([0, 0, 0, 2, 0x61, 0x62, 0]);
        call({isBigEndian: true, flags: 0x4}, body);
        expect(await inside.next()).toMatchObject({
            destination: 'com.microsoft.identity.broker1',
            path: OBJECT_PATH,
            interface: INTERFACE,
            member: 'getAccounts',
            signature: 's',
            flags: 0x4,
            isBigEndian: true,
            body,
        });
    });

    it('is answered to its caller with what is answered there', async () => {
        const serial = call();
        const asked = await inside.next();
        inside.send(
            {
                type: messageTypes.error,
                replySerial: asked.serial,
                errorName: 'com.example.Error',
                signature: 'sas',
                flags: flags.noReplyExpected,
            },
            Buffer.from([1, 0, 0, 0, 0x78, 0, 0, 0, 0, 0, 0, 0]),
        );
        expect(await host.next()).toMatchObject({
            type: messageTypes.error,
            replySerial: serial,
            errorName: 'com.example.Error',
            signature: 'sas',
            body: Buffer.from([1, 0, 0, 0, 0x78, 0, 0, 0, 0, 0, 0, 0]),
        });
        expect(ends).toBe(1);
    });

    it.each([
        ['a string without its end', 's', Buffer.from([3, 0, 0, 0, 0x61, 0x62, 0x63])],
        ['more than it says', 's', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])],
        ['nothing of what it says', 'ss', Buffer.alloc(0)],
    ])(
        'and answered with %s is no reason for the bus to close the connection',
        async (_, signature, body) => {
            const serial = call();
            const {serial: replySerial} = await inside.next();
            inside.send({type: messageTypes.return, replySerial, signature}, body);
            expect(await host.next()).toMatchObject({
                type: messageTypes.error,
                replySerial: serial,
                errorName: 'org.freedesktop.DBus.Error.InconsistentMessage',
            });
        },
    );

    it('is none of another method: its name is put right in the answer only', async () => {
        const serial = call({member: 'readEverything'});
        const asked = await inside.next();
        expect(asked.member).toMatch(/^none_/);
        inside.send(
            {
                type: messageTypes.error,
                replySerial: asked.serial,
                errorName: 'org.freedesktop.DBus.Error.UnknownMethod',
                signature: 's',
            },
            stringBody(`No “${asked.member}” here`, false),
        );
        const reply = await host.next();
        expect(reply).toMatchObject({replySerial: serial});
        expect(textOf(reply)).toBe('No “readEverything” here');
    });

    it('may be lost with the container', async () => {
        call();
        await inside.next();
        inside.socket.destroy();
        const reply = await host.next();
        expect(reply.errorName).toBe('org.freedesktop.DBus.Error.NoReply');
        expect(textOf(reply)).toMatch(/disconnected from message bus without replying/);
    });
});

describe('a call that is not handed on', () => {
    it('is one of who may not call', async () => {
        admit = () => Promise.reject(new BusError('com.example.No', 'You may not'));
        call();
        expect((await host.next()).errorName).toBe('com.example.No');
    });

    it('is one too many', async () => {
        let open: () => void = () => undefined;
        const opened = new Promise<void>(resolve => (open = resolve));
        admit = () => opened;
        for (let i = 0; i < 1025; i++) call();
        expect((await host.next()).errorName).toBe('org.freedesktop.DBus.Error.LimitsExceeded');
        open();
        for (let i = 0; i < 1024; i++) inside.reply(await inside.next(), 'yes');
        for (let i = 0; i < 1024; i++) expect((await host.next()).type).toBe(messageTypes.return);
        expect(ends).toBe(1025);
    });

    it('is answered without telling more of what went wrong here', async () => {
        admit = () => Promise.reject(new TypeError('Nobody may see that'));
        call();
        const reply = await host.next();
        expect(reply.errorName).toBe('org.freedesktop.DBus.Error.NoReply');
        expect(textOf(reply)).not.toContain('Nobody');
        expect(onError).toHaveBeenCalledOnce();
    });

    it('is one for its description, which takes no arguments', async () => {
        const introspectable = 'org.freedesktop.DBus.Introspectable';
        call({interface: introspectable, member: 'Introspect'});
        expect((await host.next()).errorName).toBe('org.freedesktop.DBus.Error.InvalidArgs');
        call({interface: introspectable, member: 'Introspect', signature: ''}, Buffer.alloc(0));
        expect(textOf(await host.next())).toContain(`<interface name="${INTERFACE}">`);
    });
});
