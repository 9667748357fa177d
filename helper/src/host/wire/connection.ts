// SPDX-License-Identifier: GPL-2.0-or-later
// A connection to a message bus over any stream of bytes, for those who hand messages on. Who wants to
// know what is in them is better served by ../dbus.ts.

import type {Readable, Writable} from 'node:stream';

import {BusError} from '../bus-error.ts';
import {FrameReader} from './frames.ts';
import {
    type Envelope,
    type Message,
    encodeHeader,
    envelope,
    flags,
    messageTypes,
} from './message.ts';
import {MalformedMessage, ValueReader, stringBody} from './values.ts';

const BUS = 'org.freedesktop.DBus';
const BUS_PATH = '/org/freedesktop/DBus';
/** Milliseconds from the first byte that comes until we have a name. */
const GREETING_TIMEOUT = 10_000;
/** Bytes of a line of the authentication. */
const MAX_LINE = 16 * 1024;
const DO_NOT_QUEUE = 0x4;
const PRIMARY_OWNER = 1;
const ALREADY_OWNER = 4;
const NOTHING = Buffer.alloc(0);

/** Two ends of a way to a bus; of a socket they are the same object. */
export interface ByteWay {
    readonly input: Readable;
    readonly output: Writable;
}

export interface WireOptions {
    /** Bytes of a message's body; of a larger one only the header is told. */
    readonly maxBody: number;
    readonly signal?: AbortSignal;
}

export class WireConnection {
    /** Our unique name. */
    name = '';
    /** Settles when the connection is gone, with the reason; empty after close(). */
    readonly closed: Promise<string>;
    readonly #way: ByteWay;
    readonly #frames: FrameReader;
    readonly #pending = new Map<number, PendingReply>();
    #onCall: (message: Message) => void = () => undefined;
    #lastSerial = 0;
    #isCorked = false;
    #throttled: WireConnection | null = null;
    #isClosed = false;
    #resolveClosed: (reason: string) => void = () => undefined;

