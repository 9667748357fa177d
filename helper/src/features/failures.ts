// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';

/** Why some of several features failed, by their ids; the others go on. */
export type Failures = Map<string, SnowError>;

/** The error of one feature. Throws when it is not only that feature's: a stop, or our own mistake. */
export function expected(error: unknown, signal: AbortSignal): SnowError {
    if (signal.aborted) throw new SnowError('Cancelled', 'The operation was stopped');
    if (error instanceof SnowError) return error;
    throw error;
}

/** Said once the others are done. */
export function throwFailures(verb: string, failures: Failures): void {
    const [first] = failures.values();
    if (!first) return;
    const names = [...failures.keys()];
    const code = [...failures.values()].every(error => error.code === first.code)
        ? first.code
        : 'Failed';
    const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
    throw new SnowError(
        code,
        `Cannot ${verb} ${names.slice(0, 5).join(', ')}${more}: ${first.message}`,
        {cause: first},
    );
}
