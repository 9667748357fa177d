// SPDX-License-Identifier: GPL-2.0-or-later
import {join} from 'node:path/posix';

import {decompressorOf} from '../host/decompress.ts';
import {SnowError} from '../host/error.ts';
import type {Compression, Host, SizedStream} from '../host/host.ts';
import {MAX_REQUESTS, inTurns} from './concurrency.ts';
import {MAX_MANIFEST_BYTES, parseManifest} from './manifest.ts';
import type {AvailableInstance, Transfer} from './model.ts';
import {compressionOf, matchPatterns} from './patterns.ts';
import {Signatures} from './signature.ts';
import {compareVersions} from '../host/versions.ts';

const MANIFEST = 'SHA256SUMS';
const SIGNATURES = ['SHA256SUMS.gpg', 'SHA256SUMS.asc'];
const MAX_SIGNATURE_BYTES = 256 * 1024;

/** Bytes of an image as it is fetched, at most. */
export const MAX_DOWNLOAD_BYTES = 16 * 1024 ** 3;

/** From the smallest to the largest to fetch, always in the same order. */
const compressions: readonly Compression[] = ['zst', 'xz', 'gz', 'bz2', 'none'];

/** Fetches manifests, each source once: transfers may share a directory. Made for one operation. */
export class Repositories {
    readonly #host: Host;
    readonly #manifests = new Map<string, Promise<string>>();
    readonly #signatures: Signatures;
    /** While one is verified, the next is fetched. */
    readonly #inTurns = inTurns(MAX_REQUESTS);
    #fetching = 0;

    constructor(host: Host) {
        this.#host = host;
        this.#signatures = new Signatures(host);
    }

    /** Text of the manifest of a url-file source, verified. Throws SnowError Network, NotFound, VerificationFailed. */
    manifestText(transfer: Transfer, signal?: AbortSignal): Promise<string> {
        const {verify, source} = transfer;
        const key = `${verify} ${source.path}`;
        let text = this.#manifests.get(key);
        if (!text) {
            text = this.#fetch(source.path, verify, signal);
            this.#manifests.set(key, text);
        }
        return text;
    }

    async #fetch(
        source: string,
        verify: boolean,
        signal: AbortSignal | undefined,
    ): Promise<string> {
        this.#fetching++;
        try {
            const fetching = this.#inTurns(() => fetchManifest(this.#host, source, verify, signal));
            if (verify) this.#signatures.prepare();
            const {address, content, signature} = await fetching;
            if (signature) await this.#signatures.verify(address, content, signature, signal);
            return content.toString('utf8');
        } finally {
            if (--this.#fetching === 0) await this.#signatures[Symbol.asyncDispose]();
        }
    }

    /** What a source offers for a transfer, newest first; one instance a version. */
    async available(
        transfer: Transfer,
        signal?: AbortSignal,
    ): Promise<readonly AvailableInstance[]> {
        if (transfer.source.type === 'regular-file') return listDirectory(this.#host, transfer);
        const text = await this.manifestText(transfer, signal);
        return availableInstances(this.#host, transfer, text);
    }
}

/** The address of a file beside a manifest. */
export function sourceAddress({source}: Transfer, fileName: string): string {
    if (source.type === 'regular-file') return join(source.path, fileName);
    const base = source.path.endsWith('/') ? source.path : `${source.path}/`;
    return base + fileName.split('/').map(encodeURIComponent).join('/');
}

/** Opens an image for reading. Throws SnowError Network, NotFound, Cancelled. */
export async function openSource(
    host: Host,
    transfer: Transfer,
    fileName: string,
    signal?: AbortSignal,
): Promise<SizedStream> {
    const address = sourceAddress(transfer, fileName);
    if (transfer.source.type === 'url-file') {
        return host.http.open(address, {
            maxBytes: MAX_DOWNLOAD_BYTES,
            ...(signal ? {signal} : {}),
        });
    }
    const file = await host.files.openRead(address);
    if (!file) throw new SnowError('NotFound', `${address} is not there`);
    return file;
}

interface SignedManifest {
    readonly address: string;
    readonly content: Buffer;
    /** Null: it need not be verified. */
    readonly signature: Uint8Array | null;
}

async function fetchManifest(
    host: Host,
    source: string,
    verify: boolean,
    signal: AbortSignal | undefined,
): Promise<SignedManifest> {
    const base = source.endsWith('/') ? source : `${source}/`;
    const address = base + MANIFEST;
    const options = signal ? {signal} : {};
    // Both at once: most of the time is spent waiting for the network.
    const [content, signature] = await Promise.all([
        host.http.readBytes(address, {maxBytes: MAX_MANIFEST_BYTES, ...options}),
        verify ? fetchSignature(host, base, signal) : null,
    ]);
    return {address, content, signature};
}

async function fetchSignature(
    host: Host,
    base: string,
    signal: AbortSignal | undefined,
): Promise<Uint8Array> {
    for (const name of SIGNATURES) {
        try {
            return await host.http.readBytes(base + name, {
                maxBytes: MAX_SIGNATURE_BYTES,
                ...(signal ? {signal} : {}),
            });
        } catch (error) {
            if (!(error instanceof SnowError && error.code === 'NotFound')) throw error;
        }
    }
    throw new SnowError(
        'VerificationFailed',
        `${base}${MANIFEST} is not signed: there is neither ${SIGNATURES.join(' nor ')}`,
    );
}

/** What a manifest offers for a transfer, newest first. Throws SnowError VerificationFailed when it is malformed. */
export async function availableInstances(
    host: Host,
    transfer: Transfer,
    manifestText: string,
): Promise<readonly AvailableInstance[]> {
    const where = sourceAddress(transfer, MANIFEST);
    return chooseInstances(host, transfer, parseManifest(manifestText, {where}).entries);
}

export async function listDirectory(
    host: Host,
    transfer: Transfer,
): Promise<readonly AvailableInstance[]> {
    const names = await host.files.list(transfer.source.path);
    return chooseInstances(
        host,
        transfer,
        names.map(fileName => ({fileName, sha256: ''})),
    );
}

async function chooseInstances(
    host: Host,
    transfer: Transfer,
    entries: readonly {readonly fileName: string; readonly sha256: string}[],
): Promise<readonly AvailableInstance[]> {
    const best = new Map<string, AvailableInstance>();
    const missing = new Set<string>();
    for (const {fileName, sha256} of entries) {
        const match = matchPatterns(transfer.source.patterns, fileName);
        if (!match) continue;
        const {version, fields} = match;
        if (transfer.minVersion !== '' && compareVersions(version, transfer.minVersion) < 0)
            continue;
        const compression = compressionOf(fileName);
        const program = decompressorOf(compression);
        if (program !== null && !(await host.programs.isInstalled(program))) {
            missing.add(program);
            continue;
        }
        const other = best.get(version);
        if (other && rank(other.compression) <= rank(compression)) continue;
        best.set(version, {version, compression, fileName, sha256, fields});
    }
    if (best.size === 0 && missing.size > 0) {
        const programs = [...missing].join(' or ');
        throw new SnowError('NotSupported', `${transfer.name} needs ${programs}, to be unpacked`);
    }
    return [...best.values()].sort((a, b) => compareVersions(b.version, a.version));
}

function rank(compression: Compression): number {
    return compressions.indexOf(compression);
}
