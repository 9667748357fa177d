// SPDX-License-Identifier: GPL-2.0-or-later
// The connection to the system bus, on top of @jellybrick/dbus-next: the maintained fork of dbus-next
// (no release since 2022), a drop-in with two dependencies instead of seven. Of either only the
// messages are used: their service classes hide the sender and the flags of a call, and send stack
// traces to callers; and what would trust a stranger or end the process is seen to here.

import type {EventEmitter} from 'node:events';
import type {Duplex} from 'node:stream';

import {Message, type MessageBus, MessageType, Variant, systemBus} from '@jellybrick/dbus-next';

import {BusError} from './bus-error.ts';
import {type ErrorCode, SnowError} from './error.ts';

export {BusError, Variant};

const BUS = 'org.freedesktop.DBus';
const BUS_PATH = '/org/freedesktop/DBus';
const SNOW_ERROR = 'org.frostyard.Snow1.Error.';

const NO_REPLY_EXPECTED = 0x1;
const ALLOW_INTERACTIVE_AUTHORIZATION = 0x4;
/** Bytes of a message's arguments: some thousand features. */
const MAX_BODY = 1024 * 1024;

const DO_NOT_QUEUE = 0x4;
const PRIMARY_OWNER = 1;
const ALREADY_OWNER = 4;

export interface MethodCall {
    readonly destination: string;
    readonly path: string;
    readonly interface: string;
    readonly member: string;
    readonly signature?: string;
    readonly body?: readonly unknown[];
    /** Whether the callee may have a password asked for. */
    readonly allowInteraction?: boolean;
}

/** A call of one of our methods, as it came. */
export interface IncomingCall {
    /** Unique name of the caller, set by the bus. */
    readonly sender: string;
    readonly path: string;
    /** Empty: the caller named none. */
    readonly interface: string;
    readonly member: string;
    readonly signature: string;
    readonly body: readonly unknown[];
    readonly allowsInteraction: boolean;
    readonly expectsReply: boolean;
}

export interface Signal {
    readonly sender: string;
    readonly path: string;
    readonly interface: string;
    readonly member: string;
    readonly body: readonly unknown[];
}

/** What a signal must be like; a part that is not there may be anything. */
export interface SignalMatch {
    /** A unique or a well-known name; of the latter only its owner's signals count. */
    readonly sender?: string;
    readonly path?: string;
    /** This path and all below it. */
    readonly pathNamespace?: string;
    readonly interface?: string;
    readonly member?: string;
    /** First argument, a string. */
    readonly arg0?: string;
}

/** Takes back what was asked for. */
export type Undo = () => Promise<void>;

export interface BusConnection {
    /** Our unique name. */
    readonly name: string;
    /** Settles when the connection is gone, with the reason; empty after close(). */
    readonly closed: Promise<string>;
    /**
     * Calls a method and waits, for ever unless the signal is aborted, for the body of its reply.
     * Throws SnowError for org.frostyard.Snow1.Error.* and BusError for any other error.
     */
    call(call: MethodCall, signal?: AbortSignal): Promise<readonly unknown[]>;
    subscribe(match: SignalMatch, listener: (signal: Signal) => void): Promise<Undo>;
    /** Tells the owner of a name now and whenever it changes; empty: nobody. */
    watchOwner(name: string, listener: (owner: string) => void): Promise<Undo>;
    /** Whether the name is ours now; never waits in its queue. */
    requestName(name: string): Promise<boolean>;
    releaseName(name: string): Promise<void>;
    /** The handler must not throw; it sees every call, and answers with reply() or replyError(). */
    handleCalls(handler: (call: IncomingCall) => void): void;
    /** Nothing is sent to a caller that wants no reply. */
    reply(call: IncomingCall, signature: string, body: readonly unknown[]): void;
    replyError(call: IncomingCall, errorName: string, text: string): void;
    emit(
        path: string,
        interfaceName: string,
        member: string,
        signature: string,
        body: readonly unknown[],
    ): void;
    /** Sends what is still to be sent, then disconnects. */
    close(): Promise<void>;
}

