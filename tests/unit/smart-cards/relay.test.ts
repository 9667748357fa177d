// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rm} from 'node:fs/promises';
import {type Server, type Socket, connect, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {Relay} from '../../../helper/src/smart-cards/relay.ts';

const STOPPED = 0x8010001e;

let directory: string;
let pcscd: Server;
let relay: Server;
let ended: Promise<void>;
/** Minor versions that pcscd was asked for. */
let asked: number[];

/** pcscd of one version, which says back whatever comes after the versions. */
async function start(minorOfServer: number, idleTimeout = 10_000): Promise<void> {
    asked = [];
    pcscd = createServer((socket: Socket) => {
        let isGreeted = false;
        socket.on('error', () => undefined);
        socket.on('data', (bytes: Buffer) => {
            if (isGreeted) return void socket.write(bytes);
            const [major, minor] = [bytes.readInt32LE(8), bytes.readInt32LE(12)];
            asked.push(minor);
            isGreeted = major === 4 && minor === minorOfServer;
            socket.write(version(4, minorOfServer, isGreeted ? 0 : STOPPED));
        });
    });
    await new Promise<void>(done => pcscd.listen(join(directory, 'pcscd'), done));
    relay = createServer();
    await new Promise<void>(done => relay.listen(join(directory, 'relay'), done));
    ended = new Relay({connect: () => connect(join(directory, 'pcscd')), idleTimeout}).run(relay);
}

beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'relay-'));
});
afterEach(async () => {
    pcscd.close();
    relay.close();
    await rm(directory, {recursive: true});
});

function version(major: number, minor: number, result: number): Buffer {
    const bytes = Buffer.alloc(12);
    bytes.writeInt32LE(major, 0);
    bytes.writeInt32LE(minor, 4);
    bytes.writeUInt32LE(result, 8);
    return bytes;
}

function hello(major: number, minor: number): Buffer {
    const header = Buffer.alloc(8);
    header.writeUInt32LE(12, 0);
    header.writeUInt32LE(0x11, 4);
    return Buffer.concat([header, version(major, minor, 0)]);
}

/** What a client has when it said all of this, and so many bytes have come or the connection ended. */
async function talk(pieces: readonly Buffer[], length: number): Promise<Buffer> {
    const socket = connect(join(directory, 'relay'));
    socket.on('error', () => undefined);
    const found: Buffer[] = [];
    const answered = new Promise<void>(done => {
        socket.once('close', () => done());
        socket.on('data', (bytes: Buffer) => {
            found.push(bytes);
            if (Buffer.concat(found).length >= length) done();
        });
    });
    for (const piece of pieces) {
        socket.write(piece);
        await new Promise(done => setTimeout(done, 5));
    }
    await answered;
    socket.destroy();
    return Buffer.concat(found);
}

describe('a client of the version that pcscd has', () => {
    it('has its answers', async () => {
        await start(5);
        expect(await talk([hello(4, 5), Buffer.from('list')], 16)).toEqual(
            Buffer.concat([version(4, 5, 0), Buffer.from('list')]),
        );
        expect(asked).toEqual([5]);
    });

    it('may say it in pieces, or all at once with what it asks next', async () => {
        await start(5);
        const all = Buffer.concat([hello(4, 5), Buffer.from('list')]);
        const answer = Buffer.concat([version(4, 5, 0), Buffer.from('list')]);
        expect(await talk([all], 16)).toEqual(answer);
        expect(await talk([all.subarray(0, 3), all.subarray(3, 18), all.subarray(18)], 16)).toEqual(
            answer,
        );
    });

    it('has much, both ways', async () => {
        await start(5);
        const much = Buffer.alloc(3_000_000, 'card');
        const answer = await talk([hello(4, 5), much], 12 + much.length);
        expect(answer.subarray(12).equals(much)).toBe(true);
    });
});

describe('a client of another version', () => {
    it('is taken for one of its own by a pcscd that refuses older ones', async () => {
        await start(5);
        for (let round = 0; round < 2; round++)
            expect(await talk([hello(4, 4), Buffer.from('list')], 16)).toEqual(
                Buffer.concat([version(4, 4, 0), Buffer.from('list')]),
            );
        // It has learned which: pcscd has one complaint in its log, not one for each connection.
        expect(asked).toEqual([4, 5, 5]);
    });

    it('is refused as pcscd refuses it where that is newer or unknown', async () => {
        await start(4);
        expect(await talk([hello(4, 5)], 12)).toEqual(version(4, 4, STOPPED));
        expect(await talk([hello(3, 4)], 12)).toEqual(version(4, 4, STOPPED));
        expect(asked).toEqual([5, 4]);
    });
});

describe('what is no client', () => {
    it('has no answer, and pcscd never hears of it', async () => {
        await start(5);
        expect(await talk([Buffer.alloc(64, 'x')], 1)).toEqual(Buffer.alloc(0));
        expect(asked).toEqual([]);
    });
});

describe('a client that has no answer from pcscd', () => {
    it('is told that there is none', async () => {
        await start(5);
        await new Promise(done => pcscd.close(done));
        for (let round = 0; round < 2; round++)
            expect(await talk([hello(4, 5)], 13)).toEqual(version(4, 5, 0x8010001d));
    });

    it('is told that it may not ask, as by a connection that is reset', async () => {
        await start(5);
        pcscd.removeAllListeners('connection');
        pcscd.on('connection', (socket: Socket) => socket.once('readable', () => socket.destroy()));
        expect(await talk([hello(4, 4)], 13)).toEqual(version(4, 4, 0x8010006a));
    });
});

describe('the relay', () => {
    it('ends when nobody has been connected for a while', async () => {
        await start(5, 500);
        await talk([hello(4, 5)], 12);
        await ended;
    });

    it('stays as long as a client does', async () => {
        await start(5, 500);
        const socket = connect(join(directory, 'relay'));
        await new Promise<void>(done => socket.once('connect', () => done()));
        let isEnded = false;
        void ended.then(() => (isEnded = true));
        await new Promise(done => setTimeout(done, 1500));
        expect(isEnded).toBe(false);
        socket.destroy();
        await ended;
    });
});
