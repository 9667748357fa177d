// SPDX-License-Identifier: GPL-2.0-or-later
// What bootc, podman and skopeo say when they fail, for a person.

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
        pattern: /unexpected argument|unrecognized subcommand|unknown flag/,
        code: 'NotSupported',
        text: 'The programs of this system are too old for that',
    },
    {
        pattern: /insecureAcceptAnything/,
        code: 'VerificationFailed',
        text: '/etc/containers/policy.json accepts images without a signature; have it reject by default and name the key of the images to follow',
    },
    {
        pattern:
            /source image rejected|signature (was|is) required|no signature exists|invalid signature|signature verification|rejected by policy|cryptographic signature/i,
        code: 'VerificationFailed',
        text: 'The image was refused, since nobody who is trusted signed it',
    },
    {
        pattern: /same fs-verity digest as the existing/i,
        code: 'WrongState',
        text: 'That image is on this system already; to start the earlier one: snowctl image rollback',
    },
    {
        pattern: /merge conflicts found in etc/i,
        code: 'Failed',
        text: 'What was changed in /etc does not go together with the new image; the journal of snow-image-job says what',
    },
    {
        pattern:
            /no space left on device|ENOSPC|insufficient free space|not enough (free |disk )?space/i,
        code: 'NoSpace',
        text: 'There is not enough space for the image',
    },
    {
        pattern: /manifest unknown|name unknown|repository name not known|404 \(?not found/i,
        code: 'NotFound',
        text: 'The registry has no such image',
    },
    {
        pattern: /unauthorized|authentication required|denied|403 \(?forbidden/i,
        code: 'Failed',
        text: 'The registry does not let this system have the image',
    },
    {
        pattern:
            /dial tcp|no such host|network is unreachable|connection (refused|reset)|i\/o timeout|TLS handshake|x509|name resolution|deadline exceeded|unexpected EOF|pinging container registry|received unexpected HTTP status: 5\d\d|toomanyrequests/i,
        code: 'Network',
        text: 'The registry cannot be reached',
    },
    {
        pattern: /no rollback available/i,
        code: 'WrongState',
        text: 'There is no earlier image to go back to',
    },
    {
        pattern: /no staged deployment found/i,
        code: 'WrongState',
        text: 'What was downloaded is gone; update again',
    },
];

const MAX_TEXT = 300;

/** Throws SnowError unless the program ended well. */
export function refuseFailure(program: string, result: ProgramResult): void {
    if (result.exitCode !== 0) throw failureOf(program, result);
}

/** Why a program failed, by the last line that it printed to stderr. */
export function failureOf(program: string, {exitCode, signal, stderr}: ProgramResult): SnowError {
    const said = lastLine(stderr);
    const kind = kinds.find(({pattern}) => pattern.test(stderr));
    if (kind) return new SnowError(kind.code, said === '' ? kind.text : `${kind.text} (${said})`);
    if (signal !== null) return new SnowError('Failed', `${program} was ended by ${signal}`);
    if (exitCode === null) return new SnowError('Failed', `${program} did not end in time`);
    return new SnowError('Failed', `${program} failed: ${said || `exit status ${exitCode}`}`);
}

/** The last line that says something, without what is for a terminal or for a log. */
function lastLine(stderr: string): string {
    const lines = stderr
        // eslint-disable-next-line no-control-regex
        .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, '')
        .split(/[\r\n]+/)
        // eslint-disable-next-line no-control-regex
        .map(text => text.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ').trim())
        // The end of what is said of a wrong option says nothing more.
        .filter(text => /[A-Za-z]{2}/.test(text) && !/^(Usage:|For more information)/.test(text));
    const text = unwrapLog(lines.at(-1) ?? '')
        .replace(/^error:\s*/i, '')
        .replace(/^.*failed to invoke method \w+: /, '');
    return text.length > MAX_TEXT ? `…${text.slice(1 - MAX_TEXT)}` : text;
}

/** skopeo writes `time="..." level=fatal msg="..."`. */
function unwrapLog(text: string): string {
    const message = /^time="[^"]*" level=\w+ msg="((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
    return message?.replace(/\\(["\\])/g, '$1') ?? text;
}
