// SPDX-License-Identifier: GPL-2.0-or-later
// A way to a program that the service starts: its standard streams, as FIFOs in a directory.

import {closeSync, constants} from 'node:fs';
import {Socket} from 'node:net';
import type {Readable, Writable} from 'node:stream';
import {setTimeout as delay} from 'node:timers/promises';

import {GivenPipes, streamNames} from './given-pipes.ts';

const {O_RDONLY, O_RDWR, O_WRONLY} = constants;
/** Characters of what is kept of the standard error. */
const MAX_ERRORS = 4096;
/** Milliseconds that the last words of a program are waited for that has left its streams to others. */
const LAST_WORDS_TIMEOUT = 1000;

export class FifoWay implements AsyncDisposable {
    /** The program's standard output. */
    readonly input: Readable;
    /** Its standard input. */
    readonly output: Writable;
    readonly #pipes: GivenPipes;
    readonly #errors: Socket;
    readonly #errorsEnded: Promise<void>;
    #errorText = '';
    /** The program's ends, so that nothing ends before it has opened them. */
    readonly #held: number[];
    readonly #heldErrors: number[];

    private constructor(pipes: GivenPipes) {
        this.#pipes = pipes;
        this.#held = [pipes.open('stdin', O_RDWR)];
        const output = pipes.open('stdin', O_WRONLY);
        const input = pipes.open('stdout', O_RDONLY);
        const errors = pipes.open('stderr', O_RDONLY);
        this.#held.push(pipes.open('stdout', O_WRONLY));
        this.#heldErrors = [pipes.open('stderr', O_WRONLY)];
        this.output = new Socket({fd: output, readable: false, writable: true});
        this.input = new Socket({fd: input, readable: true, writable: false});
        this.#errors = new Socket({fd: errors, readable: true, writable: false});
        this.#errors.setEncoding('utf8');
        this.#errors.on('data', (text: string) => {
            this.#errorText = (this.#errorText + text).slice(-MAX_ERRORS);
        });
        this.#errors.on('error', () => {
            // There is nothing more to be read, then.
        });
        this.#errorsEnded = new Promise(resolve => this.#errors.once('close', () => resolve()));
    }

    /** Throws SnowError. */
    static async create(uid: number): Promise<FifoWay> {
        const pipes = await GivenPipes.create(uid);
        try {
            await pipes.makeFifos(streamNames);
            return new FifoWay(pipes);
        } catch (error) {
            await pipes[Symbol.asyncDispose]();
            throw error;
        }
    }

    /** Of the FIFOs stdin, stdout and stderr. */
    get directory(): string {
        return this.#pipes.directory;
    }

    /** The end of what the program, which has ended, said on its standard error. */
    async lastWords(): Promise<string> {
        closeAll(this.#heldErrors);
        const limit = new AbortController();
        await Promise.race([
            this.#errorsEnded,
            delay(LAST_WORDS_TIMEOUT, undefined, {signal: limit.signal}).catch(() => undefined),
        ]);
        limit.abort();
        return this.#errorText.trim();
    }

    /** The program has opened them all: from now on they end with it, and need no names any more. */
    async letGo(): Promise<void> {
        closeAll(this.#held);
        closeAll(this.#heldErrors);
        await this.#pipes[Symbol.asyncDispose]();
    }

    async [Symbol.asyncDispose](): Promise<void> {
        for (const stream of [this.input, this.output, this.#errors]) stream.destroy();
        await this.letGo();
    }
}

function closeAll(descriptors: number[]): void {
    for (const fd of descriptors.splice(0)) closeSync(fd);
}
