// SPDX-License-Identifier: GPL-2.0-or-later

/** Counts what goes on, calls and jobs alike, and says when there was nothing for some time. */
export class Activity {
    readonly #timeout: number;
    readonly #onIdle: () => void;
    #waiting: (() => void)[] = [];
    #count = 0;
    #timer: NodeJS.Timeout | null = null;

    /** Timeout in milliseconds; the time runs from start() and whenever the last thing ended. */
    constructor(timeout: number, onIdle: () => void) {
        this.#timeout = timeout;
        this.#onIdle = onIdle;
    }

    get isIdle(): boolean {
        return this.#count === 0;
    }

    start(): void {
        this.#stop();
        if (this.isIdle) this.#timer = setTimeout(this.#onIdle, this.#timeout);
    }

    /** Something begins; the result is to be called once when it ended. */
    begin(): () => void {
        this.#count += 1;
        this.#stop();
        return () => {
            this.#count -= 1;
            this.start();
            if (this.isIdle) for (const resolve of this.#waiting.splice(0)) resolve();
        };
    }

    /** Waits until nothing goes on. */
    idle(): Promise<void> {
        if (this.isIdle) return Promise.resolve();
        return new Promise(resolve => this.#waiting.push(resolve));
    }

    #stop(): void {
        if (this.#timer) clearTimeout(this.#timer);
        this.#timer = null;
    }
}
