// SPDX-License-Identifier: GPL-2.0-or-later
import type {Sink} from './output.ts';

/** The part of a terminal's input that is used here. */
export interface TerminalInput {
    setRawMode?(isRaw: boolean): unknown;
    setEncoding(encoding: 'utf8'): unknown;
    on(event: 'data', listener: (text: string) => void): unknown;
    off(event: 'data', listener: (text: string) => void): unknown;
    once(event: 'end', listener: () => void): unknown;
    off(event: 'end', listener: () => void): unknown;
    resume(): unknown;
    pause(): unknown;
}

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const BACKSPACES = ['\b', '\u007f'];
const ENDS = ['\r', '\n'];

/** Asks on a terminal for lines; as long as it is there, nothing that is typed shows. */
export class SecretPrompt implements Disposable {
    readonly #input: TerminalInput;
    readonly #err: Sink;
    readonly #interrupt: () => void;
    /** What was typed before it was asked for. */
    #ahead = '';

    /** @param interrupt what Ctrl+C does: the terminal does not make a signal of it meanwhile */
    constructor(input: TerminalInput, err: Sink, interrupt: () => void) {
        this.#input = input;
        this.#err = err;
        this.#interrupt = interrupt;
        input.setRawMode?.(true);
        input.setEncoding('utf8');
    }

    /** A line without its end; what there is at the end of the input. */
    async ask(prompt: string): Promise<string> {
        this.#err.write(prompt);
        const line = await this.#readLine();
        this.#input.pause();
        this.#err.write('\n');
        return line;
    }

    [Symbol.dispose](): void {
        this.#input.setRawMode?.(false);
    }

    #readLine(): Promise<string> {
        const input = this.#input;
        return new Promise(resolve => {
            let line = '';
            const finish = (): void => {
                input.off('data', take);
                input.off('end', finish);
                resolve(line);
            };
            const take = (text: string): void => {
                const characters = [...this.#ahead, ...text];
                this.#ahead = '';
                while (characters.length > 0) {
                    const character = characters.shift() ?? '';
                    if (ENDS.includes(character) || character === CTRL_D) {
                        this.#ahead = characters.join('');
                        finish();
                        return;
                    }
                    if (character === CTRL_C) this.#interrupt();
                    else if (character === CTRL_U) line = '';
                    else if (BACKSPACES.includes(character)) line = [...line].slice(0, -1).join('');
                    else line += character;
                }
            };
            input.on('data', take);
            input.once('end', finish);
            input.resume();
            if (this.#ahead !== '') take('');
        });
    }
}
