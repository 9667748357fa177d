// SPDX-License-Identifier: GPL-2.0-or-later
// What tells a staged update from another one, as snow's own scripts do it: /run/snosi/update-staged
// has lines of key=value. Pure.

export const UPDATE_STAGED = '/run/snosi/update-staged';
/** Below the user's state directory: the identity of the update that the user was told of last. */
export const ACKNOWLEDGED = 'snosi/update-staged.ack';

/** Empty: nothing is staged. */
export function stagedIdentity(text: string): string {
    const value = (key: string) =>
        text
            .split('\n')
            .find(line => line.startsWith(`${key}=`))
            ?.slice(key.length + 1)
            .trim() ?? '';
    return value('digest') || value('version');
}
