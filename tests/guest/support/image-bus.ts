// SPDX-License-Identifier: GPL-2.0-or-later
import type {ErrorCode} from '../../../helper/src/host/error.ts';
import type {JobState} from '../../../helper/src/image/job-state.ts';
import type {Guest} from '../../lab/guest.ts';
import {until} from './waiting.ts';

const NAME = 'org.frostyard.Snow1';
const OBJECT = '/org/frostyard/Snow1/Image';
const STATE = '/run/snow-control/image-job/state.json';

/** An image as the bus shows it. */
export interface ShownImage {
    readonly version?: string;
    readonly image?: string;
    readonly digest?: string;
    readonly slot?: string;
}

interface Variant {
    readonly data: unknown;
}

/** The OS image of a guest, as root sees it on the bus. */
export class ImageBus {
    readonly #guest: Guest;

    constructor(guest: Guest) {
        this.#guest = guest;
    }

    /** Calls a method and waits for the end of its job. */
    async run(method: string, ...args: readonly string[]): Promise<JobState> {
        const job = await this.start(method, ...args);
        return this.end(job);
    }

    /** Returns the path of the job. Throws the error's name and text. */
    async start(method: string, ...args: readonly string[]): Promise<string> {
        const isDownload = method === 'Download';
        const options = isDownload ? ['1', 'download-only', 'b', 'true'] : ['0'];
        const name = isDownload ? 'Update' : method;
        const signature = `${'s'.repeat(args.length)}a{sv}`;
        const {data} = await this.#busctl('call', name, signature, ...args, ...options);
        return (data as readonly string[])[0] ?? '';
    }

    /** Waits until the service has seen the end of a job, and returns what the worker said of it. */
    async end(job: string): Promise<JobState> {
        const ask = ['busctl', '--json=short', 'get-property', NAME, job, `${NAME}.Job`, 'State'];
        await until(
            `the end of ${job}`,
            async () => {
                const {stdout, exitCode} = await this.#guest.run(ask);
                // Gone with the service, which leaves when nobody asks it for anything.
                return exitCode !== 0 || !stdout.includes('running');
            },
            {timeout: 120_000, interval: 100},
        );
        const state = await this.now();
        if (!state) throw new Error(`${job} ended without a word`);
        if (state.state !== 'running') return state;
        // It was killed, and so the service says it.
        const {data} = await this.#property(job, 'Error');
        const [name = '', text = ''] = data as readonly string[];
        const code = name.slice(name.lastIndexOf('.') + 1);
        return {...state, state: 'failed', error: [code as ErrorCode, text]};
    }

    async #property(job: string, name: string): Promise<Variant> {
        const ask = ['busctl', '--json=short', 'get-property', NAME, job, `${NAME}.Job`, name];
        return JSON.parse(await this.#guest.check(ask)) as Variant;
    }

    /** What the worker says now. */
    async now(): Promise<JobState | null> {
        const {stdout} = await this.#guest.run(['cat', STATE]);
        return stdout.trim() === '' ? null : (JSON.parse(stdout) as JobState);
    }

    /** Waits until the worker says that it does something. */
    async step(pattern: RegExp): Promise<JobState> {
        return until(`the step ${pattern.source}`, async () => {
            const state = await this.now();
            return state !== null && pattern.test(state.step) ? state : false;
        });
    }

    cancel(job: string): Promise<unknown> {
        return this.#guest.check([
            'busctl',
            'call',
            NAME,
            job,
            `${NAME}.Job`,
            'Cancel',
            'a{sv}',
            '0',
        ]);
    }

    /** The properties, without the types. */
    async properties() {
        const text = await this.#guest.check([
            'busctl',
            '--json=short',
            'call',
            NAME,
            OBJECT,
            'org.freedesktop.DBus.Properties',
            'GetAll',
            's',
            `${NAME}.Image`,
        ]);
        const {data} = JSON.parse(text) as {data: readonly Record<string, Variant>[]};
        const plain = Object.entries(data[0] ?? {}).map(([key, {data: value}]) => [
            key,
            isDictionary(value)
                ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, one.data]))
                : value,
        ]);
        return Object.fromEntries(plain) as {
            readonly Driver: string;
            readonly Followed: string;
            readonly Booted: ShownImage;
            readonly Staged: ShownImage;
            readonly Rollback: ShownImage;
            readonly RollbackQueued: boolean;
            readonly Downloaded: ShownImage;
            readonly Available: ShownImage;
            readonly Capabilities: readonly string[];
            readonly RestartNeeded: boolean;
            readonly LastOutcome: string;
            readonly Problem: string;
        };
    }

    async #busctl(verb: string, method: string, ...args: readonly string[]): Promise<Variant> {
        const command = ['busctl', '--json=short', verb, NAME, OBJECT, `${NAME}.Image`, method];
        return JSON.parse(await this.#guest.check([...command, ...args])) as Variant;
    }
}

function isDictionary(value: unknown): value is Record<string, Variant> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
