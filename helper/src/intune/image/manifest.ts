// SPDX-License-Identifier: GPL-2.0-or-later
// What a registry says of an image, before any of it is fetched: OCI image specification 1.1, and
// Docker's image manifest version 2, schema 2.

import {createHash} from 'node:crypto';

import {SnowError} from '../../host/error.ts';
import {array, count, digest, importJson, line, object, optional} from '../../host/importer.ts';

/** Nobody's image is larger; who claims it lies. */
const MAX_BYTES = 64 * 1024 ** 3;
/** As many as Docker allows. */
const MAX_LAYERS = 127;

export interface ImageManifest {
    readonly digest: string;
    /** Bytes of each layer as it is fetched, the lowest first. */
    readonly layers: readonly number[];
    /** Bytes of all that is fetched. */
    readonly size: number;
    /** Whether a layer is compressed with zstd, which not every tool unpacks. */
    readonly hasZstd: boolean;
}

/** An index names an image for each machine. */
export type Manifest =
    | {readonly kind: 'image'; readonly image: ImageManifest}
    | {readonly kind: 'index'; readonly digest: string};

const blob = object({digest, size: count, mediaType: optional(line, '')});

const document = object({
    config: optional(blob),
    layers: optional(array(blob)),
    manifests: optional(
        array(
            object({
                digest,
                platform: optional(object({architecture: optional(line), os: optional(line)})),
            }),
        ),
    ),
});

/**
 * Reads a manifest as the registry has it, byte by byte, since that is what its digest is of.
 * Throws SnowError Failed, NotFound when there is no image for the architecture (in Go's words), and
 * VerificationFailed for sizes that cannot be.
 */
export function importManifest(text: string, architecture: string): Manifest {
    const {config, layers, manifests} = importJson('The registry', text, document);
    if (manifests !== null) {
        const fitting = manifests.find(
            ({platform}) =>
                platform?.architecture === architecture && (platform.os ?? 'linux') === 'linux',
        );
        if (!fitting)
            throw new SnowError(
                'NotFound',
                `The image is for no machine like this (${architecture})`,
            );
        return {kind: 'index', digest: fitting.digest};
    }
    if (config === null || layers === null || layers.length === 0)
        throw new SnowError('Failed', 'The registry has something of that name that is no image');
    if (layers.length > MAX_LAYERS)
        throw new SnowError('VerificationFailed', `The image has more than ${MAX_LAYERS} layers`);
    const size = layers.reduce((sum, layer) => sum + layer.size, config.size);
    if (size > MAX_BYTES)
        throw new SnowError('VerificationFailed', `The image claims to be of ${size} bytes`);
    return {
        kind: 'image',
        image: {
            digest: `sha256:${createHash('sha256').update(text).digest('hex')}`,
            layers: layers.map(layer => layer.size),
            size,
            hasZstd: layers.some(({mediaType}) => mediaType.endsWith('zstd')),
        },
    };
}
