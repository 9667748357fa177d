// SPDX-License-Identifier: GPL-2.0-or-later

/** The stable names behind org.frostyard.Snow1.Error. */
export const errorCodes = [
    'Busy',
    'Cancelled',
    'Failed',
    'InvalidArgs',
    'Network',
    'NoSpace',
    'NotAuthorized',
    'NotFound',
    'NotSupported',
    'VerificationFailed',
    'WrongState',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

/** The one class of error that a user is told of: a stable code and one line. */
export class SnowError extends Error {
    readonly code: ErrorCode;

    constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
        super(message.replace(/\s+/g, ' ').trim(), options);
        this.name = 'SnowError';
        this.code = code;
    }
}
