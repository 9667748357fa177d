// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from './error.ts';

/** Whether an error of the system has one of these codes (ENOENT, ...). */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
    return (
        error instanceof Error &&
        'code' in error &&
        typeof error.code === 'string' &&
        codes.includes(error.code)
    );
}

/** An error of the system as one that a user is told of; the path is the one below the root. */
export function asSnowError(error: unknown, doing: string): SnowError {
    if (error instanceof SnowError) return error;
    if (hasErrno(error, 'ENOSPC', 'EDQUOT'))
        return new SnowError('NoSpace', `${doing}: no space left on the disk`, {cause: error});
    if (hasErrno(error, 'EROFS'))
        return new SnowError('WrongState', `${doing}: the file system is read-only`, {
            cause: error,
        });
    if (hasErrno(error, 'EACCES', 'EPERM'))
        return new SnowError('NotAuthorized', `${doing}: permission denied`, {cause: error});
    const reason = error instanceof Error ? error.message : String(error);
    return new SnowError('Failed', `${doing}: ${reason}`, {cause: error});
}
