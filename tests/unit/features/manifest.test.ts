// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';

import {MAX_MANIFEST_BYTES, parseManifest} from '../../../helper/src/features/manifest.ts';
import {SnowError} from '../../../helper/src/host/error.ts';

const A = 'a1'.repeat(32);
const B = 'b2'.repeat(32);
const now = new Date(2026, 4, 15, 12).getTime();

function entries(text: string): readonly (readonly [string, string])[] {
    return parseManifest(text, {now}).entries.map(({fileName, sha256}) => [fileName, sha256]);
}

describe('parseManifest', () => {
    test('reads what sha256sum writes, with either marker', () => {
        expect(entries(`${A}  docker_1.raw.zst\n${B} *docker_2.raw\n`)).toEqual([
            ['docker_1.raw.zst', A],
            ['docker_2.raw', B],
        ]);
    });

    test('takes CRLF, comments, empty lines, capital letters and a missing last newline', () => {
        const text = `# by hand\r\n\r\n${A.toUpperCase()}  one\r\n\n${B}  two`;
        expect(entries(text)).toEqual([
            ['one', A],
            ['two', B],
        ]);
    });

    test('takes bytes as well as text', () => {
        expect(parseManifest(Buffer.from(`${A}  one\n`)).entries).toEqual([
            {fileName: 'one', sha256: A},
        ]);
    });

    test('has nothing to offer when it is empty', () => {
        expect(entries('')).toEqual([]);
    });

    test('takes a line that is there twice once', () => {
        expect(entries(`${A}  one\n${A} *one\n`)).toEqual([['one', A]]);
    });

    test.each([
        ['a name with two hashes', `${B}  one`],
        ['a hash cut short', A.slice(0, 30)],
        ['a hash without a name', A],
        ['a hash with nothing but the marker', `${A}  `],
        ['a short hash with a name', `${A.slice(1)}  two`],
        ['a long hash', `${A}0  two`],
        ['a hash with other letters', `${'g'.repeat(64)}  two`],
        ['one space', `${A} two`],
        ['a tab', `${A}\ttwo`],
        ['a wrong marker', `${A} +two`],
        ['white space before the hash', ` ${A}  two`],
        ['white space alone', '   '],
        ["sha256sum's escapes", `\\${A}  tw\\no`],
        ['a BSD line', `SHA256 (two) = ${A}`],
        ['a page', '<!DOCTYPE html>'],
        ['a path', `${A}  sub/two`],
        ['an absolute path', `${A}  /etc/passwd`],
        ['a path upwards', `${A}  ../two`],
        ['a directory', `${A}  ..`],
        ['this directory', `${A}  .`],
        ['dots within', `${A}  a..b`],
        ['a backslash', `${A}  a\\b`],
        ['an escape', `${A}  %2e%2e`],
        ['an escaped slash', `${A}  a%2Fb`],
        ['a control character', `${A}  a\tb`],
        ['a carriage return within', `${A}  a\rb`],
        ['a NUL', `${A}  a\0b`],
        ['letters that are not ASCII', `${A}  dockér`],
        ['a name too long for a file', `${A}  ${'a'.repeat(256)}`],
    ])('refuses %s and names the line', (_what, line) => {
        for (const end of ['', '\n', `\n${B}  three\n`]) {
            const text = `${A}  one\n${line}${end}`;
            expect(() => entries(text)).toThrow(
                expect.objectContaining({
                    code: 'VerificationFailed',
                    message: expect.stringMatching(/^SHA256SUMS:2: /) as string,
                }),
            );
        }
    });

    test('names its address where it has one', () => {
        const where = 'https://example.org/ext/SHA256SUMS';
        expect(() => parseManifest('x', {where})).toThrow(`${where}:1: `);
    });

    test('refuses more than 4 MiB', () => {
        expect(() => parseManifest(new Uint8Array(MAX_MANIFEST_BYTES + 1))).toThrow('4 MiB');
    });

    test('either reads a manifest or names a line', () => {
        const line = fc.oneof(
            fc.constant(`${A}  one`),
            fc.string({unit: 'binary'}),
            fc.string({unit: fc.constantFrom('a', '1', ' ', '*', '/', '.', '\r', '#', A)}),
        );
        fc.assert(
            fc.property(fc.array(line), lines => {
                try {
                    for (const {fileName, sha256} of parseManifest(lines.join('\n')).entries) {
                        expect(fileName).not.toMatch(/[/%\\]|\.\.|[^ -~]/);
                        expect(sha256).toMatch(/^[0-9a-f]{64}$/);
                    }
                } catch (error) {
                    expect(error).toBeInstanceOf(SnowError);
                    expect((error as SnowError).message).toMatch(/^SHA256SUMS:\d+: /);
                }
            }),
            {numRuns: 1000},
        );
    });
});

describe('BEST-BEFORE', () => {
    const until = (day: string): string => `${A}  one\n${B} *BEST-BEFORE-${day}\n`;

    test('leaves a manifest valid up to its day, and is no file', () => {
        const manifest = parseManifest(until('2026-05-16'), {now});
        expect(manifest.bestBefore).toBe('2026-05-16');
        expect(manifest.entries).toEqual([{fileName: 'one', sha256: A}]);
    });

    test('of several the earliest counts', () => {
        const text = `${until('2027-01-01')}${until('2026-12-31')}`;
        expect(parseManifest(text, {now}).bestBefore).toBe('2026-12-31');
        expect(() => parseManifest(`${text}${until('2020-01-01')}`, {now})).toThrow('2020-01-01');
    });

    // systemd-sysupdate refuses from the first moment of the day on.
    test.each(['2026-05-15', '2026-05-14', '1999-12-31'])('refuses on and after %s', day => {
        expect(() => parseManifest(until(day), {now})).toThrow(
            expect.objectContaining({
                code: 'VerificationFailed',
                message: expect.stringMatching(new RegExp(`^SHA256SUMS:2: .*${day}$`)) as string,
            }),
        );
    });

    test.each(['', 'tomorrow', '2026-13-01', '2026-02-30', '2026-5-1', '2026-05-16x'])(
        'refuses %j, which is no day',
        day => expect(() => parseManifest(until(day), {now})).toThrow(/^SHA256SUMS:2: .*no day/),
    );
});
