// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {failureOf} from '../../../../helper/src/image/bootc/failures.ts';

function failure(stderr: string, exitCode: number | null = 1, signal: string | null = null) {
    const {code, message} = failureOf('bootc', {exitCode, signal, stdout: '', stderr});
    return {code, message};
}

test.each([
    [
        'error: Upgrading: Creating importer: failed to invoke method OpenImage: pinging container registry ghcr.io: Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host\n',
        'Network',
    ],
    [
        'Error: initializing source docker://127.0.0.1:9/snow:latest: pinging container registry 127.0.0.1:9: Get "https://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused\n',
        'Network',
    ],
    ['error: Importing: write: No space left on device (os error 28)\n', 'NoSpace'],
    [
        'Error: copying system image from manifest list: writing blob: storing blob: write /var/tmp/x: no space left on device\n',
        'NoSpace',
    ],
    [
        'Error: Source image rejected: A signature was required, but no signature exists\n',
        'VerificationFailed',
    ],
    [
        'Error: Source image rejected: Running image docker://ghcr.io/a/b:latest is rejected by policy.\n',
        'VerificationFailed',
    ],
    [
        'error: Switching: containers-policy.json specifies a default of `insecureAcceptAnything`; refusing usage\n',
        'VerificationFailed',
    ],
    [
        'time="2026-07-04T00:00:00Z" level=fatal msg="Error parsing image name \\"docker://ghcr.io/a/b\\": reading manifest latest in ghcr.io/a/b: manifest unknown"\n',
        'NotFound',
    ],
    [
        'error: Switching: Target image has the same fs-verity digest as the existing Some(Rollback) deployment.\n',
        'WrongState',
    ],
    [
        "error: unexpected argument '--download-only' found\n\nUsage: bootc upgrade [OPTIONS]\n\nFor more information, try '--help'.\n",
        'NotSupported',
    ],
    ['error: Upgrading: something else\n', 'Failed'],
])('%s is %s', (stderr, code) => {
    const found = failure(stderr);
    expect(found.code).toBe(code);
    expect(found.message).toMatch(/^[^\n]{10,450}$/);
    expect(found.message).not.toMatch(/level=|error: /i);
});

test('what the registry said is told', () => {
    const text =
        'time="x" level=fatal msg="Error parsing image name \\"docker://a.b/c\\": manifest unknown"';
    expect(failure(text).message).toBe(
        'The registry has no such image (Error parsing image name "docker://a.b/c": manifest unknown)',
    );
});

test('the last line counts, without what is for a terminal', () => {
    const text =
        'Trying to pull...\n\u001b[1mCopying blob\u001b[0m\r\n\u001b[31merror: it broke\u001b[0m\n\n';
    expect(failure(text)).toEqual({code: 'Failed', message: 'bootc failed: it broke'});
});

test('a long line keeps its end', () => {
    const {message} = failure(`error: ${'context: '.repeat(200)}the reason`);
    expect(message.length).toBeLessThan(350);
    expect(message).toMatch(/the reason$/);
});

test('a program that said nothing', () => {
    expect(failure('', 3).message).toBe('bootc failed: exit status 3');
    expect(failure('', null, 'SIGKILL').message).toBe('bootc was ended by SIGKILL');
    expect(failure('', null).message).toBe('bootc did not end in time');
});
