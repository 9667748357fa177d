// SPDX-License-Identifier: GPL-2.0-or-later

/** Has what starts and stops one machine follow one another: who opens two applications starts it once. */
export class MachineTurns {
    readonly #last = new Map<number, Promise<void>>();

    async run<T>(uid: number, work: () => Promise<T>): Promise<T> {
        const before = this.#last.get(uid) ?? Promise.resolve();
        const mine = before.then(work);
        const end = mine.then(
            () => undefined,
            () => undefined,
        );
        this.#last.set(uid, end);
        try {
            return await mine;
        } finally {
            if (this.#last.get(uid) === end) this.#last.delete(uid);
        }
    }
}
