// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for the identity broker on the bus of its session: answers what the request tells it to.

import type {EventEmitter} from 'node:events';

import {Message, sessionBus} from '@jellybrick/dbus-next';

import {Broker1Interface} from '../../../../helper/src/generated/broker1.ts';

/** The third argument of a call, as JSON. */
export interface StandInRequest {
    /** Milliseconds until it is answered. */
    readonly wait?: number;
    /** Characters that the answer is filled up with. */
    readonly size?: number;
    /** Name and text of the error that is answered. */
    readonly fail?: readonly [string, string];
    /** The broker ends instead. */
    readonly crash?: boolean;
}

const NAME = 'com.microsoft.identity.broker1';
const PATH = '/com/microsoft/identity/broker1';
const FAILED = 'org.freedesktop.DBus.Error.Failed';

/** What a later version may have, and nobody on the host is to call. */
const methods: readonly string[] = [...Broker1Interface.methods, 'exportEverything'];

const bus = sessionBus();
/** Ends the waiting of calls, by their correlation. */
const waiting = new Map<string, () => void>();
let calls = 0;

bus.addMethodHandler(message => {
    const {path, interface: interfaceName, member, signature, body} = message;
    const isKnown = methods.includes(member);
    const isOurs = !interfaceName || interfaceName === Broker1Interface.name;
    if (path !== PATH || !isOurs || !isKnown) return false;
    calls += 1;
    if (signature !== 'sss') {
        const text = `${member} takes sss, not “${signature}”`;
        bus.send(Message.newError(message, 'org.freedesktop.DBus.Error.InvalidArgs', text));
        return true;
    }
    const [version, correlation, request] = body.map(String) as [string, string, string];
    void answer(message, member, version, correlation, request);
    return true;
});

async function answer(
    message: Message,
    method: string,
    version: string,
    correlation: string,
    text: string,
): Promise<void> {
    let request: StandInRequest = {};
    try {
        request = JSON.parse(text) as StandInRequest;
    } catch {
        bus.send(Message.newError(message, FAILED, `No JSON, of ${text.length} characters`));
        return;
    }
    if (request.crash) process.exit(3);
    if (method === 'cancelInteractiveFlow') {
        waiting.get(correlation)?.();
    } else if (request.wait !== undefined) {
        const isCancelled = await new Promise<boolean>(resolve => {
            setTimeout(() => resolve(false), request.wait);
            waiting.set(correlation, () => resolve(true));
        });
        waiting.delete(correlation);
        if (isCancelled) {
            const name = 'com.microsoft.identity.Error.Cancelled';
            bus.send(Message.newError(message, name, 'The person closed the window'));
            return;
        }
    }
    if (request.fail) {
        bus.send(Message.newError(message, ...request.fail));
        return;
    }
    const filling = 'x'.repeat(request.size ?? 0);
    const response = {
        method,
        version,
        correlation,
        length: text.length,
        calls,
        filling,
        accounts: [{username: 'anna@example.com'}],
        linuxBrokerVersion: '2.0.1',
    };
    bus.send(Message.newMethodReturn(message, 's', [JSON.stringify(response)]));
}

/** What the library does not tell: the bus is gone. */
const {_connection: wire} = bus as unknown as {readonly _connection: EventEmitter};
wire.on('end', () => process.exit(0));
(bus as unknown as EventEmitter).on('error', error => {
    console.error(error);
    process.exit(1);
});
const DO_NOT_QUEUE = 4;
void bus.requestName(NAME, DO_NOT_QUEUE).then(result => {
    if (result !== 1) process.exit(2);
    console.log('The stand-in for the identity broker runs');
});
