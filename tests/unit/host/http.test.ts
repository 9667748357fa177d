// SPDX-License-Identifier: GPL-2.0-or-later
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {type AddressInfo, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import type {Http} from '../../../helper/src/host/host.ts';
import {httpLimits, localHttp} from '../../../helper/src/host/http.ts';
import {makeCertificate} from '../../lab/certificate.ts';
import {type Repository, serveRepository} from '../../lab/repository.ts';

const maxBytes = 1_000_000;

let directory: string;
let repository: Repository;
let http: Http;

beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'snow-http-'));
    await writeFile(join(directory, 'file'), 'x'.repeat(100_000));
    repository = await serveRepository({directory});
    http = localHttp({...httpLimits, headers: 500, stall: 500, whole: 1500, slow: 300});
});
afterEach(async () => {
    await http.close();
    await repository.close();
    await rm(directory, {recursive: true, force: true});
});

const read = (path: string, options = {}) =>
    http.readBytes(repository.url + path, {maxBytes, ...options});

/** A piece is only valid until the next one; `pause`: milliseconds before it is looked at. */
async function collect(stream: AsyncIterable<Uint8Array>, pause = 0): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of stream) {
        if (pause > 0) await sleep(pause);
        pieces.push(Buffer.from(piece));
    }
    return Buffer.concat(pieces);
}

const download = async (
    url: string,
    {pause, ...options}: {signal?: AbortSignal; maxBytes?: number; pause?: number} = {},
) => collect((await http.open(url, {maxBytes: 1e9, ...options})).stream, pause);

