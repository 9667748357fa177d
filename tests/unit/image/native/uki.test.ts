// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {expect, test} from 'vitest';

import {
    hasFailed,
    isExhausted,
    parseUki,
    withAttempts,
} from '../../../../helper/src/image/native/uki.ts';

const DIRECTORY = '/boot/EFI/Linux';

test.for([
    ['snow-ab_20260401000000.efi', null],
    ['snow-ab_20260401000000+3-0.efi', {left: 3, done: 0}],
    ['snow-ab_20260401000000+3.efi', {left: 3, done: 0}],
    ['snow-ab_20260401000000+0-3.efi', {left: 0, done: 3}],
    ['snow-ab_20260401000000+2-1.efi', {left: 2, done: 1}],
] as const)('%s', ([name, attempts]) => {
    expect(parseUki(`${DIRECTORY}/${name}`)).toEqual({
        path: `${DIRECTORY}/${name}`,
        stem: 'snow-ab_20260401000000',
        attempts,
    });
});

test.for([
    'snow.EFI',
    'snow.efi.bak',
    '.sysupdate.pending.snow-ab_2+3-0.efi',
    '-rf .efi',
    'a b.efi',
    'a\nb.efi',
    '+3-0.efi',
    '.efi',
    '',
])('%j is none that would be touched', name => {
    expect(parseUki(`${DIRECTORY}/${name}`)).toBeNull();
});

test('a path that is not absolute, or leads out of its directory, is none', () => {
    expect(parseUki('snow.efi')).toBeNull();
    expect(parseUki('/boot/../etc/snow.efi')).toBeNull();
});

test('a plus sign that is no counter belongs to the version', () => {
    expect(parseUki('/boot/app_1.0+git.efi')).toMatchObject({stem: 'app_1.0+git', attempts: null});
    expect(parseUki('/boot/app_1.0+git+3-0.efi')).toMatchObject({
        stem: 'app_1.0+git',
        attempts: {left: 3, done: 0},
    });
});

test('other attempts make a name that is read as such, in the same directory', () => {
    const attempts = fc.option(fc.record({left: fc.nat(999), done: fc.nat(999)}));
    fc.assert(
        fc.property(fc.stringMatching(/^[a-z][a-z0-9._-]{0,40}$/), attempts, (stem, given) => {
            const uki = parseUki(`${DIRECTORY}/${stem}.efi`);
            fc.pre(uki !== null);
            const renamed = withAttempts(uki, given);
            expect(parseUki(renamed.path)).toEqual(renamed);
            expect(renamed.path.startsWith(`${DIRECTORY}/${stem}`)).toBe(true);
        }),
    );
});

test('without attempts left it was given up, unless none was ever made', () => {
    const uki = (name: string) => parseUki(`${DIRECTORY}/${name}.efi`) ?? expect.unreachable();
    expect([isExhausted(uki('a+0-3')), hasFailed(uki('a+0-3'))]).toEqual([true, true]);
    expect([isExhausted(uki('a+0-0')), hasFailed(uki('a+0-0'))]).toEqual([true, false]);
    expect([isExhausted(uki('a+1-2')), hasFailed(uki('a+1-2'))]).toEqual([false, false]);
    expect([isExhausted(uki('a')), hasFailed(uki('a'))]).toEqual([false, false]);
});
