// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {resultsToWire, toWire} from '../../../helper/src/bus/wire.ts';
import {Variant, plainValue} from '../../../helper/src/host/dbus.ts';

describe('a value that is sent', () => {
    it('is BigInt only where it has 64 bits', () => {
        expect(toWire('t', 250_000_000_000)).toBe(250_000_000_000n);
        expect(toWire('x', -1)).toBe(-1n);
        expect(toWire('u', 7)).toBe(7);
        expect(toWire('d', 0.5)).toBe(0.5);
    });

    it('has no zero byte, for which the bus would close the connection', () => {
        expect(toWire('s', 'a\0b')).toBe('ab');
        expect(toWire('as', ['\0'])).toEqual(['']);
    });

    it.each([
        ['s', 1],
        ['s', undefined],
        ['b', 'true'],
        ['d', Number.NaN],
        ['t', Infinity],
        ['as', 'a'],
        ['as', [1]],
        ['h', 1],
    ])('of type %s is never %j', (signature, value) => {
        expect(() => toWire(signature, value)).toThrow(TypeError);
    });

    it('of a result has the type that JavaScript tells', () => {
        expect(resultsToWire({a: 'x', b: true, c: 3, d: 0.5, e: []})).toEqual({
            a: new Variant('s', 'x'),
            b: new Variant('b', true),
            c: new Variant('x', 3n),
            d: new Variant('d', 0.5),
            e: new Variant('as', []),
        });
    });
});

describe('a value that came', () => {
    it('is plain all the way down', () => {
        const value = {a: new Variant('v', new Variant('t', 5n)), b: [new Variant('as', ['x'])]};
        expect(plainValue(value)).toEqual({a: 5, b: [['x']]});
    });

    it('that is too large to be exact is infinite', () => {
        expect(plainValue(2n ** 63n)).toBe(Infinity);
        expect(plainValue(-(2n ** 62n))).toBe(-Infinity);
    });
});
