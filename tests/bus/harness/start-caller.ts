// SPDX-License-Identifier: GPL-2.0-or-later
import type {AgentAnswer, CallerEvent, CallerReply, CallerRequest} from './caller.ts';
import type {Polkit, User} from './polkit.ts';
import type {PrivateBus} from './private-bus.ts';
import {type Running, startProgram} from './processes.ts';

/** What came of a call: its body, or the error's name and text. */
export type Outcome =
    {readonly body: readonly unknown[]} | {readonly error: readonly [name: string, text: string]};

type Request = CallerRequest extends infer R ? (R extends unknown ? Omit<R, 'id'> : never) : never;

/** A client that runs as another user. */
export interface Caller extends AsyncDisposable {
    readonly program: Running;
    uniqueName(): Promise<string>;
    /** Calls a method below /org/frostyard/Snow1 ('' is that itself). */
    call(
        path: string,
        method: string,
        signature?: string,
        body?: readonly unknown[],
        options?: {readonly allowInteraction?: boolean; readonly destination?: string},
    ): Promise<Outcome>;
    /** Calls a method with no options very often: how often there was which error, or "done". */
    flood(
        path: string,
        method: string,
        count: number,
        atOnce: number,
    ): Promise<Readonly<Record<string, number>>>;
    /** Makes it the authentication agent of its session. */
    becomeAgent(answer: AgentAnswer): Promise<void>;
    /** Ends the agent's dialog, the password being right. */
    finishPrompt(cookie: string): void;
    /** The next thing that the agent was asked for. */
    nextEvent(kind: CallerEvent['event']): Promise<CallerEvent>;
}

/** Starts a caller from its bundle, in the session of its user. */
export async function startCaller(
    bus: PrivateBus,
    polkit: Polkit | null,
    bundlePath: string,
    user: User,
): Promise<Caller> {
    const program = startProgram(
        [
            'setpriv',
            `--reuid=${user.uid}`,
            `--regid=${user.uid}`,
            '--clear-groups',
            process.execPath,
            bundlePath,
            user.session ?? '',
        ],
        {
            stdio: ['pipe', 'pipe', 'pipe'],
            env: {PATH: process.env['PATH'] ?? '', DBUS_SYSTEM_BUS_ADDRESS: bus.address},
        },
    );
    await polkit?.admit(program.pid, user);
    program.child.stdin?.write('go\n');

    let lastId = 0;
    let seenEvents = 0;
    const ask = async (request: Request): Promise<Outcome> => {
        const id = ++lastId;
        program.child.stdin?.write(`${JSON.stringify({...request, id})}\n`);
        const line = await program.waitForLine(new RegExp(`^{"id":${id}[,}]`), 100_000);
        const {body, error} = JSON.parse(line) as CallerReply & {
            body?: unknown;
            error?: readonly [string, string];
        };
        return error ? {error} : {body: Array.isArray(body) ? body : [body]};
    };
    return {
        program,
        async uniqueName() {
            const outcome = await ask({do: 'name'});
            return 'body' in outcome ? String(outcome.body[0]) : '';
        },
        call(path, method, signature = '', body = [], options = {}) {
            const dot = method.lastIndexOf('.');
            return ask({
                do: 'call',
                destination: options.destination ?? 'org.frostyard.Snow1',
                path: `/org/frostyard/Snow1${path === '' ? '' : `/${path}`}`,
                interface: method.slice(0, dot),
                member: method.slice(dot + 1),
                signature,
                body,
                allowInteraction: options.allowInteraction ?? false,
            });
        },
        async flood(path, method, count, atOnce) {
            const dot = method.lastIndexOf('.');
            const outcome = await ask({
                do: 'flood',
                count,
                atOnce,
                path: `/org/frostyard/Snow1/${path}`,
                interface: method.slice(0, dot),
                member: method.slice(dot + 1),
            });
            if ('error' in outcome) throw new Error(outcome.error.join(': '));
            return outcome.body[0] as Readonly<Record<string, number>>;
        },
        async becomeAgent(answer) {
            const outcome = await ask({do: 'agent', answer});
            if ('error' in outcome) throw new Error(outcome.error.join(': '));
        },
        finishPrompt(cookie) {
            void ask({do: 'finish', cookie});
        },
        async nextEvent(kind) {
            const isNew = (line: string): boolean =>
                line.startsWith(`{"event":"${kind}"`) && program.lines.indexOf(line) >= seenEvents;
            for (;;) {
                const line = program.lines.find(isNew);
                if (line !== undefined) {
                    seenEvents = program.lines.indexOf(line) + 1;
                    return JSON.parse(line) as CallerEvent;
                }
                await program.waitForLine(new RegExp(`^{"event":"${kind}"`), 10_000);
                await new Promise(resolve => setTimeout(resolve, 20));
            }
        },
        [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    };
}
