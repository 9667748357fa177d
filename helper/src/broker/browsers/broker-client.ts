// SPDX-License-Identifier: GPL-2.0-or-later
import {type WireConnection, textOf} from '../../host/wire/connection.ts';
import {envelope, messageTypes} from '../../host/wire/message.ts';
import {stringBody} from '../../host/wire/values.ts';
import {BUS_NAME, INTERFACE, OBJECT_PATH} from '../names.ts';

/** Of the protocol that clients of the broker speak. */
const PROTOCOL = '0.0';
/** Milliseconds; nobody is asked anything by what extensions ask for. */
const TIMEOUT = 60_000;

/** Calls the broker on the session's bus, over a connection that is made when it is first needed. */
export function brokerClient(
    connect: () => Promise<WireConnection>,
): (method: string, session: string, request: string) => Promise<string> {
    let connecting: Promise<WireConnection> | null = null;

    function connection(): Promise<WireConnection> {
        const forget = (): void => void (connecting = null);
        connecting ??= connect().then(
            made => {
                void made.closed.then(forget);
                return made;
            },
            (error: unknown) => {
                forget();
                throw error;
            },
        );
        return connecting;
    }

    return async (method, session, request) => {
        const bus = await connection();
        const asking = bus.request(
            envelope({
                type: messageTypes.call,
                destination: BUS_NAME,
                path: OBJECT_PATH,
                interface: INTERFACE,
                member: method,
                signature: 'sss',
            }),
            Buffer.concat([padded(PROTOCOL), padded(session), stringBody(request, false)]),
        );
        const reply = await withLimit(asking);
        if (reply.isCut) throw new Error('The broker answers too much');
        if (reply.type === messageTypes.error) throw new Error(textOf(reply) || reply.errorName);
        return textOf(reply);
    };
}

/** A string that another one follows. */
function padded(text: string): Buffer {
    const body = stringBody(text, false);
    return Buffer.concat([body, Buffer.alloc(-body.length & 3)]);
}

async function withLimit<T>(asking: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | null = null;
    const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('The broker does not answer')), TIMEOUT);
    });
    try {
        return await Promise.race([asking, late]);
    } finally {
        if (timer) clearTimeout(timer);
    }
}
