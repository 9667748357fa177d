// SPDX-License-Identifier: GPL-2.0-or-later
// What nbc prints while it works: a line of JSON an event. Its last words may be a document over many
// lines instead: what it downloaded, that it had nothing to do, or why it failed.

import {SnowError} from '../../host/error.ts';
import {type Imported, boolean, count, line, map, number, object} from '../../host/importer.ts';
import {importJson, importValue, optional, string} from '../../host/importer.ts';

export type NbcEvent =
    | {
          readonly type: 'step';
          readonly step: number;
          /** 0: it is not said how many there are. */
          readonly steps: number;
          readonly text: string;
      }
    | {readonly type: 'progress'; readonly percent: number | null; readonly text: string}
    | {readonly type: 'message' | 'warning' | 'complete'; readonly text: string}
    | {readonly type: 'error'; readonly text: string; readonly detail: string}
    /** Of a newer version. */
    | {readonly type: 'unknown'};

const MAX_TEXT = 200;
const MAX_DOCUMENT = 64 * 1024;

/** For a person: its first line, and not without end. */
const text = map(optional(string, ''), value => {
    const [first = ''] = value.trim().split('\n');
    // eslint-disable-next-line no-control-regex
    const visible = first.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ').trim();
    return visible.length > MAX_TEXT ? `${visible.slice(0, MAX_TEXT - 1)}…` : visible;
});

const base = object({type: line});
const details = optional(object({error: text}), {error: ''});

const stepEvent = object({step: count, total_steps: optional(count, 0), step_name: text});
const progressEvent = object({percent: optional(number), message: text});
const messageEvent = object({message: text});
const errorEvent = object({message: text, details});

/**
 * One line. Null: it is no event, but a part of something longer, or not JSON. Throws SnowError
 * Failed that names the field of an event that is wrong.
 */
export function importEvent(printed: string): NbcEvent | null {
    const value = parseObject(printed);
    if (value === null || !Object.hasOwn(value, 'type')) return null;
    const read = <T>(importer: (found: never) => T): T =>
        importValue('nbc', value, importer as never);
    const {type} = read(base);
    switch (type) {
        case 'step': {
            const {step, total_steps: steps, step_name: name} = read(stepEvent);
            return {type, step, steps, text: name};
        }
        case 'progress': {
            const {percent, message} = read(progressEvent);
            return {type, percent, text: message};
        }
        case 'message':
        case 'warning':
        case 'complete':
            return {type, text: read(messageEvent).message};
        case 'error': {
            const {message, details: more} = read(errorEvent);
            return {type, text: message, detail: more.error};
        }
        default:
            return {type: 'unknown'};
    }
}

const failure = object({error: optional(boolean, false), message: text, details: text});

export type NbcFailure = Imported<typeof failure>;

/** The document that an error is in; null: there is none. */
export function importFailure(document: string): NbcFailure | null {
    if (parseObject(document) === null) return null;
    try {
        const found = importJson('nbc', document, failure);
        return found.error ? found : null;
    } catch (error) {
        // It is another document: of a download, or of a later version.
        if (error instanceof SnowError) return null;
        throw error;
    }
}

/**
 * How much of all the work is done. nbc counts its steps, and now and then says a percentage, which is
 * believed as far as the step allows.
 */
export class NbcShare {
    #from = 0;
    #to = 1;

    /** 0 to 1, or null where the event does not tell. */
    after(event: NbcEvent): number | null {
        if (event.type === 'step') {
            const {step, steps} = event;
            if (step < 1 || step > steps) return null;
            this.#from = (step - 1) / steps;
            this.#to = step / steps;
            return this.#from;
        }
        if (event.type !== 'progress' || event.percent === null) return null;
        return Math.min(this.#to, Math.max(this.#from, event.percent / 100));
    }
}

/** Tells events from the one document, of which there is no more than fits into memory. */
export class NbcOutput {
    #document = '';

    /** The event of a line, or null when it is kept for the document. Never throws. */
    add(printed: string): NbcEvent | null {
        const event = this.#read(printed);
        if (event === null && this.#document.length + printed.length < MAX_DOCUMENT)
            this.#document += `${printed}\n`;
        return event;
    }

    #read(printed: string): NbcEvent | null {
        try {
            return importEvent(printed);
        } catch (error) {
            // No reason to stop it halfway: what it did is seen in its status, not in what it says.
            if (error instanceof SnowError) return {type: 'unknown'};
            throw error;
        }
    }

    get document(): string {
        return this.#document;
    }
}

function parseObject(printed: string): object | null {
    // Most parts of a longer document are none by themselves.
    if (!printed.trimStart().startsWith('{')) return null;
    try {
        const value: unknown = JSON.parse(printed);
        return typeof value === 'object' ? value : null;
    } catch {
        return null;
    }
}

/** The document among the events, which some versions print before it. */
export function documentOf(printed: string): string {
    const output = new NbcOutput();
    for (const part of printed.split('\n')) output.add(part);
    return output.document;
}
