// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';

import {
    compressionOf,
    formatPattern,
    imageTargetPattern,
    matchPattern,
    matchPatterns,
    parsePattern,
} from '../../../helper/src/features/patterns.ts';
import {SnowError} from '../../../helper/src/host/error.ts';

function match(pattern: string, name: string): Record<string, string> | null {
    const found = matchPattern(parsePattern(pattern), name);
    return found && {...found.fields, v: found.version};
}

describe('matchPattern', () => {
    test('takes the version out of a name', () => {
        expect(match('docker_@v_13_x86-64.raw', 'docker_28.0.4+ds1-2_13_x86-64.raw')).toEqual({
            v: '28.0.4+ds1-2',
        });
    });

    test.each([
        'docker_1_12_x86-64.raw',
        'docker_1_13_x86-64.raw.zst',
        'xdocker_1_13_x86-64.raw',
        'docker__13_x86-64.raw',
        'docker_1 0_13_x86-64.raw',
        'docker_ä_13_x86-64.raw',
        '',
    ])('does not match %j, which differs at either end or in the version', name => {
        expect(match('docker_@v_13_x86-64.raw', name)).toBeNull();
    });

    test.each(['..', '.', '../1', 'a/1', '/1', '1\0', '1\n', '..\\1', '1..2'])(
        'does not match %j, which could lead elsewhere',
        name => expect(match('@v', name)).toBeNull(),
    );

    test('ends a field where the text after it first occurs', () => {
        expect(match('n@v.raw', 'n1.raw.raw')).toBeNull();
        expect(match('n@v.raw', 'n1.5.raw')).toEqual({v: '1.5'});
    });

    test('reads every field in its own grammar', () => {
        const hash = 'aB'.repeat(32);
        const name = [
            '1.0',
            '01234567-89ab-CDEF-0123-456789abcdef',
            '0x00FF',
            '0',
            '1',
            '1',
            '1735689600000000',
            '0644',
            '262144000',
            '0',
            '3',
            hash,
        ].join('_');
        const pattern = 'v@v_@u_@f_@a_@g_@r_@t_@m_@s_@d_@l_@h';
        expect(match(pattern, `v${name}`)).toEqual({
            v: '1.0',
            u: '0123456789abcdef0123456789abcdef',
            f: 'ff',
            a: '0',
            g: '1',
            r: '1',
            t: '1735689600000000',
            m: '644',
            s: '262144000',
            d: '0',
            l: '3',
            h: hash.toLowerCase(),
        });
    });

    test.each([
        ['u', ['0123', '01234567-89ab-cdef-0123456789abcdef', 'g'.repeat(32)]],
        ['f', ['', 'g', '-1', '1ffffffffffffffff']],
        ['a', ['', '2', 'yes']],
        ['g', ['', '01']],
        ['r', ['', '-1']],
        ['t', ['', '-1', '1.5', '18446744073709551615', '012', '0x12']],
        ['m', ['', '888', '4755', '777', '-644']],
        ['s', ['', '1k', '99999999999999999999']],
        ['d', ['', '+3']],
        ['l', ['', '-3']],
        ['h', ['', 'a'.repeat(63), 'a'.repeat(65), 'g'.repeat(64)]],
    ])('refuses what is no @%s', (field, values) => {
        for (const value of values)
            expect(match(`n@v_@${field}.raw`, `n1_${value}.raw`)).toBeNull();
    });

    test('takes @@ as an at sign', () => {
        expect(match('a@@b_@v', 'a@b_1')).toEqual({v: '1'});
        expect(match('a@@b_@v', 'a@@b_1')).toBeNull();
    });

    test('with several patterns the first that matches decides', () => {
        const patterns = ['n_@v.raw.zst', 'n_@v_@s.raw', 'n_@v.raw'].map(parsePattern);
        expect(matchPatterns(patterns, 'n_1.raw.zst')?.pattern.text).toBe('n_@v.raw.zst');
        expect(matchPatterns(patterns, 'n_1_5.raw')).toMatchObject({
            version: '1',
            fields: {s: '5'},
        });
        expect(matchPatterns(patterns, 'n_1_x.raw')).toMatchObject({version: '1_x', fields: {}});
        expect(matchPatterns(patterns, 'm_1.raw')).toBeNull();
    });

    test('never matches a name that leads elsewhere, whatever the pattern', () => {
        const piece = fc.constantFrom('@v', '@s', '@@', 'a', '.', '_', '-', '@h', 'raw');
        const name = fc.string({unit: fc.constantFrom(...'a1._-/\\@\0'), maxLength: 12});
        fc.assert(
            fc.property(fc.array(piece, {maxLength: 6}), name, (pieces, text) => {
                const found = tried(() => matchPattern(parsePattern(pieces.join('')), text));
                if (found) expect(text).not.toMatch(/[/\0]|\.\.|^\.$/);
            }),
            {numRuns: 3000},
        );
    });
});

