// SPDX-License-Identifier: GPL-2.0-or-later

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Makes lines of bytes as they come in. Of a line that is too long the start is handed over. */
export class LineSplitter {
    readonly #maxBytes: number;
    readonly #onLine: (line: string) => void;
    #pieces: Buffer[] = [];
    #length = 0;

    /** Lines end as on a terminal, also where one is drawn over; empty ones are left out. */
    constructor(maxBytes: number, onLine: (line: string) => void) {
        this.#maxBytes = maxBytes;
        this.#onLine = onLine;
    }

    add(chunk: Buffer): void {
        let start = 0;
        for (let at = 0; at < chunk.length; at++) {
            if (chunk[at] !== LINE_FEED && chunk[at] !== CARRIAGE_RETURN) continue;
            this.#keep(chunk.subarray(start, at));
            this.end();
            start = at + 1;
        }
        this.#keep(chunk.subarray(start));
    }

    /** What there is so far is a line. */
    end(): void {
        if (this.#length === 0) return;
        const line = Buffer.concat(this.#pieces, this.#length).toString('utf8');
        this.#pieces = [];
        this.#length = 0;
        this.#onLine(line);
    }

    #keep(piece: Buffer): void {
        const kept = piece.subarray(0, this.#maxBytes - this.#length);
        if (kept.length === 0) return;
        this.#pieces.push(kept);
        this.#length += kept.length;
    }
}
