// SPDX-License-Identifier: GPL-2.0-or-later
// What was done to the OS image, for whom and how it went: one line of JSON an operation.

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {
    type Importer,
    count,
    importJson,
    object,
    oneOf,
    optional,
    string,
} from '../host/importer.ts';
import {type JobOutcome, jobOutcomes} from './job-state.ts';
import type {Deployment} from './model.ts';

export const HISTORY = '/var/lib/snow-control/image/history.jsonl';
const MAX_ENTRIES = 200;
const MAX_BYTES = 1024 * 1024;
const MAX_TEXT = 512;

export interface HistoryImage {
    readonly image: string;
    readonly version: string | null;
    readonly digest: string | null;
}

export interface HistoryEntry {
    /** When it ended, in seconds since 1970. */
    readonly time: number;
    /** check, update, download, switch, rollback or unstage. */
    readonly operation: string;
    /** The channel or reference; empty for all operations but switch. */
    readonly target: string;
    /** What the next boot would have started before, and what it starts now; null: not known. */
    readonly from: HistoryImage | null;
    readonly to: HistoryImage | null;
    readonly uid: number;
    readonly outcome: JobOutcome;
    /** One line; empty: none. */
    readonly error: string;
}

export function historyImage(deployment: Deployment | null): HistoryImage | null {
    if (!deployment) return null;
    const {image, version, digest} = deployment;
    return {image, version, digest};
}

/** The oldest first. What cannot be read is left out. */
export async function readHistory(host: Host): Promise<readonly HistoryEntry[]> {
    return parseHistory((await host.files.readText(HISTORY, MAX_BYTES)) ?? '');
}

/**
 * Keeps one more entry, and forgets the oldest ones. Of checks that follow one another the last is
 * kept: they change nothing, and there may be one for each look at the desktop's menu.
 */
export async function addToHistory(host: Host, entry: HistoryEntry): Promise<void> {
    const before = await readHistory(host).catch(() => {
        // What is too large or no file is not worth keeping: better a new beginning than none.
        return [];
    });
    const short = {...entry, error: entry.error.slice(0, MAX_TEXT)};
    const isAnotherCheck = short.operation === 'check' && before.at(-1)?.operation === 'check';
    const kept = isAnotherCheck ? before.slice(0, -1) : before;
    const entries = [...kept, short].slice(-MAX_ENTRIES);
    const lines = entries.map(line => `${JSON.stringify(line)}\n`);
    await host.files.writeWhole(HISTORY, lines.join(''));
}

/** Lines that are none of ours are left out. */
export function parseHistory(text: string): readonly HistoryEntry[] {
    return text.split('\n').flatMap(line => {
        const entry = parseEntry(line);
        return entry ? [entry] : [];
    });
}

function parseEntry(line: string): HistoryEntry | null {
    try {
        return importJson(HISTORY, line, historyEntry);
    } catch (error) {
        // Half a line, an empty one, or one of something else.
        if (error instanceof SnowError) return null;
        throw error;
    }
}

const image: Importer<HistoryImage> = object({
    image: optional(string, ''),
    version: optional(string),
    digest: optional(string),
});

const historyEntry: Importer<HistoryEntry> = object({
    time: count,
    operation: string,
    target: optional(string, ''),
    from: optional(image),
    to: optional(image),
    uid: count,
    outcome: oneOf(...jobOutcomes),
    error: optional(string, ''),
});