/** Connects to the bus of DBUS_SYSTEM_BUS_ADDRESS, or the machine's. Throws BusError. */
export async function connectToSystemBus(): Promise<BusConnection> {
    const bus = systemBus({authMethods: ['EXTERNAL']});
    const connection = new SystemBusConnection(bus);
    await connection.connected;
    return connection;
}

/** A value from the bus without its variants; 64-bit numbers become safe integers, or Infinity. */
export function plainValue(value: unknown): unknown {
    if (value instanceof Variant) return plainValue(value.value);
    if (typeof value === 'bigint') return safeInteger(value);
    if (Array.isArray(value)) return value.map(plainValue);
    if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
        const entries = Object.entries(value).map(([key, inner]) => [key, plainValue(inner)]);
        return Object.fromEntries(entries);
    }
    return value;
}

function safeInteger(value: bigint): number {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : Math.sign(number) * Infinity;
}

/** What the types of the library hide, and no other way shows: errors, and the connection's end. */
interface LibraryInternals extends EventEmitter {
    readonly _connection: EventEmitter & {readonly stream?: Duplex};
}

class SystemBusConnection implements BusConnection {
    readonly connected: Promise<void>;
    readonly closed: Promise<string>;
    readonly #bus: MessageBus;
    readonly #pending = new Set<(error: Error) => void>();
    readonly #listeners = new Set<(signal: Signal) => void>();
    /** Each incoming call with the message that a reply refers to. */
    readonly #messages = new WeakMap<IncomingCall, Message>();
    #isClosing = false;
    #isClosed = false;

