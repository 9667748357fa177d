// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';

import {SnowError} from '../../../helper/src/host/error.ts';
import {formatReference, parseReference} from '../../../helper/src/host/image-reference.ts';

const SHA256 = `sha256:${'0123456789abcdef'.repeat(4)}`;
const SHA512 = `sha512:${'0123456789abcdef'.repeat(8)}`;

describe('references', () => {
    test.each([
        ['ghcr.io/frostyard/snow', 'ghcr.io', 'frostyard/snow', null, null],
        ['ghcr.io/frostyard/snow:latest', 'ghcr.io', 'frostyard/snow', 'latest', null],
        ['localhost/snow', 'localhost', 'snow', null, null],
        ['localhost:5000/a/b/c:V1.0_x-y', 'localhost:5000', 'a/b/c', 'V1.0_x-y', null],
        ['127.0.0.1:5000/snow:1', '127.0.0.1:5000', 'snow', '1', null],
        ['[::1]:5000/snow:1', '[::1]:5000', 'snow', '1', null],
        ['GHCR.io/frostyard/snow', 'ghcr.io', 'frostyard/snow', null, null],
        [`quay.io/a/b@${SHA256}`, 'quay.io', 'a/b', null, SHA256],
        [`quay.io/a/b:t@${SHA512}`, 'quay.io', 'a/b', 't', SHA512],
        ['quay.io/a__b/c---d/e.f_g', 'quay.io', 'a__b/c---d/e.f_g', null, null],
        [`quay.io/a:${'t'.repeat(128)}`, 'quay.io', 'a', 't'.repeat(128), null],
        [`quay.io/${'a'.repeat(247)}`, 'quay.io', 'a'.repeat(247), null, null],
    ])('%s', (text, domain, path, tag, digest) => {
        expect(parseReference(text)).toEqual({domain, path, tag, digest});
    });

    test('one form for all that mean the same', () => {
        const form = (text: string) => formatReference(parseReference(text));
        expect(form('GHCR.IO/frostyard/snow')).toBe('ghcr.io/frostyard/snow:latest');
        expect(form('ghcr.io/frostyard/snow:latest')).toBe('ghcr.io/frostyard/snow:latest');
        expect(form(`ghcr.io/a@${SHA256}`)).toBe(`ghcr.io/a@${SHA256}`);
        expect(form(`ghcr.io/a:b@${SHA256}`)).toBe(`ghcr.io/a:b@${SHA256}`);
    });
});

describe('no references', () => {
    test.each([
        ['', 'empty'],
        ['snow', 'registry'],
        ['frostyard/snow', 'registry'],
        ['snow:latest', 'registry'],
        ['--option', 'dash'],
        ['--image=ghcr.io/a/b', 'dash'],
        ['-', 'dash'],
        ['docker://ghcr.io/frostyard/snow', 'transport'],
        ['containers-storage:localhost/snow', 'registry|host|lower'],
        ['oci:/var/lib/image', 'host|lower'],
        ['https://ghcr.io/frostyard/snow', 'transport'],
        ['ghcr.io/frostyard/snow latest', 'characters'],
        ['ghcr.io/frostyard/snow;reboot', 'lower-case'],
        ['ghcr.io/frostyard/$(reboot)', 'lower-case'],
        ['ghcr.io/frostyard/`reboot`', 'lower-case'],
        ['ghcr.io/frostyard/snow|x', 'lower-case'],
        ['ghcr.io/frostyard/snow\n', 'characters'],
        ['ghcr.io/frostyard/snow\0', 'characters'],
        ['ghcr.io/frostyard/\u202esnow', 'characters'],
        ['ghcr.io/frostyard/snöw', 'characters'],
        ['ghcr.io/fröstyard/snow', 'characters'],
        ['ghcr.io/Frostyard/snow', 'lower-case'],
        ['ghcr.io/frostyard/../snow', 'lower-case'],
        ['ghcr.io/../etc/passwd', 'lower-case'],
        ['../../etc/passwd', 'host'],
        ['/etc/passwd', 'registry'],
        ['./snow', 'host'],
        ['ghcr.io//snow', 'lower-case'],
        ['ghcr.io/snow/', 'lower-case'],
        ['ghcr.io/', 'lower-case'],
        ['ghcr.io', 'registry'],
        ['ghcr.io/-snow', 'lower-case'],
        ['ghcr.io/snow-', 'lower-case'],
        ['ghcr.io/a..b', 'lower-case'],
        ['ghcr.io/a___b', 'lower-case'],
        ['ghcr.io/snow:', 'tag'],
        ['ghcr.io/snow:-t', 'tag'],
        ['ghcr.io/snow:.t', 'tag'],
        ['ghcr.io/snow:a:b', 'tag'],
        [`ghcr.io/snow:${'t'.repeat(129)}`, 'tag'],
        ['ghcr.io/snow@', 'digest'],
        ['ghcr.io/snow@sha256:abc', 'digest'],
        [`ghcr.io/snow@sha256:${'A'.repeat(64)}`, 'digest'],
        [`ghcr.io/snow@md5:${'a'.repeat(64)}`, 'digest'],
        [`ghcr.io/snow@${SHA256}@${SHA256}`, '@'],
        ['user:password@ghcr.io/snow', 'digest'],
        ['-ghcr.io/snow', 'dash'],
        ['ghcr-.io/snow', 'host'],
        ['.io/snow', 'host'],
        ['ghcr.io./snow', 'host'],
        ['gh_cr.io/snow', 'host'],
        ['ghcr.io:/snow', 'host'],
        ['ghcr.io:0/snow', 'host'],
        ['ghcr.io:65536/snow', 'host'],
        ['ghcr.io:5000:5000/snow', 'host'],
        ['[::1/snow', 'host'],
        [`quay.io/${'a'.repeat(248)}`, 'long'],
        ['a'.repeat(64 * 1024), 'long'],
        [`ghcr.io/${'a/'.repeat(32 * 1024)}`, 'long'],
    ])('%j', (text, why) => {
        let error: unknown;
        try {
            parseReference(text);
        } catch (caught) {
            error = caught;
        }
        expect(error).toBeInstanceOf(SnowError);
        expect(error).toMatchObject({code: 'InvalidArgs'});
        const {message} = error as SnowError;
        expect(message).toMatch(new RegExp(why));
        expect(message).toMatch(/^[^\n]{10,300}$/);
    });
});

describe('any text', () => {
    const piece = fc.constantFrom(
        ...['ghcr.io', 'localhost', ':5000', '/', 'a', 'B', '-', '--', '.', '..', '_', ':', '@'],
        ...[SHA256, 'sha256:', ' ', ';', '$', '\n', 'é', '[', ']', '::1', 'snow', ':latest'],
    );
    const text = fc.oneof(
        fc.string({unit: 'binary', maxLength: 400}),
        fc.array(piece, {maxLength: 12}).map(pieces => pieces.join('')),
    );

    test('is a reference that means the same when it is read again, or is refused', () => {
        fc.assert(
            fc.property(text, input => {
                let reference;
                try {
                    reference = parseReference(input);
                } catch (error) {
                    expect(error).toMatchObject({name: 'SnowError', code: 'InvalidArgs'});
                    return;
                }
                const form = formatReference(reference);
                expect(formatReference(parseReference(form))).toBe(form);
                expect(form).toMatch(/^[a-z0-9[][\x21-\x7e]{2,}$/);
                expect(form).not.toMatch(/[\s;|&$`'"\\<>(){}*?!~#%^=,]|\.\./);
            }),
            {numRuns: 3000},
        );
    });
});
