// SPDX-License-Identifier: GPL-2.0-or-later
import {type ChildProcess, spawn} from 'node:child_process';

/** The command line that gives a program a terminal of its own, 100 columns wide, by script(1). */
export function inTerminal(command: readonly string[]): readonly string[] {
    const quoted = command.map(argument => `'${argument.replaceAll("'", String.raw`'\''`)}'`);
    return [
        'script',
        '--quiet',
        '--return',
        '--flush',
        '--command',
        `stty cols 100 rows 30; exec ${quoted.join(' ')}`,
        '/dev/null',
    ];
}

/** A program on a terminal, driven as a person would: wait for a text, type. */
export class Terminal {
    readonly #child: ChildProcess;
    readonly #changed = new EventTarget();
    /** Nothing more can come: a program that ended may have left text behind that is yet to be read. */
    #isClosed = false;
    /** Everything that the program wrote so far. */
    text = '';
    readonly exit: Promise<number>;

    constructor([file = '', ...rest]: readonly string[]) {
        this.#child = spawn(file, rest, {stdio: ['pipe', 'pipe', 'inherit']});
        this.#child.stdout?.setEncoding('utf8').on('data', (data: string) => {
            this.text += data;
            this.#changed.dispatchEvent(new Event('text'));
        });
        this.exit = new Promise(resolve => {
            this.#child.once('close', code => {
                this.#isClosed = true;
                this.#changed.dispatchEvent(new Event('text'));
                resolve(code ?? 128);
            });
        });
    }

    type(text: string) {
        this.#child.stdin?.write(text);
    }

    /** Waits until the text so far, or what came after `from` characters of it, matches. */
    waitFor(pattern: RegExp, {from = 0, timeout = 15_000} = {}): Promise<RegExpMatchArray> {
        return new Promise((resolve, reject) => {
            const look = () => {
                const found = this.text.slice(from).match(pattern);
                if (found) done(() => resolve(found));
                else if (this.#isClosed) done(() => reject(this.#missing(pattern)));
            };
            const timer = setTimeout(() => done(() => reject(this.#missing(pattern))), timeout);
            const done = (settle: () => void) => {
                clearTimeout(timer);
                this.#changed.removeEventListener('text', look);
                settle();
            };
            this.#changed.addEventListener('text', look);
            look();
        });
    }

    #missing(pattern: RegExp) {
        return new Error(`the terminal never showed ${pattern}:\n${this.text}`);
    }

    /** Ctrl-C. */
    interrupt() {
        this.type('\x03');
    }

    /** Closes the terminal under the program. */
    async close() {
        this.#child.stdin?.end();
        this.#child.kill();
        await this.exit;
    }
}
