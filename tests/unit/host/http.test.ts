// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

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
        await expect(stream.toArray()).rejects.toThrow(/too slow/);
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
