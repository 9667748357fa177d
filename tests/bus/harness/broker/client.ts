// SPDX-License-Identifier: GPL-2.0-or-later
// Clients of the identity broker, none of which shares code with what is tested.
import {type EventEmitter, once} from 'node:events';

import {Message, type MessageBus, sessionBus} from '@jellybrick/dbus-next';

import {runProgram} from '../processes.ts';
import type {StandInRequest} from './identity-broker.ts';
import {INTERFACE, NAME, PATH} from './stage.ts';

export type Answer =
    | {readonly signature: string; readonly body: readonly unknown[]}
    | {readonly error: string; readonly text: string};

export class Client implements AsyncDisposable {
    readonly #bus: MessageBus;

    private constructor(bus: MessageBus) {
        this.#bus = bus;
    }

    static async connect(address: string): Promise<Client> {
        const bus = sessionBus({busAddress: address});
        await once(bus as unknown as EventEmitter, 'connect');
        (bus as unknown as EventEmitter).on('error', () => undefined);
        return new Client(bus);
    }

    get name(): string {
        return this.#bus.name ?? '';
    }

    /** Calls any method of whatever has the broker's name. */
    async call(call: Partial<Message>): Promise<Answer> {
        const message = new Message({
            destination: NAME,
            path: PATH,
            interface: INTERFACE,
            ...call,
        } as ConstructorParameters<typeof Message>[0]);
        try {
            const reply = await this.#bus.call(message);
            return {signature: reply?.signature ?? '', body: reply?.body ?? []};
        } catch (error) {
            const {type, text} = error as {readonly type?: string; readonly text?: string};
            return {error: type ?? String(error), text: text ?? ''};
        }
    }

    ask(
        member: string,
        request: StandInRequest | string = {},
        correlation = 'c1',
    ): Promise<Answer> {
        const text = typeof request === 'string' ? request : JSON.stringify(request);
        return this.call({member, signature: 'sss', body: ['0.0', correlation, text]});
    }

    /** Nobody answers, as asked. */
    tell(member: string): void {
        this.#bus.send(
            new Message({
                destination: NAME,
                path: PATH,
                interface: INTERFACE,
                member,
                signature: 'sss',
                body: ['0.0', 'c1', '{}'],
                flags: 1,
            } as ConstructorParameters<typeof Message>[0]),
        );
    }

    async [Symbol.asyncDispose](): Promise<void> {
        this.#bus.disconnect();
        await Promise.resolve();
    }
}

/** What a tool prints, and its exit status. */
export async function runTool(
    tool: 'gdbus' | 'busctl',
    address: string,
    member: string,
    args: readonly string[],
): Promise<{readonly status: number | string; readonly said: string}> {
    const command =
        tool === 'gdbus'
            ? (['gdbus', 'call', '--address', address, '--dest', NAME] as const)
            : (['busctl', `--address=${address}`, 'call', NAME, PATH, INTERFACE, member] as const);
    const rest =
        tool === 'gdbus'
            ? ['--object-path', PATH, '--method', `${INTERFACE}.${member}`, ...args]
            : [args.map(() => 's').join(''), ...args];
    const {status, stdout, stderr} = await runProgram([...command, ...rest]);
    return {status, said: `${stdout}${stderr}`};
}
