// SPDX-License-Identifier: GPL-2.0-or-later
// The other side of caller-pipes.ts: FIFOs for the standard streams of a program that someone else
// starts, who can be told no more of them than a directory.

import {closeSync, constants, openSync} from 'node:fs';
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {Socket} from 'node:net';
import {join} from 'node:path';
import type {Readable, Writable} from 'node:stream';

import {SnowError} from './error.ts';
import {runProgram} from './programs.ts';

const {O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY} = constants;
/** Characters of what is kept of the standard error. */
const MAX_ERRORS = 4096;

export class FifoWay implements AsyncDisposable {
    /** The directory, of mode 0700: stdin, stdout and stderr are in it. */
    readonly directory: string;
    /** The program's standard output. */
    readonly input: Readable;
    /** Its standard input. */
    readonly output: Writable;
    readonly #errors: Socket;
    #errorText = '';
    /** The program's ends, so that nothing ends before it has opened them. */
    readonly #held: number[] = [];

    private constructor(directory: string) {
        this.directory = directory;
        const open = (name: string, flags: number): number =>
            openSync(join(directory, name), flags | O_NONBLOCK);
        this.#held.push(open('stdin', O_RDWR));
        const output = open('stdin', O_WRONLY);
        const input = open('stdout', O_RDONLY);
        const errors = open('stderr', O_RDONLY);
        this.#held.push(open('stdout', O_WRONLY), open('stderr', O_WRONLY));
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
    }

    /** Makes them in a directory of their own in that one, which is made if it is not there. */
    static async create(parent: string): Promise<FifoWay> {
        await mkdir(parent, {recursive: true, mode: 0o700});
        const directory = await mkdtemp(join(parent, 'pipes-'));
        try {
            const names = ['stdin', 'stdout', 'stderr'].map(name => join(directory, name));
            const {exitCode, stderr} = await runProgram(['mkfifo', '-m', '0600', ...names]);
            if (exitCode !== 0) throw new SnowError('Failed', `No pipes can be made: ${stderr}`);
            return new FifoWay(directory);
        } catch (error) {
            await rm(directory, {recursive: true, force: true});
            throw error;
        }
    }

    /** The end of what the program has said on its standard error. */
    get errorText(): string {
        return this.#errorText.trim();
    }

    /** The program has opened them all: from now on they end with it, and need no names any more. */
    async letGo(): Promise<void> {
        for (const fd of this.#held.splice(0)) closeSync(fd);
        await rm(this.directory, {recursive: true, force: true});
    }

    async [Symbol.asyncDispose](): Promise<void> {
        for (const stream of [this.input, this.output, this.#errors]) stream.destroy();
        await this.letGo();
    }
}
