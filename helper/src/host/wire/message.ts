// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of the D-Bus specification whose bodies stay the bytes that they came as: who hands them on
// need not know what is in them.

import {MalformedMessage, ValueReader} from './values.ts';

export const messageTypes = {call: 1, return: 2, error: 3, signal: 4} as const;

export const flags = {noReplyExpected: 0x1, noAutoStart: 0x2} as const;

/** What is said of a message; empty, or 0: it says nothing of that. */
export interface Envelope {
    readonly type: number;
    readonly flags: number;
    readonly path: string;
    readonly interface: string;
    readonly member: string;
    readonly errorName: string;
    readonly replySerial: number;
    readonly destination: string;
    readonly signature: string;
    /** In which order the bytes of numbers stand in the body, and in the rest. */
    readonly isBigEndian: boolean;
}

export interface Message extends Envelope {
    readonly serial: number;
    /** Set by the bus. */
    readonly sender: string;
    readonly body: Buffer;
    /** The body was larger than wanted, and is left out. */
    readonly isCut: boolean;
}

/** A message that says nothing but what is given. */
export function envelope(parts: Partial<Envelope> & Pick<Envelope, 'type'>): Envelope {
    return {
        flags: 0,
        path: '',
        interface: '',
        member: '',
        errorName: '',
        replySerial: 0,
        destination: '',
        signature: '',
        isBigEndian: false,
        ...parts,
    };
}

/** Bytes of the part whose size is fixed. */
export const FIXED_HEADER = 16;
/** The specification's. */
const MAX_MESSAGE = 128 * 1024 * 1024;
/** Names and paths; there is no need for more. */
const MAX_FIELDS = 256 * 1024;
const VERSION = 1;

export interface Lengths {
    readonly header: number;
    readonly body: number;
}

/** Reads the first FIXED_HEADER bytes. Throws MalformedMessage. */
export function readLengths(bytes: Buffer): Lengths {
    const isBigEndian = readEndianness(bytes);
    const uint32 = (at: number): number =>
        isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const fields = uint32(12);
    const body = uint32(4);
    if (bytes[3] !== VERSION) throw new MalformedMessage('Another version of the protocol');
    if (fields > MAX_FIELDS || body > MAX_MESSAGE)
        throw new MalformedMessage('The message is too long');
    return {header: FIXED_HEADER + ((fields + 7) & ~7), body};
}

/** A header with all of the body after it, or none. Throws MalformedMessage. */
export function parseMessage(bytes: Buffer, {header, body}: Lengths): Message {
    const isBigEndian = readEndianness(bytes);
    const uint32 = (at: number): number =>
        isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const fields = readFields(bytes, isBigEndian, FIXED_HEADER + uint32(12));
    const message = {
        type: bytes.readUInt8(1),
        flags: bytes.readUInt8(2),
        serial: uint32(8),
        isBigEndian,
        ...fields,
        body: bytes.subarray(header),
        isCut: bytes.length < header + body,
    };
    const {type, serial, path, member, replySerial, errorName, interface: interfaceName} = message;
    const {call, return: methodReturn, error, signal} = messageTypes;
    const isComplete =
        serial !== 0 &&
        type !== 0 &&
        (type !== call || (path !== '' && member !== '')) &&
        (type !== methodReturn || replySerial !== 0) &&
        (type !== error || (replySerial !== 0 && errorName !== '')) &&
        (type !== signal || (path !== '' && member !== '' && interfaceName !== ''));
    if (!isComplete) throw new MalformedMessage('The message says too little of itself');
    return message;
}

function readEndianness(bytes: Buffer): boolean {
    const mark = String.fromCharCode(bytes.readUInt8(0));
    if (mark !== 'l' && mark !== 'B') throw new MalformedMessage('No message');
    return mark === 'B';
}

type Fields = Pick<
    Message,
    | 'path'
    | 'interface'
    | 'member'
    | 'errorName'
    | 'replySerial'
    | 'destination'
    | 'sender'
    | 'signature'
