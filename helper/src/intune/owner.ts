// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {readAccount} from '../host/passwd.ts';
import type {Owner} from './model.ts';

/** Ids below are the system's. */
const FIRST_UID = 1000;
/** A container has 65536 ids, of which these are nobody and none. */
const LAST_ID = 65_533;

/** Whether a container may be a user's. */
export function canOwn(uid: number): boolean {
    return uid >= FIRST_UID && uid <= LAST_ID;
}

/** Throws SnowError NotFound, NotSupported. */
export async function readOwner(host: Host, uid: number): Promise<Owner> {
    const account = await readAccount(host, uid);
    if (!account) throw new SnowError('NotFound', `There is no user with the uid ${uid}`);
    if (!canOwn(uid) || account.gid > LAST_ID)
        throw new SnowError(
            'NotSupported',
            `Only users and groups with ids from ${FIRST_UID} to ${LAST_ID} can have a container`,
        );
    if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(account.name))
        throw new SnowError('NotSupported', `${account.name} cannot be the name of a user in it`);
    if (!/^(\/[A-Za-z0-9_.@+-]{1,128}){1,16}$/.test(account.home) || account.home.includes('/..'))
        throw new SnowError('NotSupported', `The home directory of ${account.name} has no path`);
    return account;
}