    private constructor(way: ByteWay, maxBody: number) {
        this.#way = way;
        this.#frames = new FrameReader(maxBody);
        this.closed = new Promise(resolve => (this.#resolveClosed = resolve));
    }

    /** Authenticates as who we are, and says Hello. Throws BusError; then the streams are destroyed. */
    static async open(way: ByteWay, {maxBody, signal}: WireOptions): Promise<WireConnection> {
        const connection = new WireConnection(way, maxBody);
        const abort = (): void => connection.#lose('It was not waited for');
        signal?.addEventListener('abort', abort, {once: true});
        let timer: NodeJS.Timeout | null = null;
        way.input.once('data', () => {
            timer = setTimeout(() => connection.#lose('it does not go on'), GREETING_TIMEOUT);
        });
        try {
            if (signal?.aborted) abort();
            await connection.#authenticate();
            const hello = await connection.callBus('Hello');
            connection.name = new ValueReader(hello.body, hello.isBigEndian).string();
            return connection;
        } catch (error) {
            connection.#lose('It cannot be used');
            throw error;
        } finally {
            if (timer) clearTimeout(timer);
            signal?.removeEventListener('abort', abort);
        }
    }

    /** Sees every call of a method; must not throw. */
    handleCalls(handler: (message: Message) => void): void {
        this.#onCall = handler;
    }

    /** Nothing more is read from that other connection while much waits to be sent over this one. */
    throttle(other: WireConnection): void {
        this.#throttled = other;
    }

    /** On a lost connection there is nobody who could be told. */
    send(message: Envelope, body: Buffer): void {
        this.#write(message, this.#nextSerial(), body);
    }

    /** Sends a call and waits, without a limit, for what is answered: a reply or an error. Throws BusError. */
    request(message: Envelope, body: Buffer): Promise<Message> {
        return new Promise((resolve, reject) => {
            if (this.#isClosed) {
                reject(disconnected('The connection is closed'));
                return;
            }
            const serial = this.#nextSerial();
            this.#pending.set(serial, {resolve, reject});
            this.#write(message, serial, body);
        });
    }

    /** Calls the bus itself, with at most one string. Throws BusError, also for an error that is answered. */
    async callBus(member: string, argument?: string): Promise<Message> {
        return this.#callBus(
            member,
            argument === undefined ? '' : 's',
            argument === undefined ? NOTHING : stringBody(argument, false),
        );
    }

    /** Whether the name is ours now; never waits in its queue. */
    async requestName(name: string): Promise<boolean> {
        const text = stringBody(name, false);
        const body = Buffer.alloc(((text.length + 3) & ~3) + 4);
        text.copy(body);
        body.writeUInt32LE(DO_NOT_QUEUE, body.length - 4);
        const reply = await this.#callBus('RequestName', 'su', body);
        const result = new ValueReader(reply.body, reply.isBigEndian).uint32();
        return result === PRIMARY_OWNER || result === ALREADY_OWNER;
    }

    /** Sends what is still to be sent, then disconnects. */
    async close(): Promise<void> {
        if (this.#isClosed) return;
        this.#isClosed = true;
        const {input, output} = this.#way;
        this.#flush();
        await new Promise<void>(resolve => {
            output.once('close', resolve);
            output.end(() => output.destroy());
        });
        input.destroy();
        this.#settle('The connection was closed');
        this.#resolveClosed('');
    }

    /** Disconnects at once. */
    drop(): void {
        this.#lose('');
    }

    async #callBus(member: string, signature: string, body: Buffer): Promise<Message> {
        const reply = await this.request(
            envelope({
                type: messageTypes.call,
                flags: flags.noAutoStart,
                destination: BUS,
                path: BUS_PATH,
                interface: BUS,
                member,
                signature,
            }),
            body,
        );
        if (reply.type === messageTypes.error) throw new BusError(reply.errorName, textOf(reply));
        return reply;
    }

    /**
     * EXTERNAL, where the bus finds out itself who we are: in a container it may know us by another
     * number. Bytes after the line that ends it are messages already.
     */
    async #authenticate(): Promise<void> {
        const {input, output} = this.#way;
        let text = NOTHING;
        await new Promise<void>((resolve, reject) => {
            void this.closed.then(reason => reject(noServer(reason)));
            input.on('error', error => this.#lose(error.message));
            output.on('error', error => this.#lose(error.message));
            input.on('end', () => this.#lose('the bus closed the connection'));
            input.on('close', () => this.#lose('the bus closed the connection'));
            output.on('drain', () => this.#throttled?.resume());
            const read = (chunk: Buffer): void => {
                text = Buffer.concat([text, chunk]);
                for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
                    const line = text.toString('latin1', 0, end + 1);
                    text = text.subarray(end + 1);
                    if (line === 'DATA\r\n') continue;
                    if (!/^OK\b.*\r\n$/.test(line)) {
                        reject(noServer('it lets nobody in'));
                    } else {
                        input.off('data', read);
                        input.on('data', (more: Buffer) => this.#read(more));
                        resolve();
                    }
                    return;
                }
                if (text.length > MAX_LINE) reject(noServer('it is no bus'));
            };
            input.on('data', read);
            output.write('\0AUTH EXTERNAL\r\nDATA\r\n');
        });
        output.write('BEGIN\r\n');
        if (text.length > 0) this.#read(text);
    }

    #read(chunk: Buffer): void {
        try {
            for (const message of this.#frames.push(chunk)) this.#take(message);
        } catch (error) {
            if (!(error instanceof MalformedMessage)) throw error;
            this.#lose(`what came is no message: ${error.message}`);
        }
    }

    #take(message: Message): void {
        if (message.type === messageTypes.call) {
            this.#onCall(message);
        } else if (message.type !== messageTypes.signal) {
            const pending = this.#pending.get(message.replySerial);
            this.#pending.delete(message.replySerial);
            pending?.resolve(message);
        }
    }

    #write(message: Envelope, serial: number, body: Buffer): void {
        if (this.#isClosed) return;
        const {output} = this.#way;
        // All that is sent in one turn leaves with one call of the system.
        if (!this.#isCorked) {
            this.#isCorked = true;
            output.cork();
            process.nextTick(() => this.#flush());
        }
        const hasRoom = output.write(encodeHeader(message, serial, body.length));
        if (!(body.length > 0 ? output.write(body) : hasRoom)) this.#throttled?.pause();
    }

    #flush(): void {
        if (!this.#isCorked) return;
        this.#isCorked = false;
        this.#way.output.uncork();
    }

    pause(): void {
        this.#way.input.pause();
    }

    resume(): void {
        if (!this.#isClosed) this.#way.input.resume();
    }

    #nextSerial(): number {
        do this.#lastSerial = (this.#lastSerial % 0xffffffff) + 1;
        while (this.#pending.has(this.#lastSerial));
        return this.#lastSerial;
    }

    #lose(reason: string): void {
        if (this.#isClosed) return;
        this.#isClosed = true;
        this.#way.input.destroy();
        this.#way.output.destroy();
        this.#settle(reason);
        this.#resolveClosed(reason);
    }

    #settle(reason: string): void {
        this.#throttled?.resume();
        for (const {reject} of this.#pending.values()) reject(disconnected(reason));
        this.#pending.clear();
    }
}

interface PendingReply {
    readonly resolve: (reply: Message) => void;
    readonly reject: (error: BusError) => void;
}

/** The text of an error's first argument; empty: it has none. */
export function textOf({signature, body, isBigEndian}: Message): string {
    if (!signature.startsWith('s')) return '';
    return new ValueReader(body, isBigEndian).string();
}

function disconnected(reason: string): BusError {
    return new BusError(`${BUS}.Error.Disconnected`, reason);
}

function noServer(reason: string): BusError {
    return new BusError(`${BUS}.Error.NoServer`, `Cannot reach the bus: ${reason}`);
}