>;

function readFields(bytes: Buffer, isBigEndian: boolean, end: number): Fields {
    const reader = new ValueReader(bytes, isBigEndian, FIXED_HEADER, end);
    const fields = {
        path: '',
        interface: '',
        member: '',
        errorName: '',
        replySerial: 0,
        destination: '',
        sender: '',
        signature: '',
    };
    while (!reader.isAtEnd) {
        reader.align(8);
        const code = reader.byte();
        const type = reader.signature();
        const field = knownFields[code];
        if (!field) {
            reader.skip(type);
        } else if (type !== field.type) {
            throw new MalformedMessage(`The ${field.name} is of another type`);
        } else if (field.name === 'replySerial') {
            fields.replySerial = reader.uint32();
        } else {
            const text =
                type === 'g'
                    ? reader.signature()
                    : type === 'o'
                      ? reader.objectPath()
                      : reader.string();
            if (field.grammar && !(text.length <= MAX_NAME && field.grammar.test(text)))
                throw new MalformedMessage(`The ${field.name} is none`);
            fields[field.name] = text;
        }
    }
    return fields;
}

const MAX_NAME = 255;
const interfaceGrammar = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$/;
const busNameGrammar =
    /^(:[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+|[A-Za-z_-][A-Za-z0-9_-]*(\.[A-Za-z_-][A-Za-z0-9_-]*)+)$/;

interface Field {
    readonly name: keyof Fields;
    readonly type: 's' | 'o' | 'g' | 'u';
    readonly grammar?: RegExp;
}

/** By their code. */
const knownFields: readonly (Field | null)[] = [
    null,
    {name: 'path', type: 'o'},
    {name: 'interface', type: 's', grammar: interfaceGrammar},
    {name: 'member', type: 's', grammar: /^[A-Za-z_][A-Za-z0-9_]*$/},
    {name: 'errorName', type: 's', grammar: interfaceGrammar},
    {name: 'replySerial', type: 'u'},
    {name: 'destination', type: 's', grammar: busNameGrammar},
    {name: 'sender', type: 's', grammar: busNameGrammar},
    {name: 'signature', type: 'g'},
];

/** Everything before the body. */
export function encodeHeader(message: Envelope, serial: number, bodyLength: number): Buffer {
    const fields: (readonly [code: number, field: Field, value: string | number])[] = [];
    let size = FIXED_HEADER;
    for (const [code, field] of knownFields.entries()) {
        // Whose message it is, the bus says.
        if (!field || field.name === 'sender') continue;
        const value = message[field.name];
        if (value === '' || value === 0) continue;
        fields.push([code, field, value]);
        size = ((size + 7) & ~7) + 4;
        if (field.type === 'g') size += 1 + String(value).length + 1;
        else if (field.type === 'u') size += 4;
        else size += 4 + String(value).length + 1;
    }
    const bytes = Buffer.alloc((size + 7) & ~7);
    const {isBigEndian} = message;
    const write = (value: number, at: number): number =>
        isBigEndian ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at);
    bytes.write(isBigEndian ? 'B' : 'l', 0);
    bytes.writeUInt8(message.type, 1);
    bytes.writeUInt8(message.flags, 2);
    bytes.writeUInt8(VERSION, 3);
    write(bodyLength, 4);
    write(serial, 8);
    write(size - FIXED_HEADER, 12);
    let at = FIXED_HEADER;
    for (const [code, {type}, value] of fields) {
        at = (at + 7) & ~7;
        bytes.writeUInt8(code, at);
        bytes.writeUInt8(1, at + 1);
        bytes.write(type, at + 2);
        at += 4;
        if (typeof value === 'number') {
            at = write(value, at);
        } else {
            at = type === 'g' ? bytes.writeUInt8(value.length, at) : write(value.length, at);
            // All grammars are ones of ASCII.
            at += bytes.write(value, at, 'latin1') + 1;
        }
    }
    return bytes;
}
