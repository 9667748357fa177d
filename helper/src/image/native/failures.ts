// SPDX-License-Identifier: GPL-2.0-or-later
// What went wrong, by what systemd-sysupdate and its downloader print.

import {type ErrorCode, SnowError} from '../../host/error.ts';
import type {ProgramResult} from '../../host/host.ts';

type Cause = readonly [pattern: RegExp, code: ErrorCode, text: string];

/** The first that matches counts. */
const causes: readonly Cause[] = [
    [
        /No public key/,
        'VerificationFailed',
        'The signature of the update server is of a key that this system does not trust',
    ],
    [
        /Signature verification failed|DOWNLOAD INVALID|cannot verify|No signature/i,
        'VerificationFailed',
        'What the update server says is not signed as it has to be; nothing was changed',
    ],
    [
        /SHA256 checksum.*(?:not|wrong|mismatch)|checksum (?:mismatch|failed)|hash.*(?:mismatch|does not match|invalid)/i,
        'VerificationFailed',
        'What was downloaded is not what the update server signed',
    ],
    [
        /File overly large|File too large|No space left|Disk full|not enough (?:free )?space/i,
        'NoSpace',
        'The update does not fit into its slot',
    ],
    [
        /Could not resolve/,
        'Network',
        'The name of the update server cannot be resolved; is there a network?',
    ],
    [/Could not connect/, 'Network', 'The update server cannot be reached'],
    [
        /HTTP request to (\S+) failed with code (\d+)/,
        'Network',
        'The update server answered $2 for $1',
    ],
    [/Transfer failed: (.*)/, 'Network', 'The download failed: $1'],
    [/timed out|timeout/i, 'Network', 'The update server does not answer'],
    [
        /Bad message/,
        'VerificationFailed',
        'What was downloaded is damaged, or not what the update server signed',
    ],
    // All that 257 says of what cannot be unpacked.
    [
        /Failed to retrieve image file/,
        'VerificationFailed',
        'What was downloaded is damaged, or could not be written',
    ],
    [/partially installed/, 'WrongState', 'An interrupted update is in the way; try again'],
    [/No transfer definitions found/, 'NotSupported', 'There are no definitions in sysupdate.d'],
    [/No space|ENOSPC/, 'NoSpace', 'The disk is full'],
    [/Device or resource busy|locked/i, 'Busy', 'Something else is updating this system'],
];

/** Output that explains nothing. */
const NOISE = /^(?:Exiting\.|gpg: |Operation completed|'?\(sd-[^)]*\)'? failed|\s*$)/;

/** The error of a program that did not end well, or that did not do what it should have. */
export function failureOf(
    doing: string,
    {exitCode, signal, stdout, stderr}: ProgramResult,
): SnowError {
    const output = `${stdout}\n${stderr}`;
    for (const [pattern, code, text] of causes) {
        const match = pattern.exec(output);
        if (match)
            return new SnowError(
                code,
                text.replace(/\$(\d)/g, (_all, index: string) => match[Number(index)] ?? ''),
            );
    }
    const lines = output.split('\n').filter(line => !NOISE.test(line));
    const last = lines.at(-1)?.trim().slice(0, 300);
    const reason =
        last ??
        (signal === null ? `it ended with status ${exitCode}` : `it was ended by ${signal}`);
    return new SnowError('Failed', `${doing} failed: ${reason}`);
}
