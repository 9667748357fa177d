// SPDX-License-Identifier: GPL-2.0-or-later
import {FIXED_HEADER, type Lengths, type Message, parseMessage, readLengths} from './message.ts';

/** Messages out of the pieces that a stream comes in. */
export class FrameReader {
    readonly #maxBody: number;
    #chunks: Buffer[] = [];
    #length = 0;
    #lengths: Lengths | null = null;
    /** Bytes of a body that is left out, still to come. */
    #toSkip = 0;

    /** Bodies that are larger are left out, and never in memory. */
    constructor(maxBody: number) {
        this.#maxBody = maxBody;
    }

    /** The messages that are complete with this piece. Throws MalformedMessage; then all that follows is void. */
    *push(chunk: Buffer): Generator<Message> {
        const rest = this.#skip(chunk);
        if (rest.length > 0) this.#chunks.push(rest);
        this.#length += rest.length;
        for (;;) {
            if (!this.#lengths) {
                if (this.#length < FIXED_HEADER) return;
                this.#lengths = readLengths(this.#first(FIXED_HEADER));
            }
            const lengths = this.#lengths;
            const isCut = lengths.body > this.#maxBody;
            const size = lengths.header + (isCut ? 0 : lengths.body);
            if (this.#length < size) return;
            const bytes = this.#first(size).subarray(0, size);
            this.#drop(size);
            this.#lengths = null;
            if (isCut) this.#skipBuffered(lengths.body);
            yield parseMessage(bytes, lengths);
        }
    }

    #skip(chunk: Buffer): Buffer {
        const count = Math.min(this.#toSkip, chunk.length);
        this.#toSkip -= count;
        return chunk.subarray(count);
    }

    #skipBuffered(count: number): void {
        const here = Math.min(count, this.#length);
        if (here > 0) {
            this.#first(here);
            this.#drop(here);
        }
        this.#toSkip = count - here;
    }

    /** A buffer that begins with as many of the bytes. */
    #first(count: number): Buffer {
        const [first] = this.#chunks;
        if (first && first.length >= count) return first;
        const all = Buffer.concat(this.#chunks);
        this.#chunks = [all];
        return all;
    }

    #drop(count: number): void {
        const [first] = this.#chunks;
        if (!first) return;
        this.#length -= count;
        if (first.length === count) this.#chunks.shift();
        else this.#chunks[0] = first.subarray(count);
    }
}
