// SPDX-License-Identifier: GPL-2.0-or-later
// Marshalled values of the D-Bus specification: read where they are needed, else just walked over.

import {isUtf8} from 'node:buffer';

/** Bytes that are no message. */
export class MalformedMessage extends Error {
    constructor(message: string) {
        super(message);
        this.name = 'MalformedMessage';
    }
}

/** Of containers in one another, as the specification has it for all kinds together. */
const MAX_DEPTH = 64;
const MAX_ARRAY = 64 * 1024 * 1024;
const MAX_SIGNATURE = 255;

/** Basic types of a fixed size, with that size, which is their alignment, too. */
const fixedSizes: ReadonlyMap<string, number> = new Map([
    ['y', 1],
    ['b', 4],
    ['n', 2],
    ['q', 2],
    ['i', 4],
    ['u', 4],
    ['x', 8],
    ['t', 8],
    ['d', 8],
    ['h', 4],
]);
const alignments: ReadonlyMap<string, number> = new Map([
    ...fixedSizes,
    ['s', 4],
    ['o', 4],
    ['g', 1],
    ['v', 1],
    ['a', 4],
    ['(', 8],
    ['{', 8],
]);

/**
 * Reads values one after the other; every method throws MalformedMessage. Offsets count from the
 * first byte, which is to be aligned to 8 in its message.
 */
export class ValueReader {
    readonly #bytes: Buffer;
    readonly #isBigEndian: boolean;
    readonly #end: number;
    #offset: number;

    constructor(bytes: Buffer, isBigEndian: boolean, offset = 0, end = bytes.length) {
        this.#bytes = bytes;
        this.#isBigEndian = isBigEndian;
        this.#offset = offset;
        this.#end = end;
    }

    get isAtEnd(): boolean {
        return this.#offset === this.#end;
    }

    byte(): number {
        return this.#bytes.readUInt8(this.#take(1));
    }

    uint32(): number {
        this.align(4);
        const at = this.#take(4);
        return this.#isBigEndian ? this.#bytes.readUInt32BE(at) : this.#bytes.readUInt32LE(at);
    }

    string(): string {
        return this.#text(this.uint32()).toString('utf8');
    }

    objectPath(): string {
        const path = this.string();
        if (!/^\/$|^(\/[A-Za-z0-9_]+)+$/.test(path)) throw new MalformedMessage('No object path');
        return path;
    }

    signature(): string {
        const signature = this.#text(this.byte()).toString('latin1');
        checkSignature(signature);
        return signature;
    }

    /** Elements of an array of bytes. */
    bytes(): Buffer {
        const length = this.uint32();
        const at = this.#take(length);
        return this.#bytes.subarray(at, at + length);
    }

