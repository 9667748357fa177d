// SPDX-License-Identifier: GPL-2.0-or-later
// A connection that sends bytes which no library would: the D-Bus specification, "Message Protocol".
import {once} from 'node:events';
import {type Socket, connect} from 'node:net';

type Field = readonly [code: number, type: 's' | 'o' | 'g' | 'u', value: string | number];

const CODES = {path: 1, interface: 2, member: 3, errorName: 4, destination: 6, signature: 8};
const METHOD_CALL = 1;

export interface RawMessage {
    readonly type?: number;
    readonly serial: number;
    readonly path?: string;
    readonly interface?: string;
    readonly member?: string;
    readonly destination: string;
    readonly signature?: string;
    readonly replySerial?: number;
    readonly body?: Buffer;
}

/** Connects as the user of this process, with its Hello already said. */
export async function connectRaw(path: string): Promise<Socket> {
    const socket = connect(path);
    await once(socket, 'connect');
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
    socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
    await once(socket, 'data');
    socket.write('BEGIN\r\n');
    const bus = 'org.freedesktop.DBus';
    const target = {destination: bus, path: '/org/freedesktop/DBus', interface: bus};
    socket.write(encode({...target, member: 'Hello', serial: 1}));
    await once(socket, 'data');
    return socket;
}

export function encode(message: RawMessage): Buffer {
    const fields: Field[] = [];
    for (const [name, code] of Object.entries(CODES)) {
        const value = message[name as keyof typeof CODES & keyof RawMessage];
        const type = name === 'path' ? 'o' : name === 'signature' ? 'g' : 's';
        if (value !== undefined) fields.push([code, type, value]);
    }
    if (message.replySerial !== undefined) fields.push([5, 'u', message.replySerial]);
    const encoded = fields.reduce((before, field) => {
        const start = pad(before, 8);
        return Buffer.concat([start, encodeField(field, start.length)]);
    }, Buffer.alloc(0));
    const body = message.body ?? Buffer.alloc(0);
    const header = Buffer.alloc(16);
    header.write('l', 0);
    header.writeUInt8(message.type ?? METHOD_CALL, 1);
    header.writeUInt8(1, 3);
    header.writeUInt32LE(body.length, 4);
    header.writeUInt32LE(message.serial, 8);
    header.writeUInt32LE(encoded.length, 12);
    return Buffer.concat([pad(Buffer.concat([header, encoded]), 8), body]);
}

function encodeField([code, type, value]: Field, offset: number): Buffer {
    const start = Buffer.from([code, 1, type.charCodeAt(0), 0]);
    if (typeof value === 'number') return Buffer.concat([start, uint32(value)]);
    const text = Buffer.from(`${value}\0`);
    if (type === 'g') return Buffer.concat([start, Buffer.from([text.length - 1]), text]);
    if ((offset + start.length) % 4 !== 0) throw new Error('A field is not aligned');
    return Buffer.concat([start, uint32(text.length - 1), text]);
}

function uint32(value: number): Buffer {
    const buffer = Buffer.alloc(4);
    buffer.writeUInt32LE(value);
    return buffer;
}

function pad(buffer: Buffer, boundary: number): Buffer {
    return Buffer.concat([buffer, Buffer.alloc(-buffer.length & (boundary - 1))]);
}
