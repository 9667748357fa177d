// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {execa} from 'execa';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {imageFileName, makeImage} from '../../lab/images.ts';
import {componentDirectory, publish} from '../../lab/publication.ts';
import {type Repository, serveRepository} from '../../lab/repository.ts';
import {makeKey} from '../../lab/signing.ts';

let directory: string;
let repository: Repository;

beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lab-repository-'));
    await makeImage(componentDirectory(directory, 'demo'), {name: 'demo', version: '1.0'}, [
        'zst',
        'raw',
    ]);
    await publish(directory, 'demo');
    repository = await serveRepository({directory});
});

afterAll(async () => {
    await repository.close();
    await rm(directory, {recursive: true, force: true});
});

const manifest = '/ext/demo/SHA256SUMS';

async function bytes(path: string, init?: RequestInit) {
    const response = await fetch(`${repository.url}${path}`, init);
    return {response, body: Buffer.from(await response.arrayBuffer())};
}

describe('the repository server', () => {
    test('serves files whole and in ranges, and remembers who asked', async () => {
        await repository.clearLog();
        const whole = await bytes(manifest);
        expect(whole.body.toString()).toContain(imageFileName('demo', '1.0', 'raw'));
        const part = await bytes(manifest, {headers: {Range: 'bytes=4-9'}});
        expect(part.response.status).toBe(206);
        expect(part.body).toEqual(whole.body.subarray(4, 10));
        expect((await bytes('/ext/demo/none')).response.status).toBe(404);
        const {requests} = await repository.log();
        expect(requests.map(({path, range}) => [path, range])).toEqual([
            [manifest, null],
            [manifest, 'bytes=4-9'],
            ['/ext/demo/none', null],
        ]);
    });

    test('does not leave its directory', async () => {
        const {stdout} = await execa('curl', [
            '--path-as-is',
            '-s',
            '-o',
            '/dev/null',
            '-w',
            '%{http_code}',
            `${repository.url}/..%2f..%2f..%2fetc/passwd`,
        ]);
        expect(stdout).toBe('404');
    });

    test('flips one bit, once', async () => {
        const good = (await bytes(manifest)).body;
        await repository.setFault(manifest, {kind: 'flip', at: 3, times: 1});
        const bad = (await bytes(manifest)).body;
        expect(bad.equals(good)).toBe(false);
        expect(bad.subarray(4)).toEqual(good.subarray(4));
        expect((await bytes(manifest)).body).toEqual(good);
    });

    test.each([
        {kind: 'reset', afterBytes: 10},
        {kind: 'shorter', bytes: 5},
    ] as const)('$kind breaks the download in the middle', async fault => {
        await repository.setFault(manifest, fault);
        await expect(bytes(manifest)).rejects.toThrow();
        await repository.clearFaults();
    });

    test.each([{kind: 'hang'}, {kind: 'stall', afterBytes: 10}] as const)(
        '$kind keeps the client waiting',
        async fault => {
            await repository.setFault(manifest, fault);
            const signal = AbortSignal.timeout(300);
            await expect(bytes(manifest, {signal})).rejects.toThrow(/timeout/);
            await repository.clearFaults();
        },
    );

    test('sends more than the file has, redirects, throttles, lies', async () => {
        const {length} = (await bytes(manifest)).body;
        await repository.setFault(manifest, {kind: 'longer', bytes: 100});
        expect((await bytes(manifest)).body).toHaveLength(length + 100);
        await repository.setFault(manifest, {kind: 'redirect', to: manifest});
        await expect(bytes(manifest)).rejects.toThrow();
        await repository.setFault(manifest, {kind: 'html'});
        expect((await bytes(manifest)).body.toString()).toContain('<!doctype html>');
        await repository.setFault('*', {kind: 'status', status: 503});
        await repository.setFault(manifest, null);
        expect((await bytes(manifest)).response.status).toBe(503);
        await repository.setFault('*', {kind: 'latency', ms: 150});
        const started = performance.now();
        await bytes(manifest);
        expect(performance.now() - started).toBeGreaterThan(140);
        await repository.setFault(manifest, {kind: 'throttle', bytesPerSecond: length * 5});
        const slow = performance.now();
        await bytes(manifest);
        expect(performance.now() - slow).toBeGreaterThan(150);
        await repository.clearFaults();
    });

    test('counts how many are answered at once', async () => {
        await repository.setFault('*', {kind: 'latency', ms: 100});
        await repository.clearLog();
        await Promise.all([bytes(manifest), bytes(manifest), bytes(manifest)]);
        expect((await repository.log()).mostAtOnce).toBe(3);
        await repository.clearFaults();
    });
});

describe('signing keys', () => {
    async function verify(form: 'binary' | 'armoured', options: Parameters<typeof makeKey>[0]) {
        await using key = await makeKey(options);
        const keyring = join(directory, 'keyring.gpg');
        await writeFile(keyring, await key.exportKeyring('binary'));
        await publish(directory, 'demo', {key, signatures: {asc: form}});
        const path = join(directory, manifest);
        return await execa('gpgv', ['--status-fd=1', '--keyring', keyring, `${path}.asc`, path], {
            reject: false,
        });
    }

    test.each(['binary', 'armoured'] as const)('make good %s signatures', async form => {
        expect(await verify(form, {})).toMatchObject({exitCode: 0});
    });

    test('can be expired', async () => {
        expect((await verify('binary', {expired: true})).stdout).toContain('EXPKEYSIG');
    });

    test('can sign with SHA-1', async () => {
        const {stdout} = await verify('binary', {sha1: true});
        // field 8 of VALIDSIG is the hash algorithm: 2 is SHA-1
        expect(stdout).toMatch(/VALIDSIG (\S+ ){7}2 /);
    });
});
