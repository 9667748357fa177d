// SPDX-License-Identifier: GPL-2.0-or-later
import {type ChildProcess, spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';

import type {AgentAnswer, CallerEvent} from '../../bus/harness/caller.ts';
import {bundle} from '../../bus/harness/bundle.ts';
import type {Guest} from '../../lab/guest.ts';
import type {Session} from '../../lab/session.ts';
import {until} from './waiting.ts';

const PROGRAM = '/run/lab/agent.cjs';

/** The authentication agent of a session, as its desktop is one; it has no dialog, but tells of each. */
export class GuestAgent implements AsyncDisposable {
    readonly #child: ChildProcess;
    readonly #events: CallerEvent[] = [];
    #isReady = false;

    private constructor(child: ChildProcess) {
        this.#child = child;
        const {stdout} = child;
        if (!stdout) throw new Error('The agent has no output');
        createInterface(stdout).on('line', line => {
            const message = JSON.parse(line) as CallerEvent | {id: number; error?: unknown};
            if ('event' in message) this.#events.push(message);
            else if (message.error === undefined) this.#isReady = true;
            else throw new Error(`polkit takes no agent: ${line}`);
        });
    }

    /** Registers with polkit. `dismiss` does as a person who clicks Cancel. */
    static async start(guest: Guest, session: Session, answer: AgentAnswer): Promise<GuestAgent> {
        const directory = await mkdtemp(join(tmpdir(), 'agent-'));
        try {
            await guest.copyIn(await bundle('tests/bus/harness/caller.ts', directory), PROGRAM);
        } finally {
            await rm(directory, {recursive: true});
        }
        const command = guest.commandLine(['node', PROGRAM, session.id], {session});
        const child = spawn(command[0] ?? '', command.slice(1), {
            stdio: ['pipe', 'pipe', 'inherit'],
        });
        const agent = new GuestAgent(child);
        child.stdin?.write(`go\n${JSON.stringify({id: 1, do: 'agent', answer})}\n`);
        await until('the agent is registered', async () => agent.#isReady);
        return agent;
    }

    /** How many dialogs there were. */
    get prompts(): number {
        return this.#events.filter(({event}) => event === 'prompt').length;
    }

    /** The n-th dialog, waited for. */
    prompt(index = 0): Promise<CallerEvent & {readonly event: 'prompt'}> {
        return until('polkit asks', async () =>
            this.#events.filter(event => event.event === 'prompt').at(index),
        );
    }

    /** Waits until polkit took the dialog away. */
    async untilCancelled({cookie}: CallerEvent): Promise<void> {
        await until('the dialog is taken away', async () =>
            this.#events.some(event => event.event === 'cancelled' && event.cookie === cookie),
        );
    }

    async [Symbol.asyncDispose]() {
        const ended = new Promise(resolve => this.#child.once('close', resolve));
        this.#child.stdin?.end();
        await ended;
    }
}
