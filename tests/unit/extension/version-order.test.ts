// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {expect, test} from 'vitest';

import {compareVersions} from '../../../extension/src/version-order.ts';

/** Each line in ascending order, from the text and the examples of UAPI.10. */
test.each([
    ['1', '2', '10'],
    ['1.0~rc1', '1.0', '1.0-1', '1.0^1', '1.0.1'],
    ['122.1', '123~rc1-1', '123', '123-a', '123-a.1', '123-1', '123-1.1', '123^post1', '123.a-1'],
    ['', '0', '1'],
    ['B', 'a', '1'],
    ['5.4.0', '5.4.2', '5.10.0', '20240101'],
])('orders %s before what follows it', (...versions) => {
    versions.forEach((left, i) => {
        versions.forEach((right, j) => {
            expect([left, right, compareVersions(left, right)]).toEqual([
                left,
                right,
                Math.sign(i - j),
            ]);
        });
    });
});

test.each([
    ['1.0', '1.00'],
    ['1_0', '1+0'],
    ['007', '7'],
])('takes %s for as new as %s', (left, right) => {
    expect(compareVersions(left, right)).toBe(0);
});

test('compares any two texts, and the other way round to the opposite', () => {
    const version = fc.string({
        unit: fc.constantFrom('0', '1', '9', 'a', 'Z', '.', '-', '~', '^', '_', '+', 'ä'),
        maxLength: 12,
    });
    fc.assert(
        fc.property(version, version, (a, b) => {
            expect(compareVersions(a, b) + compareVersions(b, a)).toBe(0);
        }),
    );
});
