// SPDX-License-Identifier: GPL-2.0-or-later
import {createHash} from 'node:crypto';

import {describe, expect, test} from 'vitest';

import {SnowError} from '../../../../helper/src/host/error.ts';
import {importManifest} from '../../../../helper/src/intune/image/manifest.ts';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const layer = (size: number, mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip') => ({
    mediaType,
    digest: digest('a'),
    size,
});
const config = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digest('c'),
    size: 10,
};

function code(text: string): string {
    try {
        importManifest(text, 'amd64');
    } catch (error) {
        return error instanceof SnowError ? error.code : String(error);
    }
    return 'none';
}

describe('a manifest', () => {
    test('has the digest of its very bytes, and the bytes of what there is to fetch', () => {
        const text = ` ${JSON.stringify({schemaVersion: 2, config, layers: [layer(100), layer(7)]})}\n`;
        expect(importManifest(text, 'amd64')).toEqual({
            kind: 'image',
            image: {
                digest: `sha256:${createHash('sha256').update(text).digest('hex')}`,
                layers: [100, 7],
                size: 117,
                hasZstd: false,
            },
        });
    });

    test('tells of layers in zstd', () => {
        const zstd = layer(1, 'application/vnd.oci.image.layer.v1.tar+zstd');
        const found = importManifest(JSON.stringify({config, layers: [layer(1), zstd]}), 'amd64');
        expect(found).toMatchObject({image: {hasZstd: true}});
    });

    test('of several machines leads to that of this one', () => {
        const text = JSON.stringify({
            manifests: [
                {digest: digest('1'), platform: {architecture: 'arm64', os: 'linux'}},
                {digest: digest('2'), platform: {architecture: 'amd64', os: 'windows'}},
                {digest: digest('3'), platform: {architecture: 'unknown', os: 'unknown'}},
                {digest: digest('4'), platform: {architecture: 'amd64', os: 'linux'}},
            ],
        });
        expect(importManifest(text, 'amd64')).toEqual({kind: 'index', digest: digest('4')});
        expect(importManifest(text, 'arm64')).toEqual({kind: 'index', digest: digest('1')});
        expect(() => importManifest(text, 'riscv64')).toThrow(/no machine like this \(riscv64\)/);
    });

    test.each([
        ['no JSON', 'Failed', '<html>'],
        ['no image', 'Failed', JSON.stringify({schemaVersion: 2, config})],
        ['no layers', 'Failed', JSON.stringify({config, layers: []})],
        [
            'a digest that is none',
            'Failed',
            JSON.stringify({config, layers: [{...layer(1), digest: '../x'}]}),
        ],
        ['a negative size', 'Failed', JSON.stringify({config, layers: [layer(-1)]})],
        [
            'a size that cannot be',
            'VerificationFailed',
            JSON.stringify({config, layers: [layer(2 ** 50)]}),
        ],
        [
            'too many layers',
            'VerificationFailed',
            JSON.stringify({config, layers: Array.from({length: 128}, () => layer(1))}),
        ],
    ])('with %s is refused', (_what, expected, text) => {
        expect(code(text)).toBe(expected);
    });
});