describe('parsePattern', () => {
    test.each([
        ['docker.raw', /lacks @v/],
        ['', /lacks @v/],
        ['@v_@v', /@v twice/],
        ['@v@u', /nothing between/],
        ['@v_@x', /unknown field @x/],
        ['@v_@', /unknown field @/],
        ['a*_@v', /not allowed/],
        ['a?_@v', /not allowed/],
        ['a[0]_@v', /not allowed/],
        ['a!_@v', /not allowed/],
        ['a|_@v', /not allowed/],
        ['a$_@v', /not allowed/],
        ['a\\_@v', /not allowed/],
        ['ä_@v', /not allowed/],
        ['a\n_@v', /not allowed/],
        ['a/b_@v', /directory/],
        ['../@v', /directory/],
        ['**/a_@v', /not allowed/],
        [`${'a'.repeat(255)}@v`, /too long/],
    ])('refuses %j', (text, why) => {
        expect(() => parsePattern(text)).toThrow(SnowError);
        expect(() => parsePattern(text)).toThrow(why);
    });

    test('either reads a text or says why not', () => {
        fc.assert(
            fc.property(fc.string({unit: fc.constantFrom(...'@@@vusx._/*ä')}), text => {
                const pattern = tried(() => parsePattern(text));
                if (pattern) expect(pattern.text).toBe(text);
            }),
            {numRuns: 2000},
        );
    });
});

describe('formatPattern', () => {
    test('names a version as matchPattern reads it', () => {
        const fields = {s: '17', m: '644', h: 'ab'.repeat(32)};
        const pattern = parsePattern('n@@_@v+@s.@m.@h.raw');
        const name = formatPattern(pattern, {v: '1.0~rc1', ...fields});
        expect(name).toBe(`n@_1.0~rc1+17.644.${fields.h}.raw`);
        expect(matchPattern(pattern, name)).toMatchObject({version: '1.0~rc1', fields});
    });

    test.each([
        ['@v', {v: ''}],
        ['@v', {v: '..'}],
        ['@v', {v: '.'}],
        ['@v', {v: '../1'}],
        ['n_@v', {v: '1/2'}],
        ['n_@v', {v: 'a'.repeat(254)}],
        ['n_@v_@s', {v: '1'}],
        ['n_@v_@s', {v: '1', s: 'x'}],
        ['n_@v_@m', {v: '1', m: '777'}],
    ])('makes no name from %s with %j', (pattern, fields) => {
        expect(() => formatPattern(parsePattern(pattern), fields)).toThrow(SnowError);
    });
});

describe('imageTargetPattern', () => {
    const chosen = (...patterns: string[]): string =>
        imageTargetPattern(patterns.map(parsePattern)).text;

    test('is the first of an uncompressed image', () => {
        expect(chosen('n_@v.raw.zst', 'n_@v.raw.xz', 'n_@v.raw', 'n-@v.raw')).toBe('n_@v.raw');
    });

    test('is the first without its suffix where all are compressed', () => {
        expect(chosen('n_@v.raw.zst', 'm_@v.raw.xz')).toBe('n_@v.raw');
    });
});

test.each([
    ['a.raw.zst', 'zst'],
    ['a.raw.zstd', 'zst'],
    ['a.raw.xz', 'xz'],
    ['a.raw.gz', 'gz'],
    ['a.raw.bz2', 'bz2'],
    ['a.raw', 'none'],
    ['zst', 'none'],
])('%s is compressed as %s', (name, compression) => {
    expect(compressionOf(name)).toBe(compression);
});

/** null when the text was refused as it should be. */
function tried<T>(make: () => T): T | null {
    try {
        return make();
    } catch (error) {
        expect(error).toBeInstanceOf(SnowError);
        return null;
    }
}
