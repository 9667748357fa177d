// SPDX-License-Identifier: GPL-2.0-or-later
import {BusError} from '../host/dbus.ts';
import {type ErrorCode, SnowError} from '../host/error.ts';
import {exitCodes} from './exit-codes.ts';

const SNOW_ERROR = 'org.frostyard.Snow1.Error.';

/** Errors of the bus and of systemd that say more to a person in other words. */
const known: readonly (readonly [name: RegExp, code: ErrorCode, text: string | null])[] = [
    [
        /^org\.freedesktop\.(DBus\.Error\.(ServiceUnknown|NameHasNoOwner)|systemd1\.NoSuchUnit)$/,
        'NotSupported',
        'The service snowd is not installed on this machine',
    ],
    [
        /^org\.freedesktop\.(DBus\.Error\.(Spawn\.\w+|TimedOut)|systemd1\.\w+)$/,
        'Failed',
        'The service snowd could not be started; "journalctl -u snowd" says why',
    ],
    [
        /^org\.freedesktop\.DBus\.Error\.(NoReply|Disconnected)$/,
        'Failed',
        'The service snowd stopped before it answered; "journalctl -u snowd" says why',
    ],
    [
        /^org\.freedesktop\.DBus\.Error\.(NoServer|FileNotFound)$/,
        'NotSupported',
        'The system bus cannot be reached; is D-Bus running?',
    ],
    [/^org\.freedesktop\.DBus\.Error\.UnknownObject$/, 'NotFound', null],
    [
        /^org\.freedesktop\.DBus\.Error\.Unknown(Method|Interface|Property)$/,
        'NotSupported',
        'The running service snowd is of another version than snowctl; try again in a minute',
    ],
    [/^org\.freedesktop\.DBus\.Error\.(AccessDenied|AuthFailed)$/, 'NotAuthorized', null],
    [/^org\.freedesktop\.DBus\.Error\.InvalidArgs$/, 'InvalidArgs', null],
];

/** Any error of a call, as the one that a person is told. */
export function serviceError(error: unknown): SnowError {
    if (error instanceof SnowError) return named(error);
    if (!(error instanceof BusError))
        return new SnowError('Failed', error instanceof Error ? error.message : String(error));
    const [, code, text] = known.find(([name]) => name.test(error.errorName)) ?? [];
    return new SnowError(code ?? 'Failed', text ?? error.message, {cause: error});
}

/** With the number of a job instead of its path, and what shows it. */
function named(error: SnowError): SnowError {
    const [, text, number] =
        /^(.*: )\/org\/frostyard\/Snow1\/Jobs\/(\d+)$/.exec(error.message) ?? [];
    return number === undefined
        ? error
        : new SnowError(error.code, `${text}job ${number}; see "snowctl jobs"`, {cause: error});
}

/** The error that a job ended with, from its name on the bus and its line. */
export function jobError(name: string, message: string): SnowError {
    const code = name.startsWith(SNOW_ERROR) ? name.slice(SNOW_ERROR.length) : '';
    return new SnowError(isErrorCode(code) ? code : 'Failed', message || 'The job failed');
}

function isErrorCode(code: string): code is ErrorCode {
    return Object.hasOwn(exitCodes, code);
}