    constructor(bus: MessageBus) {
        this.#bus = bus;
        const events = bus as unknown as LibraryInternals;
        const {_connection: wire} = events;
        let lastError = '';
        this.closed = new Promise(resolve => {
            const lose = (): void => {
                this.#isClosed = true;
                const reason = lastError || 'the bus closed the connection';
                for (const reject of this.#pending)
                    reject(new BusError(`${BUS}.Error.Disconnected`, reason));
                this.#pending.clear();
                resolve(this.#isClosing ? '' : reason);
            };
            wire.on('end', lose);
            events.on('error', (error: unknown) => {
                lastError = error instanceof Error ? error.message : String(error);
                // A message that cannot be understood is one thing, a lost socket another.
                if (wire.stream?.destroyed ?? true) lose();
            });
            bus.on('connect', () => {
                wire.stream?.once('close', lose);
            });
        });
        this.connected = new Promise((resolve, reject) => {
            bus.on('connect', () => {
                if (wire.stream) surviveMalformedMessages(wire.stream);
                resolve();
            });
            void this.closed.then(reason => {
                reject(new BusError(`${BUS}.Error.NoServer`, `Cannot reach the bus: ${reason}`));
            });
        });
        bus.on('message', message => {
            if (message.type === MessageType.SIGNAL) this.#hear(message);
        });
    }

    get name(): string {
        return this.#bus.name ?? '';
    }

    call(call: MethodCall, signal?: AbortSignal): Promise<readonly unknown[]> {
        return new Promise((resolve, reject) => {
            if (this.#isClosed) {
                reject(new BusError(`${BUS}.Error.Disconnected`, 'The connection is closed'));
                return;
            }
            if (signal?.aborted) {
                reject(new SnowError('Cancelled', `${call.member} was not called`));
                return;
            }
            const abort = (): void => {
                settle();
                reject(new SnowError('Cancelled', `${call.member} was not waited for`));
            };
            const settle = (): void => {
                this.#pending.delete(reject);
                signal?.removeEventListener('abort', abort);
            };
            this.#pending.add(reject);
            signal?.addEventListener('abort', abort, {once: true});
            this.#bus.call(messageOf(call)).then(
                reply => {
                    settle();
                    if (reply && isFrom(reply.sender, call.destination)) resolve(reply.body);
                    else reject(new BusError(`${BUS}.Error.AccessDenied`, 'A forged reply came'));
                },
                (error: unknown) => {
                    settle();
                    reject(errorOf(error));
                },
            );
        });
    }

    async subscribe(match: SignalMatch, listener: (signal: Signal) => void): Promise<Undo> {
        const rule = ruleOf(match);
        let owner = match.sender;
        const isWellKnown = owner !== undefined && owner !== BUS && !owner.startsWith(':');
        const watching =
            isWellKnown && owner !== undefined
                ? this.watchOwner(owner, now => (owner = now))
                : null;
        const filter = (signal: Signal): void => {
            if (matches(signal, match) && (owner === undefined || signal.sender === owner))
                listener(signal);
        };
        this.#listeners.add(filter);
        const [unwatch] = await Promise.all([watching, this.#busCall('AddMatch', 's', [rule])]);
        return async () => {
            if (!this.#listeners.delete(filter) || this.#isClosed) return;
            await Promise.all([this.#busCall('RemoveMatch', 's', [rule]), unwatch?.()]);
        };
    }

    async watchOwner(name: string, listener: (owner: string) => void): Promise<Undo> {
        let wasTold = false;
        const subscribing = this.subscribe(
            {sender: BUS, interface: BUS, member: 'NameOwnerChanged', arg0: name},
            ({body}) => {
                wasTold = true;
                listener(String(body[2]));
            },
        );
        const asking = this.#busCall('GetNameOwner', 's', [name]).then(
            ([owner]) => String(owner),
            (error: unknown) => {
                if (!isBusError(error, 'NameHasNoOwner')) throw error;
                return '';
            },
        );
        const [undo, owner] = await Promise.all([subscribing, asking]);
        if (!wasTold) listener(owner);
        return undo;
    }

    async requestName(name: string): Promise<boolean> {
        const [result] = await this.#busCall('RequestName', 'su', [name, DO_NOT_QUEUE]);
        return result === PRIMARY_OWNER || result === ALREADY_OWNER;
    }

    async releaseName(name: string): Promise<void> {
        await this.#busCall('ReleaseName', 's', [name]);
    }

    handleCalls(handler: (call: IncomingCall) => void): void {
        this.#bus.addMethodHandler(message => {
            const call: IncomingCall = {
                sender: message.sender,
                path: message.path,
                interface: message.interface ?? '',
                member: message.member,
                signature: message.signature,
                body: message.body,
                allowsInteraction: (message.flags & ALLOW_INTERACTIVE_AUTHORIZATION) !== 0,
                expectsReply: (message.flags & NO_REPLY_EXPECTED) === 0,
            };
            this.#messages.set(call, message);
            handler(call);
            // The library's own answers are for those that export its objects.
            return true;
        });
    }

    reply(call: IncomingCall, signature: string, body: readonly unknown[]): void {
        const message = this.#messages.get(call);
        if (message && call.expectsReply)
            this.#send(Message.newMethodReturn(message, signature, [...body]));
    }

    replyError(call: IncomingCall, errorName: string, text: string): void {
        const message = this.#messages.get(call);
        if (message && call.expectsReply) this.#send(Message.newError(message, errorName, text));
    }

    emit(
        path: string,
        interfaceName: string,
        member: string,
        signature: string,
        body: readonly unknown[],
    ): void {
        this.#send(Message.newSignal(path, interfaceName, member, signature, [...body]));
    }

    async close(): Promise<void> {
        this.#isClosing = true;
        if (this.#isClosed) return;
        this.#bus.disconnect();
        await this.closed;
    }

    #busCall(member: string, signature: string, body: readonly unknown[]) {
        const destination = BUS;
        return this.call({destination, path: BUS_PATH, interface: BUS, member, signature, body});
    }

    /** On a lost connection there is nobody who could be told. */
    #send(message: Message): void {
        if (!this.#isClosed && !this.#isClosing) this.#bus.send(message);
    }

    #hear({sender, path, interface: interfaceName, member, body}: Message): void {
        const signal = {sender, path, interface: interfaceName, member, body};
        for (const listener of this.#listeners) listener(signal);
    }
}

/**
 * The library parses a message's body inside the stream's event, where an exception ends the process:
 * a file descriptor that was announced and not sent is enough. Such a message is left out instead.
 */
function surviveMalformedMessages(stream: Duplex): void {
    cutLargeMessages(stream);
    for (const listener of stream.listeners('readable')) {
        const read = listener as () => void;
        stream.off('readable', read);
        stream.on('readable', () => {
            for (let isDone = false; !isDone;) {
                try {
                    read.call(stream);
                    isDone = true;
                } catch {
                    // Its bytes are already taken from the stream: the next message follows.
                }
            }
        });
    }
}

/**
 * The bus delivers up to 32 MiB, of which the library makes ten times that in objects. What is larger
 * than any message of ours loses its body, and is malformed then.
 */
function cutLargeMessages(stream: Duplex): void {
    const read = stream.read.bind(stream);
    let fieldsLength: number | null = null;
    let bodyLength = 0;
    // The library reads the fixed part of the header, then the rest of the message.
    stream.read = (size?: number): unknown => {
        const chunk: unknown = read(size);
        if (!Buffer.isBuffer(chunk)) return chunk;
        if (fieldsLength === null) {
            const isLittle = chunk[0] === 'l'.charCodeAt(0);
            const uint32 = (offset: number): number =>
                isLittle ? chunk.readUInt32LE(offset) : chunk.readUInt32BE(offset);
            bodyLength = uint32(4);
            fieldsLength = (uint32(12) + 7) & ~7;
            return chunk;
        }
        const kept = bodyLength > MAX_BODY ? chunk.subarray(0, fieldsLength) : chunk;
        fieldsLength = null;
        return kept;
    };
}

function messageOf({body, allowInteraction, ...call}: MethodCall): Message {
    return new Message({
        ...call,
        body: [...(body ?? [])],
        flags: allowInteraction ? ALLOW_INTERACTIVE_AUTHORIZATION : 0,
    });
}

/** The library takes any message with the right serial for the reply, whoever sent it. */
function isFrom(sender: string | undefined, destination: string): boolean {
    const isCertain = destination === BUS || destination.startsWith(':');
    return !isCertain || sender === destination;
}

function errorOf(error: unknown): Error {
    if (!(error instanceof Error)) return new BusError(`${BUS}.Error.Failed`, String(error));
    const {type} = error as Error & {readonly type?: unknown};
    if (typeof type !== 'string') return error;
    const code = type.startsWith(SNOW_ERROR) ? type.slice(SNOW_ERROR.length) : '';
    return isErrorCode(code)
        ? new SnowError(code, error.message)
        : new BusError(type, error.message);
}

const errorCodes: Readonly<Record<ErrorCode, true>> = {
    Busy: true,
    Cancelled: true,
    Failed: true,
    InvalidArgs: true,
    Network: true,
    NoSpace: true,
    NotAuthorized: true,
    NotFound: true,
    NotSupported: true,
    VerificationFailed: true,
    WrongState: true,
};

function isErrorCode(code: string): code is ErrorCode {
    return Object.hasOwn(errorCodes, code);
}

/** Whether it is one of the errors org.freedesktop.DBus.Error.*. */
export function isBusError(error: unknown, ...names: readonly string[]): error is BusError {
    return (
        error instanceof BusError && names.some(name => error.errorName === `${BUS}.Error.${name}`)
    );
}

function ruleOf(match: SignalMatch): string {
    const parts: readonly (readonly [string, string | undefined])[] = [
        ['sender', match.sender],
        ['path', match.path],
        ['path_namespace', match.pathNamespace],
        ['interface', match.interface],
        ['member', match.member],
        ['arg0', match.arg0],
    ];
    const given = parts.filter(([, value]) => value !== undefined);
    if (given.some(([, value]) => value?.includes("'")))
        throw new SnowError('InvalidArgs', 'A quotation mark in a match of signals');
    return ["type='signal'", ...given.map(([key, value]) => `${key}='${value ?? ''}'`)].join(',');
}

function matches(signal: Signal, match: SignalMatch): boolean {
    const {pathNamespace} = match;
    return (
        (match.path === undefined || signal.path === match.path) &&
        (pathNamespace === undefined ||
            signal.path === pathNamespace ||
            signal.path.startsWith(`${pathNamespace}/`)) &&
        (match.interface === undefined || signal.interface === match.interface) &&
        (match.member === undefined || signal.member === match.member) &&
        (match.arg0 === undefined || signal.body[0] === match.arg0)
    );
}
