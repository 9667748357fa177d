// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {
    type Facts,
    describeStatus,
    timestampOf,
} from '../../../../helper/src/image/native/status.ts';
import type {InstalledVersion} from '../../../../helper/src/image/native/sysupdate.ts';
import {parseUki} from '../../../../helper/src/image/native/uki.ts';

function path(name: string) {
    return `/boot/EFI/Linux/snow-ab_${name}.efi`;
}

function installed(name: string, state: InstalledVersion['state'] = 'whole'): InstalledVersion {
    const uki = parseUki(path(name));
    const version = uki?.stem.slice('snow-ab_'.length) ?? '';
    return {version, state, uki: state === 'downloaded' ? null : uki, partitions: []};
}

const usual: Facts = {
    imageId: 'snow',
    booted: '1',
    installed: [installed('1')],
    bootEntries: null,
    capabilities: ['check', 'update'],
    isAtWork: false,
};

function status(change: Partial<Facts>) {
    const {followed, booted, staged, rollback, downloaded, isRollbackQueued, problem} =
        describeStatus({...usual, ...change});
    return {
        followed,
        booted: booted?.version ?? null,
        staged: staged?.version ?? null,
        rollback: rollback?.version ?? null,
        downloaded: downloaded?.version ?? null,
        isRollbackQueued,
        problem,
    };
}

const plain = {
    followed: 'snow-ab',
    booted: '1',
    staged: null,
    rollback: null,
    downloaded: null,
    isRollbackQueued: false,
    problem: '',
};

test('alone', () => {
    expect(status({})).toEqual(plain);
});

test('a newer version with attempts left is staged', () => {
    expect(status({installed: [installed('2+3-0'), installed('1')]})).toEqual({
        ...plain,
        staged: '2',
    });
});

test('an older one is what to go back to', () => {
    const both = [installed('2'), installed('1')];
    expect(status({booted: '2', installed: both})).toEqual({
        ...plain,
        booted: '2',
        rollback: '1',
    });
});

test('an older one that is the next boot is a rollback that waits', () => {
    expect(status({booted: '2', installed: [installed('2+0-0'), installed('1')]})).toEqual({
        ...plain,
        booted: '2',
        rollback: '1',
        isRollbackQueued: true,
    });
});

test('a newer one that was set aside can be gone back to, and is no problem', () => {
    expect(status({installed: [installed('2+0-0'), installed('1')]})).toEqual({
        ...plain,
        rollback: '2',
    });
});

test('a newer one that could not be started is said', () => {
    const {problem, staged} = status({installed: [installed('2+0-3'), installed('1')]});
    expect(staged).toBeNull();
    expect(problem).toBe(
        '2 could not be started and was given up after 3 attempts; 1 runs instead',
    );
});

test('what is not whole is never staged, nor what to go back to', () => {
    for (const state of ['partial', 'incomplete', 'downloaded'] as const) {
        const {staged, rollback, downloaded} = status({
            installed: [installed('2+3-0', state), installed('1')],
        });
        expect([staged, rollback]).toEqual([null, null]);
        expect(downloaded).toBe(state === 'downloaded' ? '2' : null);
    }
});

test('an interrupted update is a problem, unless one is at work', () => {
    const half = [installed('2', 'partial'), installed('1')];
    expect(status({installed: half}).problem).toContain('snowctl image update');
    expect(status({installed: half, isAtWork: true}).problem).toBe('');
});

test('what the boot loader says of its default counts', () => {
    const both = [installed('2+3-0'), installed('1')];
    const entry = (name: string) => ({title: name, path: path(name), isDefault: true});
    expect(status({installed: both, bootEntries: [entry('1')]})).toEqual({
        ...plain,
        rollback: '2',
        problem:
            '2 is installed, but the boot loader is told to start 1; to start 2: snowctl image rollback',
    });
    const windows = {title: 'Windows', path: null, isDefault: true};
    expect(status({installed: both, bootEntries: [windows]}).problem).toContain('starts Windows');
});

test('a system that cannot be what it seems says so', () => {
    expect(status({imageId: ''})).toMatchObject({followed: ''});
    expect(status({imageId: ''}).problem).toContain('IMAGE_ID');
    expect(status({installed: []}).problem).toContain('sysupdate.d');
    expect(status({booted: '7'}).problem).toContain('in none of the slots');
    expect(status({installed: [installed('1', 'incomplete')]}).problem).toContain('is missing');
});

test('versions that are times have one', () => {
    expect(timestampOf('20260102030405')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
    for (const version of ['20260231000000', '20261301000000', '2026', '1.2.3', '99999999999999'])
        expect(timestampOf(version)).toBeNull();
});
