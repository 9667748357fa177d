// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {failureOf} from '../../../../helper/src/image/native/failures.ts';

function failure(stderr: string, stdout = '') {
    return failureOf('The update', {exitCode: 1, signal: null, stdout, stderr});
}

// Each as systemd 262 printed it.
test.for([
    [
        "gpg: BAD signature\nDOWNLOAD INVALID: Signature verification failed.\nExiting.\n'(sd-pull)' failed with exit status 1.",
        'VerificationFailed',
        'not signed',
    ],
    [
        "gpg: Can't check signature: No public key\nDOWNLOAD INVALID: Signature verification failed.",
        'VerificationFailed',
        'does not trust',
    ],
    [
        'HTTP request to http://x/SHA256SUMS.asc failed with code 404.\nFailed to retrieve signature file, cannot verify. (Try --verify=no?)',
        'VerificationFailed',
        'not signed',
    ],
    [
        'Transfer failed: Could not connect to server\nFailed to retrieve image file.',
        'Network',
        'cannot be reached',
    ],
    ['Transfer failed: Could not resolve hostname', 'Network', 'cannot be resolved'],
    [
        'HTTP request to http://x/SHA256SUMS failed with code 503.\nExiting.',
        'Network',
        'answered 503 for http://x/SHA256SUMS',
    ],
    [
        'File overly large, refusing.\n(sd-pull-raw) failed with exit status 1: File too large',
        'NoSpace',
        'does not fit',
    ],
    [
        'Failed to retrieve image file.\nExiting.\n(sd-pull-raw) failed with exit status 1: Bad message',
        'VerificationFailed',
        'damaged',
    ],
    [
        'Failed to retrieve image file.\nExiting.\n(sd-pull-raw) failed with exit status 1: Input/output error',
        'VerificationFailed',
        'damaged',
    ],
    ['No transfer definitions found.', 'NotSupported', 'sysupdate.d'],
] as const)('%s', ([stderr, code, text]) => {
    expect(failure(stderr)).toMatchObject({
        code,
        message: expect.stringContaining(text) as string,
    });
});

test('what is not known is told by the last line that says something', () => {
    expect(failure('Something odd happened.\nExiting.\n')).toMatchObject({
        code: 'Failed',
        message: 'The update failed: Something odd happened.',
    });
    expect(failure('').message).toBe('The update failed: it ended with status 1');
    expect(
        failureOf('The update', {exitCode: null, signal: 'SIGKILL', stdout: '', stderr: ''})
            .message,
    ).toBe('The update failed: it was ended by SIGKILL');
});
