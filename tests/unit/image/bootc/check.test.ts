// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, test} from 'vitest';

import {compareOffer, importCheck} from '../../../../helper/src/image/bootc/check.ts';
import {
    importIndex,
    importInspected,
    locationOf,
} from '../../../../helper/src/image/bootc/registry.ts';
import {imageStatusOf, importStatus} from '../../../../helper/src/image/bootc/status.ts';
import type {Offer} from '../../../../helper/src/image/model.ts';
import {digest, document, entry, image} from './documents.ts';

const offer: Offer = {version: '2', digest: digest('2'), timestamp: 1_800_000_000, size: 5};

function compare(status: Readonly<Record<string, unknown>>, offered = offer) {
    const before = imageStatusOf(importStatus(document(status)), {hasStageScript: false});
    return compareOffer(before, offered).outcome;
}

describe('an offer', () => {
    test('is what it is by its digest', () => {
        expect(compare({})).toBe('available');
        expect(compare({booted: entry('2')})).toBe('current');
        expect(compare({staged: entry('2')})).toBe('staged');
        expect(compare({rollback: entry('2')})).toBe('held-rollback');
        expect(compare({rollback: entry('2'), rollbackQueued: true})).toBe('staged');
        expect(compare({staged: entry('2', {downloadOnly: true})})).toBe('available');
    });

    test('of the same version is another image', () => {
        const booted = entry('1', {image: {...image('1'), version: '2'}});
        expect(compare({booted})).toBe('available');
    });

    test('of the same version and time is the same one, in another kind of storage', () => {
        const timestamp = new Date(1_800_000_000_000).toISOString();
        const booted = entry('1', {image: {...image('1'), version: '2', timestamp}});
        expect(compare({booted})).toBe('current');
    });
});

test('what bootc prints of an update is read', () => {
    const text = `Update available for: registry:ghcr.io/frostyard/snow:latest\n  Version: 2\n  Digest: ${digest('2')}\nTotal new layers: 1\n`;
    expect(importCheck(text)).toEqual({...offer, timestamp: null, size: null});
    expect(importCheck(text.replace('  Version: 2\n', ''))).toMatchObject({version: null});
    expect(importCheck('No changes in: registry:ghcr.io/frostyard/snow:latest\n')).toBeNull();
    expect(() => importCheck('Update available for: x\n')).toThrow('digest');
});

test.each([
    ['ghcr.io/frostyard/snow:latest', 'registry', 'docker://ghcr.io/frostyard/snow:latest'],
    ['ghcr.io/frostyard/snow', 'containers-storage', 'docker://ghcr.io/frostyard/snow:latest'],
    [
        `ghcr.io/frostyard/snow:1@${digest('a')}`,
        'docker',
        `docker://ghcr.io/frostyard/snow@${digest('a')}`,
    ],
    ['/var/images/snow', 'oci', 'oci:/var/images/snow'],
])('%s of %s comes from %s', (reference, transport, location) => {
    expect(locationOf(reference, transport)).toBe(location);
});

test('a name that only this machine knows cannot be asked for', () => {
    expect(() => locationOf('[vfs@/var]sha', 'containers-storage')).toThrow('no reference');
});

describe('what skopeo prints', () => {
    const found = {
        Name: 'ghcr.io/frostyard/snow',
        Digest: digest('2'),
        RepoTags: [],
        Created: '2026-07-04T17:43:38.123456789Z',
        DockerVersion: '',
        Labels: {'org.opencontainers.image.version': '20260704174338'},
        Architecture: 'amd64',
        Os: 'linux',
        LayersData: [
            {MIMEType: 'x', Digest: digest('3'), Size: 100, Annotations: null},
            {MIMEType: 'x', Digest: digest('4'), Size: 23, Annotations: null},
        ],
    };

    test('is an offer', () => {
        expect(importInspected(JSON.stringify(found))).toEqual({
            offer: {
                version: '20260704174338',
                digest: digest('2'),
                timestamp: Date.UTC(2026, 6, 4, 17, 43, 38) / 1000,
                size: 123,
            },
            architecture: 'amd64',
        });
    });

    test('may be little', () => {
        const text = JSON.stringify({Digest: digest('2'), Labels: null, LayersData: null});
        expect(importInspected(text).offer).toEqual({
            version: null,
            digest: digest('2'),
            timestamp: null,
            size: null,
        });
    });

    test.each([
        [{...found, Digest: 'sha256:1'}, 'Digest is no digest'],
        [{...found, Labels: {a: 5}}, 'Labels.a is no string'],
        [{...found, LayersData: [{Size: '5'}]}, 'LayersData[0].Size is no number'],
    ])('%#: is refused with the name of what is wrong', (wrong, text) => {
        expect(() => importInspected(JSON.stringify(wrong))).toThrow(text);
    });
});

test('of an index, the digest is the one for the machine', () => {
    const manifests = [
        {digest: digest('5'), platform: {architecture: 'arm64', os: 'linux'}},
        {digest: digest('6'), platform: {architecture: 'amd64', os: 'linux'}},
        {digest: digest('7')},
    ];
    expect(importIndex(JSON.stringify({manifests}), 'amd64')).toBe(digest('6'));
    expect(importIndex(JSON.stringify({manifests}), 'riscv64')).toBeNull();
    expect(importIndex(JSON.stringify({layers: []}), 'amd64')).toBeNull();
});