    /** Calls back for each element of an array; the element is to be read there. */
    array(element: string, readElement: () => void): void {
        const length = this.uint32();
        if (length > MAX_ARRAY) throw new MalformedMessage('The array is too long');
        this.align(alignments.get(element.charAt(0)) ?? 1);
        const end = this.#offset + length;
        if (end > this.#end) throw new MalformedMessage('The array has no end');
        while (this.#offset < end) readElement();
        if (this.#offset !== end) throw new MalformedMessage('The array ends within an element');
    }

    align(boundary: number): void {
        const padding = -this.#offset & (boundary - 1);
        if (padding === 0) return;
        const at = this.#take(padding);
        for (let i = at; i < at + padding; i++)
            if (this.#bytes[i] !== 0) throw new MalformedMessage('The padding is not zero');
    }

    /** Walks over values of these types, and sees that they are what the types say. */
    skip(signature: string, depth = 0): void {
        for (let i = 0; i < signature.length;) {
            const next = endOfType(signature, i);
            this.#skipOne(signature.slice(i, next), depth);
            i = next;
        }
    }

    #skipOne(type: string, depth: number): void {
        if (depth > MAX_DEPTH) throw new MalformedMessage('Values are nested too deeply');
        const kind = type.charAt(0);
        const size = fixedSizes.get(kind);
        if (kind === 'b') {
            if (this.uint32() > 1) throw new MalformedMessage('No boolean');
        } else if (size !== undefined) {
            this.align(size);
            this.#take(size);
        } else if (kind === 's') {
            const length = this.uint32();
            this.#text(length);
        } else if (kind === 'o') {
            this.objectPath();
        } else if (kind === 'g') {
            this.signature();
        } else if (kind === 'v') {
            const inner = this.signature();
            if (inner === '' || endOfType(inner, 0) !== inner.length)
                throw new MalformedMessage('A variant is of one type');
            this.#skipOne(inner, depth + 1);
        } else if (kind === 'a') {
            this.#skipArray(type.slice(1), depth + 1);
        } else {
            this.align(8);
            this.skip(type.slice(1, -1), depth + 1);
        }
    }

    #skipArray(element: string, depth: number): void {
        const size = fixedSizes.get(element);
        if (size === undefined || element === 'b') {
            this.array(element, () => this.#skipOne(element, depth));
            return;
        }
        const length = this.uint32();
        this.align(size);
        this.#take(length);
        if (length % size !== 0) throw new MalformedMessage('The array ends within an element');
    }

    /** So many bytes and the zero after them. */
    #text(length: number): Buffer {
        const at = this.#take(length + 1);
        const text = this.#bytes.subarray(at, at + length);
        if (this.#bytes[at + length] !== 0 || text.includes(0) || !isUtf8(text))
            throw new MalformedMessage('No string');
        return text;
    }

    #take(count: number): number {
        const at = this.#offset;
        if (at + count > this.#end) throw new MalformedMessage('The message ends within a value');
        this.#offset = at + count;
        return at;
    }
}

/** Whether a body is what its signature says; else the bus would close the connection it comes over. */
export function isValidBody(signature: string, body: Buffer, isBigEndian: boolean): boolean {
    try {
        checkSignature(signature);
        const reader = new ValueReader(body, isBigEndian);
        reader.skip(signature);
        return reader.isAtEnd;
    } catch (error) {
        if (error instanceof MalformedMessage) return false;
        throw error;
    }
}

/** The body of one string. */
export function stringBody(text: string, isBigEndian: boolean): Buffer {
    const bytes = Buffer.from(text, 'utf8');
    const body = Buffer.alloc(4 + bytes.length + 1);
    if (isBigEndian) body.writeUInt32BE(bytes.length);
    else body.writeUInt32LE(bytes.length);
    bytes.copy(body, 4);
    return body;
}

/** Throws MalformedMessage unless it is a signature. */
function checkSignature(signature: string): void {
    if (signature.length > MAX_SIGNATURE) throw new MalformedMessage('The signature is too long');
    for (let i = 0; i < signature.length;) i = endOfType(signature, i);
}

/** Where the complete type that begins there ends. Throws MalformedMessage. */
function endOfType(signature: string, start: number, arrays = 0, structs = 0): number {
    if (arrays > 32 || structs > 32) throw new MalformedMessage('Types are nested too deeply');
    const kind = signature.charAt(start);
    if (kind === 'a') {
        if (signature.charAt(start + 1) !== '{')
            return endOfType(signature, start + 1, arrays + 1, structs);
        const key = signature.charAt(start + 2);
        if (!fixedSizes.has(key) && !/^[sog]$/.test(key))
            throw new MalformedMessage('The key of a dictionary is no basic type');
        const end = endOfType(signature, start + 3, arrays + 1, structs + 1);
        if (signature.charAt(end) !== '}') throw new MalformedMessage('A dictionary has no end');
        return end + 1;
    }
    if (kind === '(') {
        let at = start + 1;
        while (at < signature.length && signature.charAt(at) !== ')')
            at = endOfType(signature, at, arrays, structs + 1);
        if (at >= signature.length || at === start + 1)
            throw new MalformedMessage('A struct has no end, or nothing in it');
        return at + 1;
    }
    if (fixedSizes.has(kind) || /^[sogv]$/.test(kind)) return start + 1;
    throw new MalformedMessage('No signature');
}
