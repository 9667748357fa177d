// SPDX-License-Identifier: GPL-2.0-or-later
import type {SnowError} from '../host/error.ts';
import type {JsonMode} from './parse.ts';
import type {TableStyle} from './table.ts';
import {printable} from './text.ts';

/** Of a terminal that does not know its size, as a serial line. */
const USUAL_COLUMNS = 80;

/** A stream of the process, as far as it matters here. */
export interface Sink {
    write(text: string): unknown;
    readonly isTTY?: boolean;
    readonly columns?: number;
}

export interface OutputOptions {
    readonly json: JsonMode;
    readonly isQuiet: boolean;
    /** Of the environment: NO_COLOR and TERM count. */
    readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What is known of something that happens, for --json=stream. */
export type StreamEvent = Readonly<Record<string, unknown>> & {readonly type: string};

/** All that snowctl prints goes through here, so that --json and --quiet hold everywhere. */
export class Output {
    readonly #out: Sink;
    readonly #err: Sink;
    readonly #options: OutputOptions;

    constructor(out: Sink, err: Sink, options: OutputOptions) {
        this.#out = out;
        this.#err = err;
        this.#options = options;
    }

    /** How people's tables look on this standard output. */
    get style(): TableStyle {
        const {isTTY = false, columns} = this.#out;
        return {columns: isTTY ? columns || USUAL_COLUMNS : null, isBold: isTTY && this.#mayStyle};
    }

    /** Columns of the terminal that a progress line may be drawn on; null: there is none. */
    get progressColumns(): number | null {
        if (!this.#err.isTTY || this.#options.environment['TERM'] === 'dumb') return null;
        return this.#err.columns || USUAL_COLUMNS;
    }

    get isHuman(): boolean {
        return this.#options.json === 'none' && !this.#options.isQuiet;
    }

    /** The result: one JSON document, or what a person reads instead. */
    result(document: unknown, human: () => string): void {
        const {json, isQuiet} = this.#options;
        if (json === 'document') this.#out.write(`${JSON.stringify(document, null, 2)}\n`);
        else if (json === 'stream') this.event({type: 'result', result: document});
        else if (!isQuiet) this.#out.write(human());
    }

    /** The error that ended it; more, and its text: what there is to be told all the same. */
    error(
        {code, message}: SnowError,
        more: Readonly<Record<string, unknown>> = {},
        human: () => string = () => '',
    ): void {
        const {json} = this.#options;
        const error = {code, message};
        if (json === 'document') this.#out.write(`${JSON.stringify({error, ...more}, null, 2)}\n`);
        else if (json === 'stream') this.event({type: 'error', error, ...more});
        else if (this.isHuman) this.#out.write(human());
        this.#err.write(`snowctl: ${printable(message)}\n`);
    }

    /** A line of --json=stream; nothing otherwise. */
    event(event: StreamEvent): void {
        if (this.#options.json === 'stream') this.#out.write(`${JSON.stringify(event)}\n`);
    }

    /** A line for a person beside the result. */
    note(text: string): void {
        if (this.isHuman) this.#err.write(`${printable(text)}\n`);
    }

    /** Text on the line that the next one replaces; empty removes it. Only where progressColumns says so. */
    status(text: string): void {
        if (this.isHuman) this.#err.write(`\r${text}\u001b[K${text === '' ? '\r' : ''}`);
    }

    get #mayStyle(): boolean {
        const {NO_COLOR, TERM} = this.#options.environment;
        return !NO_COLOR && TERM !== 'dumb';
    }
}
