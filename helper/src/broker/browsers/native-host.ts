// SPDX-License-Identifier: GPL-2.0-or-later
// Answers one extension of a browser until the browser ends it.

import type {Readable} from 'node:stream';

import {DocumentReader} from './frames.ts';
import {brokerRequest, commandOf} from './requests.ts';

export interface NativeHostOptions {
    readonly input: Readable;
    readonly send: (document: unknown) => void;
    /** Calls a method of the broker; its answer. */
    readonly ask: (method: string, session: string, request: string) => Promise<string>;
    /** Yields at once whether single sign-on is on, and again whenever that has changed. */
    readonly states: AsyncIterable<boolean>;
    readonly version: string;
}

/** Until there is no more input. Throws SyntaxError, RangeError for what no browser sends. */
export async function serveExtension({
    input,
    send,
    ask,
    states,
    version,
}: NativeHostOptions): Promise<void> {
    const session = crypto.randomUUID();
    const reader = new DocumentReader();
    /** By their command: an extension tells answers to the same one apart by their order. */
    const lasts = new Map<string, Promise<void>>();

    async function answer(command: string, message: object): Promise<unknown> {
        try {
            const {method, request} = brokerRequest({...message}, session, version);
            const response: unknown = JSON.parse(
                await ask(method, session, JSON.stringify(request)),
            );
            const isVersion = command === 'getVersion';
            return isVersion ? {...(response as object), native: version} : response;
        } catch (error) {
            const reason = error instanceof Error ? error.message : String(error);
            // Of what the broker answers nothing is repeated here.
            return {error: error instanceof SyntaxError ? 'The broker answers no JSON' : reason};
        }
    }

    void tellStates(states, send);
    for await (const chunk of input) {
        for (const message of reader.push(chunk as Buffer)) {
            const command = commandOf(message);
            if (command === null) continue;
            const before = lasts.get(command) ?? Promise.resolve();
            const answering = answer(command, message as object);
            const sent = Promise.all([answering, before]).then(([response]) =>
                send({command, message: response}),
            );
            lasts.set(command, sent);
        }
    }
    await Promise.all(lasts.values());
}

/**
 * The broker on the host ends when it is idle, and is there again when it is called: whether it runs is
 * not what an extension wants to know.
 */
async function tellStates(
    states: AsyncIterable<boolean>,
    send: (document: unknown) => void,
): Promise<void> {
    let last: boolean | null = null;
    for await (const isOn of states) {
        if (isOn === last) continue;
        last = isOn;
        send({command: 'brokerStateChanged', message: isOn ? 'online' : 'offline'});
    }
}
