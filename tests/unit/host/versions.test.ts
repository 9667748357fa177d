// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';

import {compareVersions, isVersion} from '../../../helper/src/host/versions.ts';

const signs = {'<': -1, '=': 0, '>': 1} as const;

// Each line is an answer of `systemd-analyze compare-versions` of systemd 262.
const answers = `
    1 = 1
    1 = 01
    1 < 2
    9 < 10
    1 < 1.0
    1.0 < 1.0.0
    1.0 < 1.1
    1 > 1~rc1
    1.0~beta < 1.0
    1.0~beta < 1.0-beta
    1 > 1~
    ~~ > ~
    1 < 1-1
    1-1 < 1-2
    1-1 < 1.1
    1^ > 1-1
    1^ > 1
    1^1 < 1.1
    1^1 > 1-1
    1 < 1a
    1a < 1b
    1a > 1.a
    1.a < 1.1
    10 > 1a
    v1 > V1
    a > V1
    a < 1
    1_1 = 1+1
    1_1 > 1-1
    1.1 < 1_1
    5.4.2+ds1-1 < 5.4.2+ds1-2
    5.4.2 < 5.4.2+ds1-1
    1.0.0-1~deb13u1 < 1.0.0-1
    1.0.0-1 < 1.0.0-1+b1
    20241231235959 < 20250101000000
    00 = 0
    99999999999999999999999999 < 100000000000000000000000000
    1..1 < 1.1
    1.-1 < 1.1
    1--1 < 1-1
    ^ < .
    - < ^
    0 > .
`;

describe('compareVersions', () => {
    const table = answers
        .trim()
        .split('\n')
        .map(line => line.trim().split(' ') as [string, keyof typeof signs, string]);

    test.each(table)('%s %s %s, as systemd says', (a, sign, b) => {
        expect(Math.sign(compareVersions(a, b))).toBe(signs[sign]);
        expect(Math.sign(compareVersions(b, a))).toBe(0 - signs[sign]);
    });

    test('is an order for any texts', () => {
        const version = fc.string({unit: fc.constantFrom(...'0019ab.-~^_+A '), maxLength: 12});
        fc.assert(
            fc.property(version, version, version, (a, b, c) => {
                expect(compareVersions(a, a)).toBe(0);
                expect(compareVersions(a, b)).toBe(0 - compareVersions(b, a));
                if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
                    expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
            }),
            {numRuns: 2000},
        );
    });

    test('ends for whatever text there is', () => {
        fc.assert(
            fc.property(fc.string({unit: 'binary'}), fc.string({unit: 'binary'}), (a, b) => {
                expect([-1, 0, 1]).toContain(compareVersions(a, b) + 0);
            }),
        );
    });
});

describe('isVersion', () => {
    test.each(['1', '1.0~rc1', '5.4.2+ds1-2', '1^20250101', '13_1', '.', 'A'.repeat(255)])(
        'takes %s',
        text => expect(isVersion(text)).toBe(true),
    );

    test.each(['', '1 0', '1/0', '1:0', '1%2e', 'ä', '1\n', '1\0', 'A'.repeat(256)])(
        'refuses %j',
        text => expect(isVersion(text)).toBe(false),
    );
});
