// SPDX-License-Identifier: GPL-2.0-or-later
// nbc says in words what went wrong. They are those of v0.17, of Go, and of registries.

import {type ErrorCode, SnowError} from '../../host/error.ts';
import type {ProgramResult} from '../../host/host.ts';

interface Kind {
    readonly pattern: RegExp;
    readonly code: ErrorCode;
    /** What to do, or what it means. */
    readonly text: string;
}

/** From the most particular to the least. */
const kinds: readonly Kind[] = [
    {
        pattern: /another nbc process|lock held by another process/i,
        code: 'Busy',
        text: 'nbc is changing the system already; try again when it is done',
    },
    {
        pattern: /unknown (flag|command|shorthand)/i,
        code: 'NotSupported',
        text: 'This version of nbc cannot do that',
    },
    {
        pattern: /no space left on device/i,
        code: 'NoSpace',
        text: 'There is not enough space for the image',
    },
    {
        pattern: /signature|cosign/i,
        code: 'VerificationFailed',
        text: 'The signature of the image does not hold',
    },
    {
        pattern: /passphrase/i,
        code: 'NotSupported',
        text: 'The disk is unlocked by a passphrase only; run nbc update in a terminal',
    },
    {
        pattern: /no staged update/i,
        code: 'WrongState',
        text: 'There is no downloaded image; check for an update first',
    },
    {
        pattern: /no update available/i,
        code: 'WrongState',
        text: 'There is nothing newer than what this system has',
    },
    {
        pattern: /MANIFEST_UNKNOWN|NAME_UNKNOWN|manifest unknown|404 Not Found/i,
        code: 'Failed',
        text: 'The registry has no such image',
    },
    {
        pattern: /UNAUTHORIZED|DENIED|401 Unauthorized|403 Forbidden/i,
        code: 'Failed',
        text: 'The registry does not let this system have the image',
    },
    {
        pattern:
            /dial tcp|no such host|network is unreachable|connection (refused|reset)|i\/o timeout|TLS handshake|x509|unexpected EOF|deadline exceeded|50[0-9] |TOOMANYREQUESTS|failed to (get|pull) (remote )?image/i,
        code: 'Network',
        text: 'The registry cannot be reached',
    },
];

const MAX_TEXT = 300;

/** What a person is told of a failure that nbc described. */
export function failureOf(description: string): SnowError {
    const said = firstLine(description);
    const kind = kinds.find(({pattern}) => pattern.test(description));
    if (!kind) return new SnowError('Failed', `nbc failed: ${said || 'it does not say why'}`);
    return new SnowError(kind.code, said === '' ? kind.text : `${kind.text} (nbc: ${said})`);
}

/** What a program without a description printed to stderr: the last line that says something. */
export function describeResult({exitCode, signal, stderr}: ProgramResult): string {
    const lines = stderr
        // Colors, and frames of boxes.
        // eslint-disable-next-line no-control-regex
        .replace(/\x1b\[[0-9;]*[A-Za-z]/g, '')
        .split('\n')
        .map(text => text.trim())
        .filter(text => /[A-Za-z]{2}/.test(text) && text !== 'ERROR');
    const errors = lines.filter(text => /error|fail|cannot|unknown/i.test(text));
    const said = errors[0] ?? lines.at(-1);
    if (said !== undefined) return said.replace(/^Error:\s*/i, '');
    return signal === null ? `exit status ${exitCode ?? 'unknown'}` : `ended by ${signal}`;
}

function firstLine(description: string): string {
    const said =
        description
            .split('\n')
            .map(text => text.trim())
            .find(text => text !== '') ?? '';
    // eslint-disable-next-line no-control-regex
    const visible = said.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ');
    return visible.length > MAX_TEXT ? `${visible.slice(0, MAX_TEXT - 1)}…` : visible;
}
