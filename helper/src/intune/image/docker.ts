// SPDX-License-Identifier: GPL-2.0-or-later
// docker(1): its daemon fetches and unpacks, and what it hands out as a tar archive is unpacked once more.

import {SnowError} from '../../host/error.ts';
import type {Host, ProgramResult} from '../../host/host.ts';
import {type Reference, formatReference} from '../../host/image-reference.ts';
import {runConfined} from './confined.ts';
import {GROWTH, refuseFullDisk, refuseNoSpace, sizeOf, writtenTo} from './disk.ts';
import {refuseFailure} from './failures.ts';
import {refusePolicy} from './policy.ts';
import {askRegistry, canAsk} from './registry.ts';
import {IMAGE, ROOTFS, unpackingTo} from './sandbox.ts';
import type {Fetch, Source} from './source.ts';

/** Milliseconds. */
const PULL_TIMEOUT = 2 * 60 * 60_000;
const ARCHIVE = 'rootfs.tar';

export const docker: Source = {
    units: ['unpack'],
    isInstalled: ({programs}) => programs.isInstalled('docker'),
    async fetch(fetch) {
        const {host, reference, work, rootfs, signal, unit} = fetch;
        await refusePolicy(host, reference);
        const image = (await canAsk(host)) ? await askRegistry(host, reference, signal) : null;
        // The daemon's own copy, the archive, and what comes of it.
        if (image) await refuseNoSpace(host, work, image.size * (1 + 3 * GROWTH));

        fetch.downloading();
        const total = image?.size ?? 0;
        fetch.bytes(0, total);
        const name = byDigest(image ? {...reference, digest: image.digest} : reference);
        const wasThere = (await run(host, ['image', 'inspect', name], signal)).exitCode === 0;
        await succeed(host, ['pull', '--quiet', name], signal, PULL_TIMEOUT);
        fetch.bytes(total, total);

        const directory = `${work}/image`;
        await host.files.writeWhole(`${directory}/${ARCHIVE}`, '', 0o600);
        try {
            fetch.unpacking();
            const digest = image?.digest ?? (await digestOf(host, name, reference, signal));
            // Any program will do: it is never started.
            await succeed(
                host,
                ['create', `--name=${unit}`, '--network=none', name, '/none'],
                signal,
            );
            await exportTo(fetch, `${directory}/${ARCHIVE}`);
            const written = await writtenTo(host, rootfs);
            const unpacked = await runConfined(
                host,
                {
                    unit: `${unit}-unpack`,
                    command: tarCommand,
                    properties: unpackingTo(directory, rootfs),
                    look: async () => {
                        await refuseFullDisk(host, work);
                        fetch.unpacked(await written());
                    },
                },
                signal,
            );
            refuseFailure('tar', 'unpack', unpacked);
            return digest;
        } finally {
            await docker.clean?.(host, unit);
            // One that was there is somebody's.
            if (!wasThere) await run(host, ['image', 'rm', name]);
        }
    },
    async clean(host, unit) {
        if (await host.programs.isInstalled('docker')) await run(host, ['rm', '--force', unit]);
    },
};

/** tar itself neither follows links of the archive nor leaves the directory. */
const tarCommand = [
    'tar',
    '--extract',
    `--file=${IMAGE}/${ARCHIVE}`,
    `--directory=${ROOTFS}`,
    '--numeric-owner',
    '--same-owner',
    '--preserve-permissions',
    '--xattrs',
    '--xattrs-include=*',
    '--delay-directory-restore',
    // What docker itself adds, and the device nodes that it may have.
    '--anchored',
    '--exclude=.dockerenv',
    '--exclude=dev/*',
] as const;

async function exportTo(fetch: Fetch, path: string): Promise<void> {
    const {host, work, unit, signal} = fetch;
    const full = new AbortController();
    let failure: unknown = null;
    const timer = setInterval(() => {
        refuseFullDisk(host, work).catch((error: unknown) => {
            failure = error;
            full.abort();
        });
    }, 500);
    try {
        const command = ['export', `--output=${path}`, unit];
        await succeed(host, command, AbortSignal.any([signal, full.signal]), PULL_TIMEOUT);
    } catch (error) {
        throw failure ?? error;
    } finally {
        clearInterval(timer);
    }
    if ((await sizeOf(host, `${work}/image`)) === 0)
        throw new SnowError('Failed', 'docker handed out nothing');
}

async function digestOf(
    host: Host,
    name: string,
    {domain, path}: Reference,
    signal: AbortSignal,
): Promise<string> {
    const format = '--format={{range .RepoDigests}}{{println .}}{{end}}';
    const found = (await succeed(host, ['image', 'inspect', format, name], signal)).stdout
        .split('\n')
        .find(line => line.startsWith(`${domain}/${path}@sha256:`));
    const digest = found?.slice(found.indexOf('@') + 1).trim() ?? '';
    if (!/^sha256:[0-9a-f]{64}$/.test(digest))
        throw new SnowError('Failed', 'docker says nothing of what it fetched');
    return digest;
}

/** docker takes a reference with both, and does not look at the tag. */
function byDigest(reference: Reference): string {
    return formatReference({...reference, tag: reference.digest === null ? reference.tag : null});
}

function run(
    {programs}: Host,
    args: readonly string[],
    signal?: AbortSignal,
    timeout = 120_000,
): Promise<ProgramResult> {
    return programs.run(['docker', ...args], {timeout, ...(signal ? {signal} : {})});
}

async function succeed(...args: Parameters<typeof run>): Promise<ProgramResult> {
    const result = await run(...args);
    refuseFailure('docker', 'fetch', result);
    return result;
}