describe('a large file', () => {
    const content = randomBytes(20_000_000);

    beforeEach(() => writeFile(join(directory, 'large'), content));

    it('comes whole, by http and by https, to a slow reader, too', async () => {
        const {totalBytes} = await http.open(`${repository.url}/large`, {maxBytes: 1e9});
        expect(totalBytes).toBe(content.length);
        expect((await download(`${repository.url}/large`)).equals(content)).toBe(true);
        await using secure = await serveRepository({directory, tls: await makeCertificate()});
        await expect(download(`${secure.url}/large`)).rejects.toMatchObject({code: 'Network'});
        process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
        try {
            expect((await download(`${secure.url}/large`)).equals(content)).toBe(true);
            expect((await download(`${secure.url}/large`, {pause: 1})).equals(content)).toBe(true);
        } finally {
            delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
        }
    });

    it('comes from a server that is named, and at one of its addresses only', async () => {
        const url = repository.url.replace('127.0.0.1', 'localhost');
        expect((await download(`${url}/large`)).equals(content)).toBe(true);
    });

    it('waits for a slow reader, and takes no more memory for it', async () => {
        const {stream} = await http.open(`${repository.url}/large`, {maxBytes: 1e9});
        const buffers = new Set<ArrayBufferLike>();
        let total = 0;
        for await (const piece of stream) {
            buffers.add(piece.buffer);
            total += piece.length;
            await new Promise(resolve => setTimeout(resolve, 2));
        }
        expect(total).toBe(content.length);
        expect(buffers.size).toBeLessThan(3);
    });

    it('follows redirects, and says what is not there', async () => {
        await repository.setFault('/there', {kind: 'redirect', to: '/large'});
        expect(await download(`${repository.url}/there`)).toHaveLength(content.length);
        await expect(download(`${repository.url}/none`)).rejects.toMatchObject({code: 'NotFound'});
        await repository.setFault('/large', {kind: 'redirect', to: '/large'});
        await expect(download(`${repository.url}/large`)).rejects.toThrow(/redirects too often/);
        await repository.setFault('/large', {kind: 'status', status: 500});
        await expect(download(`${repository.url}/large`)).rejects.toThrow(/status 500/);
    });

    it('is refused when it is larger than it may be, also without having said so', async () => {
        const url = `${repository.url}/large`;
        await expect(download(url, {maxBytes: 1000})).rejects.toThrow(/larger than 1000 bytes/);
        await repository.setFault('/large', {kind: 'endless', bytes: 50_000_000});
        await expect(download(url, {maxBytes: 1000})).rejects.toThrow(/larger than 1000 bytes/);
    });

    it.each([
        [{kind: 'hang'}, /does not answer/],
        [{kind: 'stall', afterBytes: 500_000}, /stopped sending|too slow/],
        [{kind: 'reset', afterBytes: 500_000}, /closed early|was reset/],
        [{kind: 'shorter', bytes: 100}, /closed early, after 19999900 of 20000000 bytes/],
    ] as const)('is given up by a server with the fault %j', async (fault, message) => {
        await repository.setFault('/large', fault);
        const failure = await download(`${repository.url}/large`).catch((error: unknown) => error);
        expect(failure).toMatchObject({code: 'Network', message: expect.stringMatching(message)});
    });

    it('ends with its signal, before, in, and after the head', async () => {
        const url = `${repository.url}/large`;
        const cancelled = {code: 'Cancelled'};
        await expect(download(url, {signal: AbortSignal.abort()})).rejects.toMatchObject(cancelled);
        for (const fault of [{kind: 'hang'}, {kind: 'stall', afterBytes: 10}] as const) {
            await repository.setFault('/large', fault);
            const signal = AbortSignal.timeout(100);
            await expect(download(url, {signal})).rejects.toMatchObject(cancelled);
        }
    });

    it('is not waited for when nobody listens', async () => {
        await expect(download('http://127.0.0.1:1/')).rejects.toThrow(/refuses the connection/);
    });

    it.each([
        ['what is no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
        ['another version', 'HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok'],
        ['a status that is none', 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok'],
        ['a header without a name', 'HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 2\r\n\r\nok'],
        ['a folded header', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 3\r\n\r\nok'],
        ['a control character', 'HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 2\r\n\r\nok'],
        ['a bare line feed', 'HTTP/1.1 200 OK\r\nX: a\nContent-Length: 2\r\n\r\nok'],
        ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\nok'],
        ['an endless head', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}`],
        ['an end before the head', 'HTTP/1.1 200 OK\r\nContent-'],
        ['more than it announced', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay'],
    ])('is refused from a server that sends %s', async (_what, answer) => {
        await using server = await answering(answer);
        await expect(download(server.url)).rejects.toMatchObject({code: 'Network'});
    });

    it.each([
        [
            'after early hints',
            'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-LENGTH:2  \r\n\r\nok',
        ],
        ['without a reason', 'HTTP/1.0 200\r\nContent-Length: 2\r\n\r\nok'],
        ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
        ['until the end', 'HTTP/1.1 200 OK\r\n\r\nok'],
    ])('comes %s, too', async (_how, answer) => {
        await using server = await answering(answer);
        expect((await download(server.url)).toString()).toBe('ok');
    });

    it('comes head by head, byte by byte', async () => {
        await using server = await answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 1);
        expect((await download(server.url)).toString()).toBe('ok');
    });
});

/** A server that answers everything with the same bytes, if need be in pieces. */
async function answering(answer: string, pieceLength = answer.length) {
    const server = createServer(socket => {
        socket.on('error', () => undefined);
        socket.once('data', async () => {
            for (let at = 0; at < answer.length; at += pieceLength) {
                socket.write(answer.slice(at, at + pieceLength), 'latin1');
                if (pieceLength < answer.length) await new Promise(resolve => setTimeout(resolve));
            }
            socket.end();
        });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const {port} = server.address() as AddressInfo;
    return {
        url: `http://127.0.0.1:${port}/`,
        [Symbol.asyncDispose]: async () => void server.close(),
    };
}

describe('a body', () => {
    it('is read whole, or from a byte on, and its size can be asked for', async () => {
        expect(await read('/file')).toHaveLength(100_000);
        expect(await read('/file', {offset: 99_990})).toHaveLength(10);
        expect(await http.size(`${repository.url}/file`)).toBe(100_000);
    });

    it('is refused before it is read when it says that it is too large', async () => {
        await expect(read('/file', {maxBytes: 99_999})).rejects.toMatchObject({code: 'Network'});
    });

    it('is given up when it is too large and did not say so', async () => {
        await repository.setFault('/file', {kind: 'endless', bytes: 50_000_000});
        await expect(read('/file')).rejects.toThrow(/larger than 1000000/);
    });

    it('that trickles is given up', async () => {
        await repository.setFault('/file', {kind: 'throttle', bytesPerSecond: 40_000});
        const {stream} = await http.open(`${repository.url}/file`, {maxBytes});
        await expect(collect(stream)).rejects.toThrow(/too slow/);
    });

    it('ends with its signal', async () => {
        await repository.setFault('/file', {kind: 'stall', afterBytes: 10});
        await expect(read('/file', {signal: AbortSignal.timeout(100)})).rejects.toMatchObject({
            code: 'Cancelled',
        });
    });
});

describe('a redirect', () => {
    it('is followed', async () => {
        await repository.setFault('/there', {kind: 'redirect', to: '/file'});
        expect(await read('/there')).toHaveLength(100_000);
    });

    it('from https leads to https only', async () => {
        await using secure = await serveRepository({directory, tls: await makeCertificate()});
        process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
        try {
            const url = `${secure.url}/file`;
            expect(await http.readBytes(url, {maxBytes})).toHaveLength(100_000);
            await secure.setFault('/file', {kind: 'redirect', to: `${repository.url}/file`});
            await expect(http.readBytes(url, {maxBytes})).rejects.toThrow(/insecure address/);
        } finally {
            delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
        }
    });

    it('of a certificate that nobody trusts is not even asked', async () => {
        await using secure = await serveRepository({directory, tls: await makeCertificate()});
        await expect(http.readBytes(`${secure.url}/file`, {maxBytes})).rejects.toMatchObject({
            code: 'Network',
        });
    });
});

it('takes http and https addresses only', async () => {
    for (const url of ['file:///etc/passwd', 'ftp://x/', 'nonsense', ''])
        await expect(http.readBytes(url, {maxBytes})).rejects.toMatchObject({code: 'InvalidArgs'});
});
