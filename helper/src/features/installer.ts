// SPDX-License-Identifier: GPL-2.0-or-later
import type {Progress} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host, PendingFile, SizedStream} from '../host/host.ts';
import {readOsRelease} from '../host/os-release.ts';
import {architectureOf, incompatibility, readExtensionRelease} from './compatibility.ts';
import type {Fetch} from './plan.ts';
import {openSource} from './repository.ts';

const MEBIBYTE = 1024 ** 2;

/** Bytes of an unpacked image at most, whatever the disk could take. */
const MAX_IMAGE_BYTES = 16 * 1024 ** 3;
/** Images are compressed file systems: one that grows by more than this is a bomb. */
const MAX_EXPANSION = 32;
const SMALL_IMAGE_BYTES = 256 * MEBIBYTE;
/** What the rest of the system can count on while an image is unpacked. */
const RESERVED_BYTES = 32 * MEBIBYTE;

/** Tells how many bytes of one image were fetched. */
export type ByteCounter = (done: number, total: number) => void;

/**
 * Fetches one image, and gives it its final name once its hash held and it fits the running system.
 * Until then there is nothing but a temporary file, which is gone when this ends.
 * Returns what is to be said of it, harmless for now.
 * Throws SnowError Network, NotFound, NoSpace, VerificationFailed, WrongState, Cancelled.
 */
export async function installImage(
    host: Host,
    fetch: Fetch,
    count: ByteCounter,
    progress: Progress,
    signal: AbortSignal,
): Promise<readonly string[]> {
    const {transfer, instance, to, extension} = fetch;
    const label = `${extension} ${instance.version}`;
    progress.step(`Downloading ${label}`);
    const opening = openSource(host, transfer, instance.fileName, signal);
    opening.catch(() => {
        // It is thrown when it is needed.
    });
    let pending: PendingFile | null = null;
    try {
        pending = await host.files.createPending(to);
        await unpackVerified(host, fetch, opening, pending, count, signal);
        progress.step(`Installing ${label}`);
        const [warnings] = await Promise.all([
            checkCompatible(host, pending.path, fetch, signal),
            pending.sync({
                mode: transfer.target.mode ?? 0o644,
                ...modificationTime(instance.fields['t']),
            }),
        ]);
        signal.throwIfAborted();
        await pending.commit();
        return warnings;
    } catch (error) {
        throw signal.aborted
            ? new SnowError('Cancelled', `Installing ${label} was stopped`)
            : error;
    } finally {
        opening.then(
            ({stream}) => stream.destroy(),
            () => undefined,
        );
        await pending?.discard();
    }
}

async function unpackVerified(
    host: Host,
    {instance, from, to}: Fetch,
    opening: Promise<SizedStream>,
    pending: PendingFile,
    count: ByteCounter,
    signal: AbortSignal,
): Promise<void> {
    const [{stream, totalBytes}, freeBytes, {createHash}] = await Promise.all([
        opening,
        host.files.freeBytes(to),
        import('node:crypto'),
    ]);
    const limit = sizeLimit(to, totalBytes, freeBytes);
    const hash = createHash('sha256');
    let done = 0;
    count(0, totalBytes ?? 0);
    try {
        await host.programs.decompress(instance.compression, stream, pending, {
            maxBytes: limit.bytes,
            signal,
            onChunk(chunk) {
                hash.update(chunk);
                done += chunk.length;
                count(done, totalBytes ?? 0);
            },
        });
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        // What was sent is not what was signed, and so need not be a compressed file at all; the
        // user is better told that. It takes the rest of the download to know.
        throw describeFailure(error, from, limit.isByDisk);
    }
    const digest = hash.digest('hex');
    if (instance.sha256 !== '' && digest !== instance.sha256)
        throw new SnowError('VerificationFailed', `${from} does not have the hash of its manifest`);
}

function describeFailure(error: SnowError, from: string, isLimitedByDisk: boolean): SnowError {
    if (error.code !== 'VerificationFailed') return error;
    if (isLimitedByDisk && /larger than/.test(error.message))
        return new SnowError('NoSpace', `There is not enough space on the disk for ${from}`);
    return new SnowError('VerificationFailed', `${from}: ${error.message}`, {cause: error});
}

function sizeLimit(
    to: string,
    totalBytes: number | null,
    freeBytes: number,
): {readonly bytes: number; readonly isByDisk: boolean} {
    const free = Math.max(freeBytes - RESERVED_BYTES, 0);
    if (free === 0 || (totalBytes !== null && totalBytes > free))
        throw new SnowError('NoSpace', `There is not enough space on the disk for ${to}`);
    const plausible =
        totalBytes === null
            ? MAX_IMAGE_BYTES
            : Math.min(MAX_IMAGE_BYTES, SMALL_IMAGE_BYTES + MAX_EXPANSION * totalBytes);
    return {bytes: Math.min(plausible, free), isByDisk: free < plausible};
}

/** The pattern field @t: microseconds since 1970. */
function modificationTime(field: string | undefined): {readonly mtime?: number} {
    return field !== undefined && /^\d+$/.test(field) ? {mtime: Number(field) / 1e6} : {};
}

/** Returns a line where it cannot be told. What is staged is fetched for by itself: next-boot.ts. */
async function checkCompatible(
    host: Host,
    path: string,
    {extension, instance, system}: Fetch,
    signal: AbortSignal,
): Promise<readonly string[]> {
    const [release, os] = await Promise.all([
        readExtensionRelease(host, path, extension, signal),
        system ?? readOsRelease(host),
    ]);
    const label = `${extension} ${instance.version}`;
    if (!release) return [`It could not be checked whether ${label} fits this system`];
    const problem = incompatibility(release, os, architectureOf(host));
    if (problem) throw new SnowError('WrongState', `${label} ${problem}`);
    return [];
}
