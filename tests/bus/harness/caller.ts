// SPDX-License-Identifier: GPL-2.0-or-later
// A client on the bus that runs as another user, driven by lines of JSON; and, when it is told so, the
// authentication agent of its session, as org.freedesktop.PolicyKit1.AuthenticationAgent.
import {createInterface} from 'node:readline';

import {
    BusError,
    type BusConnection,
    Variant,
    connectToSystemBus,
    plainValue,
} from '../../../helper/src/host/dbus.ts';
import {SnowError} from '../../../helper/src/host/error.ts';

export type CallerRequest =
    | {
          readonly id: number;
          readonly do: 'call';
          readonly destination: string;
          readonly path: string;
          readonly interface: string;
          readonly member: string;
          readonly signature: string;
          /** A variant is {$: [signature, value]}. */
          readonly body: readonly unknown[];
          readonly allowInteraction: boolean;
      }
    | {readonly id: number; readonly do: 'agent'; readonly answer: AgentAnswer}
    | {
          /** The same call very often, so many of them at a time. */
          readonly id: number;
          readonly do: 'flood';
          readonly count: number;
          readonly atOnce: number;
          readonly path: string;
          readonly interface: string;
          readonly member: string;
      }
    | {readonly id: number; readonly do: 'finish'; readonly cookie: string}
    | {readonly id: number; readonly do: 'name'};

/** What the agent does with a prompt: nothing, or as when the person clicks Cancel. */
export type AgentAnswer = 'wait' | 'dismiss';

export type CallerReply =
    | {readonly id: number; readonly body: unknown}
    | {readonly id: number; readonly error: readonly [string, string]};

/** Told without being asked. */
export type CallerEvent =
    | {
          readonly event: 'prompt';
          readonly action: string;
          readonly message: string;
          readonly cookie: string;
      }
    | {readonly event: 'cancelled'; readonly cookie: string};

function say(message: CallerReply | CallerEvent): void {
    process.stdout.write(`${JSON.stringify(message)}\n`);
}

function parseVariants(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(parseVariants);
    if (typeof value !== 'object' || value === null) return value;
    if ('$' in value && Array.isArray(value.$))
        return new Variant(String(value.$[0]), parseVariants(value.$[1]));
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, parseVariants(v)]));
}

/** Ends the authentication of a cookie, as the agent's helper did its part. */
const finishPrompt = new Map<string, () => void>();

async function answer(bus: BusConnection, request: CallerRequest): Promise<unknown> {
    switch (request.do) {
        case 'name':
            return bus.name;
        case 'flood':
            return flood(bus, request);
        case 'finish':
            return finishPrompt.get(request.cookie)?.();
        case 'agent':
            return registerAgent(bus, request.answer);
        case 'call': {
            const body = request.body.map(parseVariants);
            return (await bus.call({...request, body})).map(plainValue);
        }
    }
}

/** How often there was which answer. */
async function flood(
    bus: BusConnection,
    {count, atOnce, path, interface: interfaceName, member}: CallerRequest & {readonly do: 'flood'},
): Promise<Readonly<Record<string, number>>> {
    const answers: Record<string, number> = {};
    const target = {destination: 'org.frostyard.Snow1', path, interface: interfaceName, member};
    let left = count;
    const one = async (): Promise<void> => {
        while (left-- > 0) {
            const answer = await bus.call({...target, signature: 'a{sv}', body: [{}]}).then(
                () => 'done',
                (error: unknown) => nameOf(error)[0],
            );
            answers[answer] = (answers[answer] ?? 0) + 1;
        }
    };
    await Promise.all(Array.from({length: atOnce}, one));
    return answers;
}

async function registerAgent(bus: BusConnection, behaviour: AgentAnswer): Promise<void> {
    bus.handleCalls(call => {
        if (call.member === 'BeginAuthentication') {
            const [action, message, , , cookie] = call.body.map(String) as [
                string,
                string,
                string,
                string,
                string,
            ];
            say({event: 'prompt', action, message, cookie});
            if (behaviour === 'dismiss') {
                const name = 'org.freedesktop.PolicyKit1.Error.Cancelled';
                bus.replyError(call, name, 'The person clicked Cancel');
            } else {
                finishPrompt.set(cookie, () => bus.reply(call, '', []));
            }
        } else if (call.member === 'CancelAuthentication') {
            say({event: 'cancelled', cookie: String(call.body[0])});
            bus.reply(call, '', []);
        }
    });
    await bus.call({
        destination: 'org.freedesktop.PolicyKit1',
        path: '/org/freedesktop/PolicyKit1/Authority',
        interface: 'org.freedesktop.PolicyKit1.Authority',
        member: 'RegisterAuthenticationAgent',
        signature: '(sa{sv})ss',
        body: [
            ['unix-session', {'session-id': new Variant('s', process.argv[2] ?? '')}],
            'C',
            '/agent',
        ],
    });
}

async function main(): Promise<void> {
    const input = createInterface(process.stdin);
    const iterator = input[Symbol.asyncIterator]();
    // The first line says that the process is in its session, which the bus' peers may look at.
    await iterator.next();
    const bus = await connectToSystemBus();
    for (;;) {
        const {value, done} = await iterator.next();
        if (done) break;
        const request = JSON.parse(String(value)) as CallerRequest;
        answer(bus, request).then(
            body => say({id: request.id, body}),
            (error: unknown) => say({id: request.id, error: nameOf(error)}),
        );
    }
    await bus.close();
}

function nameOf(error: unknown): readonly [string, string] {
    if (error instanceof SnowError)
        return [`org.frostyard.Snow1.Error.${error.code}`, error.message];
    if (error instanceof BusError) return [error.errorName, error.message];
    return ['', String(error)];
}

main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
});
