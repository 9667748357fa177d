// SPDX-License-Identifier: GPL-2.0-or-later

/** Milliseconds that the shown speed looks back. */
const WINDOW = 5000;
/** Below that many milliseconds a speed says nothing. */
const MIN_SPAN = 500;

interface Sample {
    readonly time: number;
    readonly bytes: number;
}

/** Speed of a transfer over its last seconds. */
export class TransferRate {
    #samples: readonly Sample[] = [];

    /** Time in milliseconds; a count that goes back starts anew. */
    add(time: number, bytes: number): void {
        const last = this.#samples.at(-1);
        const kept = last && bytes < last.bytes ? [] : this.#samples;
        this.#samples = [...kept.filter(sample => time - sample.time <= WINDOW), {time, bytes}];
    }

    /** Bytes per second; null while it is not known. */
    get speed(): number | null {
        const first = this.#samples[0];
        const last = this.#samples.at(-1);
        if (!first || !last || last.time - first.time < MIN_SPAN) return null;
        return ((last.bytes - first.bytes) * 1000) / (last.time - first.time);
    }

    /** Seconds until a total is reached; null while it is not known. */
    secondsTo(total: number): number | null {
        const {speed} = this;
        const done = this.#samples.at(-1)?.bytes ?? 0;
        return speed ? Math.max(0, total - done) / speed : null;
    }
}
