// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';

/** Throws SnowError NotFound. */
export function uidOf(path: string): number {
    const uid = /^Intune\/u([1-9]\d{0,9})$/.exec(path)?.[1];
    if (uid === undefined) throw new SnowError('NotFound', `There is no container at ${path}`);
    return Number(uid);
}

/** Only its user and root may do something with a container. Throws SnowError NotAuthorized. */
export function refuseStranger(path: string, caller: number): void {
    if (caller !== 0 && caller !== uidOf(path))
        throw new SnowError('NotAuthorized', 'The container is another user’s');
}
