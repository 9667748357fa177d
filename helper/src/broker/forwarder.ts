// SPDX-License-Identifier: GPL-2.0-or-later
// Hands calls from the bus of the host's session on to the one of the container's, and what is
// answered back. The bytes of arguments and results are never looked into.

import {BusError} from '../host/bus-error.ts';
import {type WireConnection, textOf} from '../host/wire/connection.ts';
import {type Message, envelope, flags, messageTypes} from '../host/wire/message.ts';
import {isValidBody, stringBody} from '../host/wire/values.ts';
import {BUS_NAME, errorNames, isForBroker} from './names.ts';
import {ownAnswer} from './own-answers.ts';

/** Bytes of the body of a message: a token has some thousand. */
export const MAX_BODY = 32 * 1024 * 1024;
/** Bytes of all calls that wait for their caller to be looked at, or for the container. */
const MAX_HELD = 64 * 1024 * 1024;
/** Calls that are under way at a time. */
const MAX_CALLS = 1024;

const NOTHING = Buffer.alloc(0);
/** What the bus says when a service is gone in the middle of a call. */
const NO_REPLY = 'Message recipient disconnected from message bus without replying';

export interface ForwarderOptions {
    readonly host: WireConnection;
    /** Sees to it that who calls may do so now. Throws BusError. */
    readonly admit: (call: Message) => Promise<void>;
    /** The connection to the container's bus, made if there is none. Throws BusError. */
    readonly container: (mayStart: boolean) => Promise<WireConnection>;
    readonly machineId: () => Promise<string>;
    /** Told of each call; the result is told of its end. */
    readonly begin: () => () => void;
    readonly onError: (doing: string, error: unknown) => void;
}

export class Forwarder {
    readonly #options: ForwarderOptions;
    #held = 0;
    #calls = 0;

    constructor(options: ForwarderOptions) {
        this.#options = options;
    }

    /** Answers a call, sooner or later; never throws. */
    handle(call: Message): void {
        const end = this.#options.begin();
        this.#calls += 1;
        this.#answer(call)
            .catch((error: unknown) => {
                if (error instanceof BusError) {
                    this.#replyError(call, error.errorName, error.message);
                } else {
                    this.#options.onError(`${call.member} cannot be handed on`, error);
                    this.#replyError(call, errorNames.noReply, NO_REPLY);
                }
            })
            .finally(() => {
                this.#calls -= 1;
                end();
            });
    }

    async #answer(call: Message): Promise<void> {
        if (call.isCut)
            throw new BusError(
                errorNames.limitsExceeded,
                `More than ${MAX_BODY} bytes of arguments`,
            );
        const size = call.body.length;
        if (this.#held + size > MAX_HELD || this.#calls > MAX_CALLS)
            throw new BusError(errorNames.limitsExceeded, 'Too many calls are under way');
        this.#held += size;
        const held: Held = {release: () => (this.#held -= size)};
        try {
            await this.#options.admit(call);
            const own = await ownAnswer(call, this.#options.machineId);
            if (own === null) await this.#handOn(call, held);
            else this.#replyText(call, own);
        } finally {
            release(held);
        }
    }

    async #handOn(call: Message, held: Held): Promise<void> {
        const isOffered = isForBroker(call);
        const mayStart = isOffered && (call.flags & flags.noAutoStart) === 0;
        const container = await this.#options.container(mayStart);
        const member = isOffered ? call.member : nobodysName();
        const request = envelope({
            type: messageTypes.call,
            flags: call.flags,
            destination: BUS_NAME,
            path: call.path,
            interface: call.interface,
            member,
            signature: call.signature,
            isBigEndian: call.isBigEndian,
        });
        if (!expectsReply(call)) {
            container.send(request, call.body);
            return;
        }
        const replying = container.request(request, call.body);
        release(held);
        let reply: Message;
        try {
            reply = await replying;
        } catch (error) {
            if (error instanceof BusError) throw new BusError(errorNames.noReply, NO_REPLY);
            throw error;
        }
        this.#handBack(call, member, reply);
    }

    #handBack(call: Message, member: string, reply: Message): void {
        if (reply.isCut)
            throw new BusError(
                errorNames.limitsExceeded,
                `More than ${MAX_BODY} bytes were answered`,
            );
        const {signature, isBigEndian, errorName, type} = reply;
        // The bus would not just drop what is malformed, but the connection it comes over.
        if (!isValidBody(signature, reply.body, isBigEndian))
            throw new BusError(errorNames.inconsistent, 'What was answered is no message');
        const isNamed = member !== call.member && signature === 's' && errorName !== '';
        const body = isNamed
            ? stringBody(textOf(reply).replaceAll(member, call.member), isBigEndian)
            : reply.body;
        this.#options.host.send(
            envelope({
                type,
                flags: reply.flags,
                destination: call.sender,
                replySerial: call.serial,
                errorName,
                signature,
                isBigEndian,
            }),
            body,
        );
    }

    #replyText(call: Message, text: string): void {
        const signature = text === '' ? '' : 's';
        const body = text === '' ? NOTHING : stringBody(text, false);
        this.#reply(call, {type: messageTypes.return, signature}, body);
    }

    #replyError(call: Message, errorName: string, text: string): void {
        const parts = {type: messageTypes.error, errorName, signature: 's'};
        this.#reply(call, parts, stringBody(text, false));
    }

    #reply(call: Message, parts: Parameters<typeof envelope>[0], body: Buffer): void {
        if (!expectsReply(call)) return;
        const {sender, serial} = call;
        this.#options.host.send(
            envelope({
                ...parts,
                flags: flags.noReplyExpected,
                destination: sender,
                replySerial: serial,
            }),
            body,
        );
    }
}

/** The bytes of a call that count as held until they are sent. */
interface Held {
    release: (() => void) | null;
}

function release(held: Held): void {
    held.release?.();
    held.release = null;
}

/**
 * Nothing but the broker's methods is ever called in the container. Yet who calls another one is to be
 * answered as there: so the name is one that nobody has, and is put right in the answer.
 */
function nobodysName(): string {
    return `none_${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;
}

function expectsReply(call: Message): boolean {
    return (call.flags & flags.noReplyExpected) === 0;
}
