// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';

import {
    type IniFile,
    parseBoolean,
    parseIni,
    splitEscapedWords,
    splitWords,
} from '../../../helper/src/host/ini.ts';
import {SnowError} from '../../../helper/src/host/error.ts';

const known = {Feature: new Set(['A', 'B']), Other: new Set(['A'])};

function parse(text: string | Uint8Array): IniFile {
    return parseIni('f.conf', typeof text === 'string' ? Buffer.from(text) : text, known);
}

function settings(text: string): readonly string[] {
    return parse(text).assignments.map(
        ({section, key, value, line}) => `${line} ${section}.${key}=${value}`,
    );
}

describe('parseIni', () => {
    test('reads sections and settings, white space around them left out', () => {
        expect(settings('[Feature]\nA=1\n\n  B \t= two words \t\n[Other]\nA==x=\n')).toEqual([
            '2 Feature.A=1',
            '4 Feature.B=two words',
            '6 Other.A==x=',
        ]);
    });

    test('keeps repeated and empty settings in their order', () => {
        expect(settings('[Feature]\nA=1\nA=\nA=2')).toEqual([
            '2 Feature.A=1',
            '3 Feature.A=',
            '4 Feature.A=2',
        ]);
    });

    test('keeps quotes', () => {
        expect(settings('[Feature]\nA="1"\n')).toEqual(['2 Feature.A="1"']);
    });

    test('goes on after a backslash, over comments but not over an empty line', () => {
        const text = [
            '[Feature]',
            'A=one \\',
            '# not this',
            '  ; nor this \\',
            '   two\\',
            'three\\',
            '',
            'B=\\\\',
        ];
        for (const newline of ['\n', '\r\n'])
            expect(settings(text.join(newline))).toEqual([
                '2 Feature.A=one     two three',
                '8 Feature.B=\\\\',
            ]);
    });

    test('takes a backslash on the last line', () => {
        expect(settings('[Feature]\nA=1 \\')).toEqual(['2 Feature.A=1']);
    });

    test('takes a byte order mark', () => {
        expect(settings('\ufeff[Feature]\nA=1')).toEqual(['2 Feature.A=1']);
    });

    test('warns of unknown sections and keys, but not of those that begin with X-', () => {
        const {warnings, faults, assignments} = parse(
            '[Feature]\nC=1\nX-C=1\n[X-Feature]\nnothing\n[Unknown]\nA=1\n',
        );
        expect(assignments).toEqual([]);
        expect(faults).toEqual([]);
        expect(warnings).toEqual([
            'f.conf:2: Unknown setting C= in [Feature], ignored',
            'f.conf:6: Unknown section [Unknown], ignored',
        ]);
    });

    test('names the lines that are no settings, and keeps the others', () => {
        const {faults, assignments} = parse('A=0\n[Feature]\nA=1\nnothing\n=2\nB=3\n');
        expect(faults.map(fault => fault.slice(0, 9))).toEqual([
            'f.conf:1:',
            'f.conf:4:',
            'f.conf:5:',
        ]);
        expect(assignments.map(({key}) => key)).toEqual(['A', 'B']);
    });

    test.each([
        ['an open section header', '[Feature]\nA=1\n[Feature\n', 3],
        ['an empty section header', '\n[]\n', 2],
        ['a section with a quote', '["Feature"]', 1],
        ['a NUL', '[Feature]\nA=1\0\n', 2],
        ['a line without end', `[Feature]\nA=${'a'.repeat(1024 * 1024)}`, 2],
        [
            'lines that go on without end',
            `[Feature]\nA=1\\\n${`${'a'.repeat(999)}\\\n`.repeat(1100)}`,
            2,
        ],
    ])('refuses %s', (_what, text, line) => {
        expect(() => parse(text)).toThrow(SnowError);
        expect(() => parse(text)).toThrow(new RegExp(`^f\\.conf:${line}: `));
    });

    test('refuses bytes that are no UTF-8', () => {
        const content = Buffer.from('[Feature]\nA=ä\nB=\xff\n', 'latin1');
        content.set([0x20], 13);
        expect(() => parse(content)).toThrow(/^f\.conf:2: |^f\.conf:3: /);
    });

    test('keeps control characters out of its messages', () => {
        const {faults} = parse('[Feature]\n\x1b[31mred\n');
        // eslint-disable-next-line no-control-regex
        expect(faults[0]).not.toMatch(/[\x00-\x1f]/);
    });

    test('takes no longer for long white space', () => {
        const text = `[Feature]\nA=a${' '.repeat(900_000)}b\n`;
        const start = performance.now();
        expect(parse(text).assignments).toHaveLength(1);
        expect(performance.now() - start).toBeLessThan(10_000);
    });

    test('either reads a file or names a line', () => {
        const piece = fc.oneof(
            fc.constantFrom('[Feature]', 'A=1', '\\', '\n', '\r\n', '#', '[', ']', '=', ' ', '"'),
            fc.string({unit: 'binary', maxLength: 4}),
        );
        fc.assert(
            fc.property(fc.array(piece, {maxLength: 30}), pieces => {
                try {
                    const {assignments, faults, warnings} = parse(pieces.join(''));
                    for (const {value} of assignments) expect(value).toBe(value.trim());
                    for (const note of [...faults, ...warnings])
                        expect(note).toMatch(/^f\.conf:\d+: /);
                } catch (error) {
                    expect(error).toBeInstanceOf(SnowError);
                    expect((error as SnowError).message).toMatch(/^f\.conf:\d+: /);
                }
            }),
            {numRuns: 2000},
        );
    });

    test('takes any bytes', () => {
        fc.assert(
            fc.property(fc.uint8Array({maxLength: 60}), bytes => {
                try {
                    parse(bytes);
                } catch (error) {
                    expect((error as SnowError).message).toMatch(/^f\.conf:\d+: /);
                }
            }),
        );
    });
});

describe('parseBoolean', () => {
    test.each(['1', 'yes', 'y', 'true', 't', 'on', 'TRUE', 'Yes', 'oN'])('%s is yes', text =>
        expect(parseBoolean(text)).toBe(true),
    );
    test.each(['0', 'no', 'n', 'false', 'f', 'off', 'FALSE', 'No'])('%s is no', text =>
        expect(parseBoolean(text)).toBe(false),
    );
    test.each(['', 'maybe', '2', '"yes"', 'yes ', 'enabled'])('%j is neither', text =>
        expect(parseBoolean(text)).toBeNull(),
    );
});

describe('splitWords', () => {
    test.each([
        ['a  b\tc', ['a', 'b', 'c']],
        ['"a b" c', ['a b', 'c']],
        ["x'a b'y", ['xa by']],
        ['a\\ b', ['a\\', 'b']],
        ['""', ['']],
        ['', []],
    ])('%j is %j', (text, words) => expect(splitWords(text)).toEqual(words));

    test('refuses a quote that is not closed', () => {
        expect(splitWords('a "b')).toBeNull();
    });
});

test('splitEscapedWords keeps quotes and resolves escapes', () => {
    expect(splitEscapedWords('"a  b" x\\x2dy \\055\\s \\q\n')).toEqual([
        '"a',
        'b"',
        'x-y',
        '- ',
        '\\q',
    ]);
});
