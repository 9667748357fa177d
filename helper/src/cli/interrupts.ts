// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';

/** What Ctrl+C does: first cancel the job, if there is one; then leave. */
export class Interrupts {
    /** Rejects when the program is to be left at once. */
    readonly left: Promise<never>;
    #isLeft = false;
    #leave: (error: SnowError) => void = () => undefined;
    #cancel: (() => void) | null = null;

    constructor() {
        this.left = new Promise((_, reject) => {
            this.#leave = reject;
        });
        this.left.catch(() => {
            // Whoever waits is told.
        });
    }

    /** Whether the program is left in the middle of a line, a prompt or a bar. */
    get isLeft(): boolean {
        return this.#isLeft;
    }

    /** Ctrl+C came. */
    interrupt(): void {
        const cancel = this.#cancel;
        this.#cancel = null;
        if (cancel) {
            cancel();
        } else {
            this.#isLeft = true;
            this.#leave(new SnowError('Cancelled', 'Interrupted'));
        }
    }

    /** What the next Ctrl+C does instead of leaving. */
    duringWhich(cancel: () => void): Disposable {
        this.#cancel = cancel;
        return {
            [Symbol.dispose]: () => {
                this.#cancel = null;
            },
        };
    }
}
