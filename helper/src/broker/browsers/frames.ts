// SPDX-License-Identifier: GPL-2.0-or-later
// Native messaging of browsers: JSON documents, each after its length in bytes.

import {endianness} from 'node:os';

/** Bytes; extensions send some hundred. */
const MAX_LENGTH = 1024 * 1024;
const isBigEndian = endianness() === 'BE';

/** Documents out of the pieces that a stream comes in. */
export class DocumentReader {
    #bytes: Buffer = Buffer.alloc(0);

    /** The documents that are complete with this piece. Throws SyntaxError, RangeError. */
    *push(chunk: Buffer): Generator<unknown> {
        this.#bytes = Buffer.concat([this.#bytes, chunk]);
        while (this.#bytes.length >= 4) {
            const length = isBigEndian ? this.#bytes.readUInt32BE() : this.#bytes.readUInt32LE();
            if (length > MAX_LENGTH) throw new RangeError('The message is too long');
            if (this.#bytes.length < 4 + length) return;
            const text = this.#bytes.toString('utf8', 4, 4 + length);
            this.#bytes = this.#bytes.subarray(4 + length);
            yield JSON.parse(text);
        }
    }
}

/** A document as it is sent. */
export function frameOf(document: unknown): Buffer {
    const text = Buffer.from(JSON.stringify(document), 'utf8');
    const length = Buffer.alloc(4);
    if (isBigEndian) length.writeUInt32BE(text.length);
    else length.writeUInt32LE(text.length);
    return Buffer.concat([length, text]);
}
