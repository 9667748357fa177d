// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import type {WireConnection} from '../../../../helper/src/host/wire/connection.ts';
import {envelope, messageTypes} from '../../../../helper/src/host/wire/message.ts';
import {sessionBusSocket} from '../../../../helper/src/host/wire/session-bus.ts';
import {stringBody} from '../../../../helper/src/host/wire/values.ts';
import {FakeBus} from './fake-bus.ts';

const MIB = 1024 * 1024;
const call = envelope({type: messageTypes.call, path: '/', member: 'Ask', signature: 's'});

let bus: FakeBus;
let connection: WireConnection;

beforeEach(async () => {
    bus = await FakeBus.start();
    connection = await bus.connect();
});
afterEach(async () => {
    connection.drop();
    await bus[Symbol.asyncDispose]();
});

describe('a connection to a bus', () => {
    it('has the name that the bus gave it', () => {
        expect(connection.name).toBe(':1.1');
    });

    it('gives each call the reply to it, in whichever order they come', async () => {
        const asking = ['a', 'b', 'c'].map(text =>
            connection.request(call, stringBody(text, false)),
        );
        const calls = [await bus.next(), await bus.next(), await bus.next()];
        // One that nobody waits for changes nothing.
        bus.send({type: messageTypes.return, replySerial: 4711});
        for (const asked of calls.reverse()) bus.reply(asked, `to ${asked.serial}`);
        const replies = await Promise.all(asking);
        expect(replies.map(({replySerial}) => replySerial)).toEqual(
            calls.reverse().map(({serial}) => serial),
        );
    });

    it('that is lost fails what is waited for, and all that comes after', async () => {
        const asking = connection.request(call, stringBody('a', false));
        await bus.next();
        bus.socket.destroy();
        await expect(asking).rejects.toMatchObject({
            errorName: 'org.freedesktop.DBus.Error.Disconnected',
        });
        await expect(connection.closed).resolves.toBe('the bus closed the connection');
        await expect(connection.request(call, stringBody('b', false))).rejects.toThrow();
    });

    it('that brings what is no message is lost', async () => {
        bus.socket.write(Buffer.alloc(100));
        await expect(connection.closed).resolves.toMatch(/is no message/);
    });

    it('that is closed sends before what is still to be sent', async () => {
        connection.send(call, stringBody('x'.repeat(MIB), false));
        await connection.close();
        expect((await bus.next()).body.length).toBe(MIB + 5);
        await expect(connection.closed).resolves.toBe('');
    });

    it('that does not take what is sent keeps another one from being read', async () => {
        await using other = await FakeBus.start();
        const source = await other.connect();
        connection.throttle(source);
        source.handleCalls(message => connection.send(call, message.body));
        bus.socket.pause();
        const COUNT = 200;
        for (let i = 0; i < COUNT; i++) other.send(call, stringBody('x'.repeat(MIB / 2), false));
        await sleep(300);
        // What does not fit into sockets and one pause is still with who sent it.
        expect(other.socket.writableLength).toBeGreaterThan((COUNT / 4) * MIB);
        bus.socket.resume();
        for (let i = 0; i < COUNT; i++) expect((await bus.next()).body.length).toBe(MIB / 2 + 5);
        source.drop();
    });
});

describe('the socket of the session’s bus', () => {
    it.each([
        [{DBUS_SESSION_BUS_ADDRESS: 'unix:path=/run/user/1000/bus'}, '/run/user/1000/bus'],
        [{DBUS_SESSION_BUS_ADDRESS: 'unix:path=/tmp/a%20b,guid=12'}, '/tmp/a b'],
        [{DBUS_SESSION_BUS_ADDRESS: 'tcp:host=x;unix:abstract=/tmp/dbus-1'}, '\0/tmp/dbus-1'],
        [{XDG_RUNTIME_DIR: '/run/user/1001'}, '/run/user/1001/bus'],
    ])('by %j is %j', (environment, path) => {
        expect(sessionBusSocket(environment)).toBe(path);
    });

    it('by nothing is none', () => {
        expect(() => sessionBusSocket({})).toThrow(/no bus/);
        expect(() =>
            sessionBusSocket({DBUS_SESSION_BUS_ADDRESS: 'tcp:host=x', XDG_RUNTIME_DIR: '/run'}),
        ).toThrow(/no bus/);
    });
});
