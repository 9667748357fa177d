// SPDX-License-Identifier: GPL-2.0-or-later
// Which programs have called, for people to look at; of what they asked and were told there is nothing.

import type {Files} from '../host/host.ts';
import type {ProcessIdentity} from '../host/process-identity.ts';

/** One program, however often it was started. */
export interface CallerRecord {
    /** Path; empty: it could not be had. */
    readonly executable: string;
    /** Of the application in a sandbox, else empty. */
    readonly application: string;
    readonly sandbox: ProcessIdentity['sandbox'];
    /** The unit of systemd that it was in the last time; empty: none. */
    readonly unit: string;
    /** Calls that were handed on. */
    readonly calls: number;
    /** Calls that were refused, since it is in a sandbox. */
    readonly refused: number;
    /** Of the last call, in seconds since 1970. */
    readonly lastCall: number;
}

const MAX_PROGRAMS = 64;
/** Milliseconds from a call until the list says so. */
const DELAY = 1000;

/** The file, below $XDG_RUNTIME_DIR: it goes with the session. */
export function callersPath(runtimeDirectory: string): string {
    return `${runtimeDirectory}/snow-control/broker-callers.json`;
}

/** Who has called, the last one first; nobody when there is no list, or none that makes sense. */
export async function readCallers(files: Files, path: string): Promise<readonly CallerRecord[]> {
    const text = await files.readText(path);
    if (text === null) return [];
    let document: unknown;
    try {
        document = JSON.parse(text);
    } catch {
        // It is made anew with the next call.
        return [];
    }
    return Array.isArray(document) ? document.flatMap(parseCaller) : [];
}

function parseCaller(value: unknown): readonly CallerRecord[] {
    if (typeof value !== 'object' || value === null) return [];
    const fields: Readonly<Record<string, unknown>> = {...value};
    const text = (key: string): string => {
        const field = fields[key];
        return typeof field === 'string' ? field : '';
    };
    const count = (key: string): number => {
        const field = fields[key];
        return typeof field === 'number' && Number.isSafeInteger(field) && field > 0 ? field : 0;
    };
    const sandbox = (['none', 'flatpak', 'snap'] as const).find(name => name === fields['sandbox']);
    return [
        {
            executable: text('executable'),
            application: text('application'),
            sandbox: sandbox ?? 'unknown',
            unit: text('unit'),
            calls: count('calls'),
            refused: count('refused'),
            lastCall: count('lastCall'),
        },
    ];
}

/** What was there, with what came since. */
export function mergeCallers(
    before: readonly CallerRecord[],
    since: readonly CallerRecord[],
): readonly CallerRecord[] {
    const merged = new Map<string, CallerRecord>();
    for (const record of [...before, ...since]) {
        const {executable, application, sandbox} = record;
        // The path of a program means nothing outside of its sandbox.
        const key = JSON.stringify([sandbox, application || executable]);
        const known = merged.get(key);
        merged.set(key, {
            ...record,
            calls: record.calls + (known?.calls ?? 0),
            refused: record.refused + (known?.refused ?? 0),
            lastCall: Math.max(record.lastCall, known?.lastCall ?? 0),
        });
    }
    return [...merged.values()].sort((a, b) => b.lastCall - a.lastCall).slice(0, MAX_PROGRAMS);
}

/** Keeps the list, some time after each call. */
export class CallerList {
    readonly #files: Files;
    readonly #path: string;
    readonly #onError: (error: unknown) => void;
    #since: readonly CallerRecord[] = [];
    #timer: NodeJS.Timeout | null = null;
    #writing: Promise<void> = Promise.resolve();

    constructor(files: Files, path: string, onError: (error: unknown) => void) {
        this.#files = files;
        this.#path = path;
        this.#onError = onError;
    }

    note(identity: ProcessIdentity, isRefused: boolean): void {
        const record = {
            ...identity,
            calls: isRefused ? 0 : 1,
            refused: isRefused ? 1 : 0,
            lastCall: Math.floor(Date.now() / 1000),
        };
        this.#since = mergeCallers(this.#since, [record]);
        this.#timer ??= setTimeout(() => void this.write(), DELAY);
    }

    /** Writes what there is to be written. */
    write(): Promise<void> {
        if (this.#timer) clearTimeout(this.#timer);
        this.#timer = null;
        this.#writing = this.#writing.then(() => this.#write()).catch(this.#onError);
        return this.#writing;
    }

    async #write(): Promise<void> {
        if (this.#since.length === 0) return;
        const since = this.#since;
        this.#since = [];
        const all = mergeCallers(await readCallers(this.#files, this.#path), since);
        await this.#files.writeWhole(this.#path, `${JSON.stringify(all, null, 2)}\n`, 0o600);
    }
}
