// SPDX-License-Identifier: GPL-2.0-or-later
import type {ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {write} from 'node:fs';
import type {Writable} from 'node:stream';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import type {Compression, DecompressOptions, PendingFile} from './host.ts';

/** Programs that unpack from standard input to standard output. */
const decompressors: Readonly<
    Record<Exclude<Compression, 'none'>, readonly [string, ...string[]]>
> = {
    zst: ['zstd', '-dcq'],
    xz: ['xz', '-dcq'],
    gz: ['gzip', '-dcq'],
    bz2: ['bzip2', '-dcq'],
};

/** The program that unpacks a format; null: none is needed. */
export function decompressorOf(format: Compression): string | null {
    return format === 'none' ? null : decompressors[format][0];
}

/** Address space of a decompressor; the largest window that zstd takes unasked is 128 MiB. */
const MAX_MEMORY = 2 * 1024 ** 3;

/** Bytes that come in before what was made of them is sent to the disk. */
const WRITEBACK_INTERVAL = 12 * 1024 ** 2;

/** See Programs.decompress. */
export async function decompress(
    format: Compression,
    input: AsyncIterable<Uint8Array>,
    output: PendingFile,
    options: DecompressOptions,
): Promise<void> {
    const {signal, onChunk} = options;
    if (signal?.aborted) throw new SnowError('Cancelled', 'Unpacking was not started');
    const writeback = writebackCounter(output);
    const take = (chunk: Uint8Array): void => {
        onChunk?.(chunk);
        writeback(chunk.length);
    };
    if (format === 'none') await copy(input, output, options.maxBytes, take);
    else await unpack(decompressors[format], input, output, options, take);
    if (signal?.aborted) throw new SnowError('Cancelled', 'Unpacking was stopped');
}

/** The disk gets to work while the bytes come in, and not only after the last. */
function writebackCounter(output: PendingFile): (bytes: number) => void {
    let waiting = 0;
    return bytes => {
        waiting += bytes;
        if (waiting < WRITEBACK_INTERVAL) return;
        waiting = 0;
        output.startWriteback();
    };
}

/** Already a bounded, checked stream of ours: there is nothing to take privileges away from. */
async function copy(
    input: AsyncIterable<Uint8Array>,
    {fd}: PendingFile,
    maxBytes: number,
    take: (chunk: Uint8Array) => void,
): Promise<void> {
    let total = 0;
    for await (const chunk of input) {
        take(chunk);
        total += chunk.length;
        if (total > maxBytes) throw tooLarge(maxBytes);
        for (let done = 0; done < chunk.length;) {
            done += await new Promise<number>((resolve, reject) => {
                write(fd, chunk, done, chunk.length - done, null, (error, written) =>
                    error ? reject(asSnowError(error, 'Cannot write the image')) : resolve(written),
                );
            });
        }
    }
}

async function unpack(
    program: readonly [string, ...string[]],
    input: AsyncIterable<Uint8Array>,
    output: PendingFile,
    {maxBytes, signal}: DecompressOptions,
    take: (chunk: Uint8Array) => void,
): Promise<void> {
    const [command, ...args] = confined(program, maxBytes);
    const {spawn} = await import('node:child_process');
    const child = spawn(command, args, {
        stdio: ['pipe', output.fd, 'pipe'],
        cwd: '/',
        env: {PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C'},
    });
    const ended = childEnd(child);
    const abort = (): void => void child.kill('SIGKILL');
    const {stdin} = child;
    if (!stdin) throw new SnowError('Failed', `Cannot write to ${program[0]}`);
    signal?.addEventListener('abort', abort, {once: true});
    try {
        const failure = await feed(input, stdin, ended, take);
        if (failure !== undefined) {
            abort();
            await ended;
            throw failure;
        }
        const end = await ended;
        if (signal?.aborted) throw new SnowError('Cancelled', 'Unpacking was stopped');
        throwUnlessUnpacked(program[0], end, maxBytes);
    } finally {
        signal?.removeEventListener('abort', abort);
    }
}

/** The program without root's privileges, and with a file size that it cannot exceed. */
function confined(program: readonly string[], maxBytes: number): readonly [string, ...string[]] {
    const limited: [string, ...string[]] = [
        'prlimit',
        `--fsize=${Math.floor(maxBytes)}`,
        `--as=${MAX_MEMORY}`,
        '--core=0',
        '--',
        ...program,
    ];
    if (process.getuid?.() !== 0) return limited;
    return [
        'setpriv',
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        '--no-new-privs',
        '--inh-caps=-all',
        '--bounding-set=-all',
        '--',
        ...limited,
    ];
}

interface ChildEnd {
    readonly exitCode: number | null;
    readonly signal: string | null;
    readonly stderr: string;
    readonly error: unknown;
}

async function childEnd(child: ChildProcess): Promise<ChildEnd> {
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        if (stderr.length < 4096) stderr += text;
    });
    try {
        const [exitCode, signal] = (await once(child, 'close')) as [number | null, string | null];
        return {exitCode, signal, stderr, error: undefined};
    } catch (error) {
        return {exitCode: null, signal: null, stderr, error};
    }
}

/** Writes at the pace of the reader. Returns why the input ended early; a reader that left is not its fault. */
async function feed(
    input: AsyncIterable<Uint8Array>,
    stdin: Writable,
    ended: Promise<unknown>,
    take: (chunk: Uint8Array) => void,
): Promise<unknown> {
    let isGone = false;
    const gone = new Promise<void>(resolve => {
        const leave = (): void => {
            isGone = true;
            resolve();
        };
        stdin.on('error', leave);
        void ended.then(leave);
    });
    try {
        for await (const chunk of input) {
            take(chunk);
            // Its buffer may be used again once it is written.
            const written = new Promise(resolve => stdin.write(chunk, resolve));
            await Promise.race([written, gone]);
            if (isGone) break;
        }
        if (isGone) stdin.destroy();
        else stdin.end();
        return undefined;
    } catch (error) {
        return error ?? new SnowError('Failed', 'The download ended early');
    }
}

function throwUnlessUnpacked(program: string, end: ChildEnd, maxBytes: number): void {
    if (hasErrno(end.error, 'ENOENT'))
        throw new SnowError('NotSupported', 'setpriv or prlimit (util-linux) is not installed');
    if (end.error !== undefined) throw asSnowError(end.error, `Cannot start ${program}`);
    if (end.exitCode === 0) return;
    if (/No space left on device|Disk quota exceeded/i.test(end.stderr))
        throw new SnowError('NoSpace', 'No space left on the disk while unpacking');
    // Node ignores SIGXFSZ and children may inherit that: then the write fails instead.
    if (end.signal === 'SIGXFSZ' || /File too large/i.test(end.stderr)) throw tooLarge(maxBytes);
    if (end.exitCode === 127 || /failed to execute|No such file or directory$/m.test(end.stderr))
        throw new SnowError('NotSupported', `${program} is not installed`);
    const reason = end.stderr.trim().split('\n')[0] ?? '';
    throw new SnowError(
        'VerificationFailed',
        `The download cannot be unpacked (${reason || (end.signal ?? `exit status ${end.exitCode}`)})`,
    );
}

function tooLarge(maxBytes: number): SnowError {
    return new SnowError('VerificationFailed', `The image is larger than ${maxBytes} bytes`);
}
