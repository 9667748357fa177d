// SPDX-License-Identifier: GPL-2.0-or-later
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {type Socket, connect, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {WireConnection} from '../../../../helper/src/host/wire/connection.ts';
import {FrameReader} from '../../../../helper/src/host/wire/frames.ts';
import {
    type Envelope,
    type Message,
    encodeHeader,
    envelope,
    messageTypes,
} from '../../../../helper/src/host/wire/message.ts';
import {stringBody} from '../../../../helper/src/host/wire/values.ts';

/** A bus of one client, whose other clients are the test. */
export class FakeBus implements AsyncDisposable {
    readonly address: string;
    readonly #directory: string;
    readonly #close: () => void;
    /** What came after Hello, not yet taken. */
    readonly #messages: Message[] = [];
    #wake: () => void = () => undefined;
    #socket: Socket | null = null;
    #serial = 1000;

    private constructor(directory: string) {
        this.#directory = directory;
        this.address = `unix:path=${join(directory, 'bus')}`;
        const server = createServer(socket => this.#serve(socket));
        server.listen(join(directory, 'bus'));
        this.#close = () => server.close();
    }

    static async start(): Promise<FakeBus> {
        return new FakeBus(await mkdtemp(join(tmpdir(), 'fake-bus-')));
    }

    async connect(maxBody = 1024 * 1024): Promise<WireConnection> {
        const socket = connect(join(this.#directory, 'bus'));
        return WireConnection.open({input: socket, output: socket}, {maxBody});
    }

    get socket(): Socket {
        if (!this.#socket) throw new Error('Nobody is connected');
        return this.#socket;
    }

    /** The next message that the client sends. */
    async next(): Promise<Message> {
        for (;;) {
            const message = this.#messages.shift();
            if (message) return message;
            await new Promise<void>(resolve => (this.#wake = resolve));
        }
    }

    send(
        parts: Partial<Envelope> & Pick<Envelope, 'type'>,
        body: Buffer = Buffer.alloc(0),
    ): number {
        const serial = this.#serial++;
        const header = encodeHeader(envelope(parts), serial, body.length);
        this.socket.write(Buffer.concat([header, body]));
        return serial;
    }

    reply(to: Message, text: string): void {
        const {serial: replySerial} = to;
        this.send(
            {type: messageTypes.return, replySerial, signature: 's'},
            stringBody(text, false),
        );
    }

    async [Symbol.asyncDispose](): Promise<void> {
        this.#close();
        this.#socket?.destroy();
        await rm(this.#directory, {recursive: true});
    }

    #serve(socket: Socket): void {
        this.#socket = socket;
        socket.on('error', () => undefined);
        const frames = new FrameReader(64 * 1024 * 1024);
        let greeting: Buffer = Buffer.alloc(0);
        const greet = (chunk: Buffer): void => {
            greeting = Buffer.concat([greeting, chunk]);
            const begin = greeting.indexOf('BEGIN\r\n');
            if (begin < 0) {
                socket.write(
                    greeting.includes('NEGOTIATE') ? 'ERROR\r\n' : 'OK 0123456789abcdef\r\n',
                );
                return;
            }
            socket.off('data', greet);
            socket.on('data', (more: Buffer) => this.#take(frames, more));
            this.#take(frames, greeting.subarray(begin + 7));
        };
        socket.on('data', greet);
    }

    #take(frames: FrameReader, chunk: Buffer): void {
        for (const message of frames.push(chunk)) {
            if (message.member === 'Hello') this.reply(message, ':1.1');
            else this.#messages.push(message);
        }
        this.#wake();
    }
}

/** Waits until everything that was written has come. */
export async function whenDrained(socket: Socket): Promise<void> {
    if (socket.writableLength > 0) await once(socket, 'drain');
}
