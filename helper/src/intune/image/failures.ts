// SPDX-License-Identifier: GPL-2.0-or-later
// What skopeo, umoci, podman, docker and tar say when they fail, for a person.

import {type ErrorCode, SnowError} from '../../host/error.ts';
import type {ProgramResult} from '../../host/host.ts';

interface Kind {
    readonly pattern: RegExp;
    readonly code: ErrorCode;
    /** What it means, or what to do. */
    readonly text: string;
}

/** From the most particular to the least. */
const kinds: readonly Kind[] = [
    {
        pattern: /open \/etc\/containers\/policy\.json: no such file/,
        code: 'NotSupported',
        text: '/etc/containers/policy.json is missing, which says whose images this system accepts',
    },
    {
        pattern:
            /source image rejected|signature (was|is) required|no signature exists|invalid signature|rejected by policy|cryptographic signature/i,
        code: 'VerificationFailed',
        text: 'The image was refused, since /etc/containers/policy.json does not accept it',
    },
    {
        pattern: /no space left on device|disk quota exceeded|cannot write: .*no space/i,
        code: 'NoSpace',
        text: 'There is not enough space for the image',
    },
    {
        pattern: /file too large|SIGXFSZ/i,
        code: 'VerificationFailed',
        text: 'The image is larger than its registry says, or has a file that is too large',
    },
    {
        pattern: /mknod.*operation not permitted|cannot mknod/i,
        code: 'VerificationFailed',
        text: 'The image has a device node, which the image of a container must not have',
    },
    {
        pattern: /l?chown[^\n]*invalid argument/i,
        code: 'VerificationFailed',
        text: 'The image has files of users or groups above 65535, which a container cannot have',
    },
    {
        pattern:
            /digest.{0,40}(mismatch|did not match|does not match|invalid)|does not match.{0,40}digest|unexpected digest|invalid checksum|(blob|diffid) .{0,200}mismatch|(mismatch|verif\w+).{0,200}digest|invalid size|size mismatch/i,
        code: 'VerificationFailed',
        text: 'What the registry sent is not what it promised',
    },
    {
        // docker's daemon fetches and unpacks in one.
        pattern: /failed to register layer/,
        code: 'VerificationFailed',
        text: 'The image cannot be unpacked',
    },
    {
        pattern: /manifest unknown|name unknown|repository name not known|not found|404/i,
        code: 'NotFound',
        text: 'The registry has no such image',
    },
    {
        pattern: /unauthorized|authentication required|denied: |403 \(?forbidden/i,
        code: 'Failed',
        text: 'The registry does not let this system have the image',
    },
    {
        pattern:
            /dial tcp|no such host|network is unreachable|connection (refused|reset)|i\/o timeout|TLS handshake|x509|name resolution|deadline exceeded|pinging container registry|(invalid|unexpected) (HTTP )?status:?.{0,40}5\d\d|5\d\d \(|toomanyrequests|read: |http2: /i,
        code: 'Network',
        text: 'The registry cannot be reached, or broke off',
    },
];

/** It is both: a registry that vanished, and a layer that is shorter than it should be. */
const CUT_OFF = /unexpected EOF|: EOF$/im;

/** Where it is known which of the two it can be. */
export type Phase = 'fetch' | 'unpack';

const MAX_TEXT = 300;

/** Throws SnowError unless the program ended well. */
export function refuseFailure(program: string, phase: Phase, result: ProgramResult): void {
    if (result.exitCode !== 0) throw failureOf(program, phase, result);
}

/** Why a program failed, by the last line that it printed to stderr. */
export function failureOf(
    program: string,
    phase: Phase,
    {exitCode, signal, stderr}: ProgramResult,
): SnowError {
    const said = lastLine(stderr);
    const kind = kinds.find(({pattern}) => pattern.test(stderr));
    if (kind) return new SnowError(kind.code, said === '' ? kind.text : `${kind.text} (${said})`);
    if (phase === 'fetch' && CUT_OFF.test(stderr))
        return new SnowError('Network', `The registry broke off (${said})`);
    if (phase === 'unpack')
        return new SnowError('VerificationFailed', `The image cannot be unpacked (${said})`);
    if (signal !== null) return new SnowError('Failed', `${program} was ended by ${signal}`);
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
        .filter(text => /[A-Za-z]{2}/.test(text) && !/Exiting with failure status/.test(text));
    const text = unwrapLog(lines.at(-1) ?? '')
        .replace(/^(⨯|(error|fatal|tar):)\s*/i, '')
        .trim();
    return text.length > MAX_TEXT ? `…${text.slice(1 - MAX_TEXT)}` : text;
}

/** skopeo writes `time="..." level=fatal msg="..."`. */
function unwrapLog(text: string): string {
    const message = /^time="[^"]*" level=\w+ msg="((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
    return message?.replace(/\\(["\\])/g, '$1') ?? text;
}
