// SPDX-License-Identifier: GPL-2.0-or-later
import type {ErrorCode} from '../host/error.ts';

/** Exit status of snowctl by the code of the error; 0 is success. Part of the manual page. */
export const exitCodes: Readonly<
    Record<ErrorCode, {readonly status: number; readonly meaning: string}>
> = {
    Failed: {status: 1, meaning: 'It failed, or doctor found a problem.'},
    InvalidArgs: {status: 2, meaning: 'The command line is wrong.'},
    NotAuthorized: {status: 3, meaning: 'The caller may not do this.'},
    NotFound: {
        status: 4,
        meaning: 'There is no such feature, version, channel, user, program, device or job.',
    },
    Busy: {status: 5, meaning: 'Another job is changing the machine.'},
    Network: {
        status: 6,
        meaning: 'A repository or registry could not be reached, or answered nonsense.',
    },
    VerificationFailed: {status: 7, meaning: 'A signature or checksum does not hold.'},
    NoSpace: {status: 8, meaning: 'There is no space left on the disk.'},
    NotSupported: {status: 9, meaning: 'This machine cannot do this.'},
    WrongState: {status: 10, meaning: 'This is not possible in the present state.'},
    Cancelled: {status: 130, meaning: 'It was canceled.'},
};

export const SUCCESS = 0;
export const PROBLEMS_FOUND = exitCodes.Failed.status;
