// SPDX-License-Identifier: GPL-2.0-or-later
import {execFileSync} from 'node:child_process';
import {mkdtemp, readFile, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import type {Compression, Host} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';

let root: string;
let host: Host;

beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'snow-programs-'));
    host = localHost(root);
});
afterEach(() => rm(root, {recursive: true, force: true}));

async function* pieces(content: Buffer, size = 1000): AsyncGenerator<Buffer> {
    for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

/** What is unpacked, under the name /image. */
async function unpack(
    format: Compression,
    input: AsyncIterable<Uint8Array>,
    options: {maxBytes?: number; signal?: AbortSignal} = {},
): Promise<Buffer> {
    const pending = await host.files.createPending('/image');
    try {
        await host.programs.decompress(format, input, pending, {maxBytes: 1e6, ...options});
        await pending.commit();
        return await readFile(join(root, 'image'));
    } finally {
        await pending.discard();
    }
}

describe('run', () => {
    it('returns output and exit status', async () => {
        expect(await host.programs.run(['cat'], {input: 'text'})).toMatchObject({
            exitCode: 0,
            stdout: 'text',
        });
        expect(await host.programs.run(['false'])).toMatchObject({exitCode: 1});
    });

    it('stops a program that takes too long, and says so', async () => {
        expect(await host.programs.run(['sleep', '9'], {timeout: 50})).toMatchObject({
            exitCode: null,
        });
    });

    it('tells an abort, a missing program and too much output apart', async () => {
        const run = host.programs.run;
        await expect(run(['sleep', '9'], {signal: AbortSignal.timeout(50)})).rejects.toMatchObject({
            code: 'Cancelled',
        });
        await expect(run(['no-such-program'])).rejects.toMatchObject({code: 'NotSupported'});
        await expect(run(['yes'], {maxBuffer: 100})).rejects.toMatchObject({code: 'Failed'});
    });
});

describe('decompress', () => {
    const content = Buffer.from('image '.repeat(20_000));
    const programs = {zst: 'zstd', xz: 'xz', gz: 'gzip', bz2: 'bzip2'} as const;

    it.each(['zst', 'xz', 'gz', 'bz2'] as const)('unpacks %s', async format => {
        const packed = execFileSync(programs[format], ['-c'], {input: content});
        expect((await unpack(format, pieces(packed))).equals(content)).toBe(true);
    });

    it('writes what is not compressed as it is', async () => {
        expect((await unpack('none', pieces(content))).equals(content)).toBe(true);
    });

    it.each(['zst', 'none'] as const)('stops %s at the limit', async format => {
        const packed = format === 'none' ? content : execFileSync('zstd', ['-c'], {input: content});
        await expect(unpack(format, pieces(packed), {maxBytes: 5000})).rejects.toMatchObject({
            code: 'VerificationFailed',
            message: expect.stringContaining('larger than 5000'),
        });
        expect(await readdir(root)).toEqual([]);
    });

    it('says that rubbish, and half of a file, cannot be unpacked', async () => {
        const packed = execFileSync('zstd', ['-c'], {input: content});
        for (const input of [Buffer.from('<html>not an image</html>'), packed.subarray(0, 15)])
            await expect(unpack('zst', pieces(input))).rejects.toMatchObject({
                code: 'VerificationFailed',
            });
    });

    it('passes on why its input ended, and leaves no process', async () => {
        async function* broken(): AsyncGenerator<Buffer> {
            yield execFileSync('zstd', ['-c'], {input: content}).subarray(0, 10);
            throw new Error('the network is gone');
        }
        await expect(unpack('zst', broken())).rejects.toThrow('the network is gone');
    });

    it('ends with its signal, also while it waits for input', async () => {
        async function* never(): AsyncGenerator<Buffer> {
            yield Buffer.from('(');
            await new Promise((_resolve, reject) => {
                signal.addEventListener('abort', () => reject(new Error('aborted')));
            });
        }
        const signal = AbortSignal.timeout(100);
        await expect(unpack('zst', never(), {signal})).rejects.toThrow();
    });
});
