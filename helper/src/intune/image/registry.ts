// SPDX-License-Identifier: GPL-2.0-or-later
// Asks a registry what a reference stands for, by skopeo.

import {randomBytes} from 'node:crypto';

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {type Reference, formatReference} from '../../host/image-reference.ts';
import {runConfined} from './confined.ts';
import {refuseFailure} from './failures.ts';
import {type ImageManifest, importManifest} from './manifest.ts';
import {asking} from './sandbox.ts';

/** Milliseconds. */
const TIMEOUT = 60_000;

/** The words of Go for what Node calls otherwise. */
const architectures: Readonly<Record<string, string>> = {x64: 'amd64', ia32: '386'};

export function canAsk({programs}: Host): Promise<boolean> {
    return programs.isInstalled('skopeo');
}

/**
 * The manifest of the image for this machine. What the registry says is only believed once it was
 * fetched by the digest. Throws SnowError Network, NotFound, NotSupported, Cancelled, Failed.
 */
export async function askRegistry(
    host: Host,
    reference: Reference,
    signal: AbortSignal,
): Promise<ImageManifest> {
    const architecture = architectures[process.arch] ?? process.arch;
    const found = importManifest(await readRaw(host, reference, signal), architecture);
    if (found.kind === 'image') return checked(found.image, reference);
    const ofMachine = {...reference, tag: null, digest: found.digest};
    const inner = importManifest(await readRaw(host, ofMachine, signal), architecture);
    if (inner.kind === 'image') return checked(inner.image, ofMachine);
    throw new SnowError('Failed', 'The registry has an index where an image should be');
}

function checked(image: ImageManifest, {digest}: Reference): ImageManifest {
    // Of another kind of digest, the tool that fetches it tells.
    if (digest !== null && digest.startsWith('sha256:') && digest !== image.digest)
        throw new SnowError(
            'VerificationFailed',
            `What the registry sent is not what it promised (${image.digest} for ${digest})`,
        );
    return image;
}

async function readRaw(host: Host, reference: Reference, signal: AbortSignal): Promise<string> {
    const run = {
        unit: `snow-intune-ask-${randomBytes(6).toString('hex')}`,
        command: ['skopeo', 'inspect', '--raw', location(reference)],
        properties: asking,
        withCredentials: true,
        timeout: TIMEOUT,
    } as const;
    const result = await runConfined(host, run, signal);
    refuseFailure('skopeo', 'fetch', result);
    return result.stdout;
}

/** As the tools want it: with a tag or a digest, not with both. */
export function location(reference: Reference): string {
    const tag = reference.digest === null ? reference.tag : null;
    return `docker://${formatReference({...reference, tag})}`;
}
