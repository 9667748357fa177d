// SPDX-License-Identifier: GPL-2.0-or-later
import type {Guest, RunOptions, RunResult} from '../../lab/guest.ts';
import {until} from './waiting.ts';

export const BUS_NAME = 'org.frostyard.Snow1';
export const ROOT = '/org/frostyard/Snow1';
export const IMAGE = `${ROOT}/Image`;

export type Properties = Readonly<Record<string, unknown>>;

/** How a job ended. */
export interface JobEnd {
    readonly state: string;
    /** Without the prefix that all have. */
    readonly error: string;
    readonly text: string;
}

/** Calls of a guest's snowd by a program that knows nothing of Snow Control. */
export class SnowBus {
    constructor(readonly guest: Guest) {}

    /** Words of busctl: path, interface, method, signature and arguments, quoted for a shell. */
    call(words: string, options: RunOptions = {}): Promise<RunResult> {
        return this.guest.run(`busctl --timeout=25 call ${BUS_NAME} ${words}`, options);
    }

    /** A method of the image; its words begin with the signature. */
    image(method: string, words = "'a{sv}' 0", options: RunOptions = {}): Promise<RunResult> {
        return this.call(`${IMAGE} ${BUS_NAME}.Image ${method} ${words}`, options);
    }

    /** The path of a job that was started. */
    async start(method: string, words = "'a{sv}' 0", options: RunOptions = {}): Promise<string> {
        const {stdout, stderr} = await this.image(method, words, options);
        const path = /^o "(\/\S+)"/.exec(stdout)?.[1];
        if (path === undefined) throw new Error(`${method}: ${stderr}`);
        return path;
    }

    async properties(path: string, interfaceName: string): Promise<Properties> {
        const words = `${path} org.freedesktop.DBus.Properties GetAll s ${BUS_NAME}.${interfaceName}`;
        const text = await this.guest.check(`busctl --json=short call ${BUS_NAME} ${words}`);
        const {data} = JSON.parse(text) as {data: readonly [unknown]};
        return plain({data: data[0]}) as Properties;
    }

    imageProperties(): Promise<Properties> {
        return this.properties(IMAGE, 'Image');
    }

    job(path: string): Promise<Properties> {
        return this.properties(path, 'Job');
    }

    async jobs(): Promise<readonly string[]> {
        const {stdout} = await this.call(`${ROOT} ${BUS_NAME}.Manager ListJobs`);
        return [...stdout.matchAll(/"(\/\S+?)"/g)].map(([, path = '']) => path);
    }

    cancel(path: string, options: RunOptions = {}): Promise<RunResult> {
        return this.call(`${path} ${BUS_NAME}.Job Cancel 'a{sv}' 0`, options);
    }

    /** Waits for the end of a job. */
    end(path: string, timeout = 30_000): Promise<JobEnd> {
        const ask = async (): Promise<JobEnd | false> => {
            const {State, Error: error} = await this.job(path);
            if (State === 'running') return false;
            const [name = '', text = ''] = error as readonly string[];
            return {state: String(State), error: name.replace(`${BUS_NAME}.Error.`, ''), text};
        };
        return until(`${path} ends`, ask, {timeout, interval: 50});
    }
}

/** What busctl prints, without the types. */
function plain(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    if ('data' in value) return plainData(value.data);
    return plainData(value);
}

function plainData(data: unknown): unknown {
    if (Array.isArray(data)) return data.map(plainData);
    if (typeof data !== 'object' || data === null) return data;
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, plain(value)]));
}
