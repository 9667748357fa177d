// SPDX-License-Identifier: GPL-2.0-or-later

/**
 * One read at a time, however many ask. Nobody gets what was read before they asked: whoever comes
 * during a read shares the one after it.
 */
export class CoalescedRead<T> {
    readonly #read: () => Promise<T>;
    #running: Promise<T> | null = null;
    #next: Promise<T> | null = null;

    constructor(read: () => Promise<T>) {
        this.#read = read;
    }

    read(): Promise<T> {
        if (this.#next) return this.#next;
        if (!this.#running) return this.#start();
        const start = (): Promise<T> => this.#start();
        this.#next = this.#running.then(start, start);
        return this.#next;
    }

    #start(): Promise<T> {
        this.#next = null;
        const running = this.#read().finally(() => {
            if (this.#running === running) this.#running = null;
        });
        this.#running = running;
        return running;
    }
}
