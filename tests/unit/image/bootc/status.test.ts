// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, test} from 'vitest';

import {imageStatusOf, importStatus} from '../../../../helper/src/image/bootc/status.ts';
import {treeOf} from '../../../../helper/src/image/bootc/staged.ts';
import {
    SNOW,
    composefsEntry,
    digest,
    document,
    entry,
    image,
    old,
    oldest,
    unmanaged,
} from './documents.ts';

function read(text: string, hasStageScript = false) {
    return imageStatusOf(importStatus(text), {hasStageScript});
}

test('an image is told with all that is known of it', () => {
    const {booted, followed, problem, capabilities} = read(document());
    expect(booted).toEqual({
        version: '1',
        image: SNOW,
        transport: 'registry',
        digest: digest('1'),
        timestamp: Date.UTC(2026, 6, 3, 17, 43, 38) / 1000,
        slot: null,
        isPinned: false,
        canSoftReboot: false,
    });
    expect({followed, problem}).toEqual({followed: SNOW, problem: ''});
    expect(capabilities).toEqual([
        'check',
        'update',
        'switch',
        'download-only',
        'rollback',
        'unstage',
    ]);
});

test('what is staged can start without the firmware where bootc says so', () => {
    const text = document({staged: entry('2', {softRebootCapable: true})});
    expect(read(text).staged).toMatchObject({version: '2', canSoftReboot: true});
});

test('what is only downloaded is not staged', () => {
    const text = document({staged: entry('2', {downloadOnly: true})});
    expect(read(text)).toMatchObject({staged: null, downloaded: {version: '2'}});
});

describe('the next boot', () => {
    const rollback = entry('0');

    test('is the rollback when that is queued', () => {
        const text = document({rollback, rollbackQueued: true}, {bootOrder: 'rollback'});
        expect(read(text)).toMatchObject({isRollbackQueued: true, rollback: {version: '0'}});
    });

    test('is what was staged after that', () => {
        const text = document({rollback, rollbackQueued: true, staged: entry('2')});
        expect(read(text)).toMatchObject({isRollbackQueued: false, staged: {version: '2'}});
    });

    test('is the rollback, whatever was only downloaded', () => {
        const staged = entry('2', {downloadOnly: true});
        const text = document({rollback, rollbackQueued: true, staged});
        expect(read(text)).toMatchObject({isRollbackQueued: true, staged: null});
    });
});

describe('an older version', () => {
    test('without an order of boot can neither roll back nor unstage', () => {
        expect(read(oldest)).toMatchObject({
            booted: {version: null, timestamp: null, isPinned: true},
            staged: {version: '2'},
            isRollbackQueued: false,
            capabilities: ['check', 'update', 'switch'],
        });
    });

    test('says by the order of boot what is queued', () => {
        expect(read(old)).toMatchObject({
            booted: {version: '2'},
            rollback: {version: '1'},
            isRollbackQueued: true,
            capabilities: ['check', 'update', 'switch', 'rollback', 'unstage'],
        });
    });
});

describe('a composefs store', () => {
    const spec = {image: {image: SNOW, transport: 'containers-storage'}};

    test('downloads without staging from 1.14 on', () => {
        const booted = composefsEntry('1');
        expect(read(document({booted}, spec), true).capabilities).toContain('download-only');
        const before = document({booted, usrOverlay: undefined}, spec);
        expect(read(before, true).capabilities).not.toContain('download-only');
    });

    test("does not where only snow's script can fetch the image", () => {
        const booted = composefsEntry('1', {image: image('1')});
        expect(read(document({booted}), true).capabilities).not.toContain('download-only');
        expect(read(document({booted}), false).capabilities).toContain('download-only');
    });
});

describe('a system that bootc does not manage', () => {
    test('can do nothing, and says so', () => {
        expect(read(unmanaged)).toEqual({
            followed: '',
            booted: null,
            staged: null,
            rollback: null,
            isRollbackQueued: false,
            downloaded: null,
            capabilities: [],
            problem: 'This system was not started from an image that bootc manages',
        });
    });

    test('says what to do about packages of rpm-ostree', () => {
        const booted = entry('1', {image: null, incompatible: true});
        const text = document({booted}, {image: null});
        expect(read(text)).toMatchObject({
            booted: null,
            capabilities: [],
            problem: expect.stringContaining('rpm-ostree reset') as string,
        });
    });

    test('nor does it change what cannot be written to', () => {
        expect(read(document({readOnly: true}))).toMatchObject({
            booted: {version: '1'},
            capabilities: [],
            problem: 'This system was started from a medium that cannot be written to',
        });
    });
});

test('a commit of ostree is nothing to go back to', () => {
    const rollback = entry('0', {image: null});
    expect(read(document({rollback, rollbackQueued: true}))).toMatchObject({
        rollback: null,
        isRollbackQueued: false,
    });
});

test('fields that nobody knows are no harm', () => {
    const booted = entry('1', {temperature: -3, composefs: undefined});
    const text = document({booted, weather: {snow: true}, usrOverlay: {accessMode: 'magic'}});
    expect(read(text).booted).toMatchObject({version: '1'});
});

test.each([
    ['', 'nothing at all'],
    ['{"apiVersion"', 'it is no JSON'],
    ['[]', 'it is no object'],
    [document().replace('bootc/v1', 'bootc/v2'), 'apiVersion'],
    [document().replace('BootcHost', 'Deployment'), 'kind'],
    [document({}, {image: undefined}), 'spec.image'],
    [document({}, {image: {image: SNOW}}), 'spec.image.transport'],
    [document({}, {image: {image: 'a\u0000b', transport: 'registry'}}), 'spec.image.image'],
    [document({booted: entry('1', {pinned: 1})}), 'status.booted.pinned'],
    [document({booted: 'yes'}), 'status.booted'],
    [document({rollbackQueued: 'no'}), 'status.rollbackQueued'],
    [document({staged: entry('x')}), 'status.staged.image.imageDigest'],
    [
        document({staged: entry('2', {image: {...image('2'), timestamp: 'today'}})}),
        'status.staged.image.timestamp',
    ],
    [
        document({
            staged: entry('2', {ostree: {stateroot: '../..', checksum: 'a', deploySerial: 0}}),
        }),
        'status.staged.ostree.stateroot',
    ],
    [document({otherDeployments: [entry('0'), 5]}), 'status.otherDeployments[1]'],
])('%#: what is wrong with a document is named', (text, named) => {
    let message = '';
    try {
        importStatus(text);
    } catch (error) {
        message = String(error);
    }
    expect(message).toContain(named);
    expect(message).toMatch(/^SnowError: bootc status [^\n]+$/);
});

test('a deployment of ostree has a tree before it is booted, one of composefs has none', () => {
    const {status} = importStatus(document({staged: entry('2'), rollback: composefsEntry('0')}));
    expect(status.staged && treeOf(status.staged)).toBe(
        `/ostree/deploy/default/deploy/${'2'.repeat(64)}.0`,
    );
    expect(status.rollback && treeOf(status.rollback)).toBeNull();
});
