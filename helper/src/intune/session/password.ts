// SPDX-License-Identifier: GPL-2.0-or-later
// What Intune demands of the password of a container's user.

const MIN_LENGTH = 12;
/** Bytes; PAM has its limit at 512. */
const MAX_LENGTH = 256;

const demands: readonly (readonly [fault: RegExp, text: string])[] = [
    [/^[^0-9]*$/, 'needs a digit'],
    [/^[^A-Z]*$/, 'needs an upper-case letter'],
    [/^[^a-z]*$/, 'needs a lower-case letter'],
    [/^[A-Za-z0-9]*$/, 'needs a character that is neither a letter nor a digit'],
];

/**
 * What is wrong with a password, as one line; null: nothing. The container's own PAM says more, but does not
 * hold root to it.
 *
 * @param user whose it is, where that is known: his name is not to be in it
 */
export function passwordProblem(password: string, user = ''): string | null {
    if (/\p{Cc}/u.test(password)) return 'The password cannot have control characters';
    if ([...password].length < MIN_LENGTH)
        return `The password needs at least ${MIN_LENGTH} characters`;
    if (Buffer.byteLength(password) > MAX_LENGTH)
        return `The password cannot have more than ${MAX_LENGTH} bytes`;
    const missing = demands.find(([fault]) => fault.test(password));
    if (missing) return `The password ${missing[1]}`;
    if (user !== '' && password.toLowerCase().includes(user.toLowerCase()))
        return 'The password cannot have the user’s name in it';
    return null;
}
