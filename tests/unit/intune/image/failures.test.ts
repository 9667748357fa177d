// SPDX-License-Identifier: GPL-2.0-or-later
// What the programs really printed, in the words that they have in Debian 13.
import {describe, expect, test} from 'vitest';

import {type Phase, failureOf} from '../../../../helper/src/intune/image/failures.ts';

function failure(program: string, phase: Phase, stderr: string): readonly [string, string] {
    const {code, message} = failureOf(program, phase, {
        exitCode: 1,
        signal: null,
        stdout: '',
        stderr,
    });
    return [code, message];
}

const fatal = (text: string): string =>
    `time="2026-11-23T05:09:23Z" level=fatal msg="${text.replaceAll('"', '\\"')}"\n`;

describe('what a program says', () => {
    test.each([
        ['NotFound', 'reading manifest nonono in 127.0.0.1:5000/x: manifest unknown'],
        [
            'Network',
            'pinging container registry 127.0.0.1:5999: Get "https://127.0.0.1:5999/v2/": dial tcp 127.0.0.1:5999: connect: connection refused',
        ],
        [
            'Network',
            'copying system image from manifest list: happened during read: unexpected EOF',
        ],
        [
            'VerificationFailed',
            'Source image rejected: Running image docker://x is rejected by policy.',
        ],
        [
            'VerificationFailed',
            'happened during read: Digest did not match, expected sha256:7, got sha256:c',
        ],
        ['VerificationFailed', 'failed to register layer: unlinkat .//: device or resource busy'],
        ['NoSpace', 'failed to register layer: write /x: no space left on device'],
        ['NoSpace', 'writing blob: write /mnt/image/oci-put-blob1: no space left on device'],
        [
            'NotSupported',
            'loading trust policy: open /etc/containers/policy.json: no such file or directory',
        ],
        ['Failed', 'reading manifest latest in ghcr.io/x/y: unauthorized: authentication required'],
        ['Failed', 'something that nobody has seen'],
    ])('is %s: %s', (code, text) => {
        const [found, message] = failure('skopeo', 'fetch', fatal(text));
        expect(found).toBe(code);
        expect(message).toContain(text);
    });

    test('of umoci is without its ornaments', () => {
        const stderr =
            '   • unpacking rootfs ...     \n   ⨯ create rootfs: unpack layer: read next entry: archive/tar: invalid tar header\n';
        expect(failure('umoci', 'unpack', stderr)).toEqual([
            'VerificationFailed',
            'The image cannot be unpacked (create rootfs: unpack layer: read next entry: archive/tar: invalid tar header)',
        ]);
    });

    test('that is cut off is a network that broke off only while something is fetched', () => {
        expect(failure('umoci', 'unpack', 'gzip: unexpected EOF\n')[0]).toBe('VerificationFailed');
    });

    test('of device nodes says what is wrong with the image', () => {
        const stderr =
            'tar: disk: Cannot mknod: Operation not permitted\ntar: Exiting with failure status due to previous errors\n';
        const [code, message] = failure('tar', 'unpack', stderr);
        expect(code).toBe('VerificationFailed');
        expect(message).toContain('device node');
        expect(message).toContain('(disk: Cannot mknod');
    });

    test('is one short line', () => {
        const [, message] = failure(
            'skopeo',
            'fetch',
            `${'x\x1b[31m\n'.repeat(3)}${'word '.repeat(500)}`,
        );
        expect(message.length).toBeLessThan(400);
        expect(message).not.toContain('\n');
    });
});
