// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import {readAccountOf} from '../../host/passwd.ts';
import {canOwn} from '../../intune/owner.ts';
import type {Context} from '../context.ts';
import {quoted} from '../text.ts';

/** Whose container it is. */
export interface ContainerOwner {
    readonly uid: number;
    /** As the caller has it, for messages. */
    readonly label: string;
}

export function callersUid(): number {
    return process.getuid?.() ?? 0;
}

/** The user of --user, or else the caller. Throws SnowError NotFound, InvalidArgs. */
export async function findOwner({host, settings}: Context): Promise<ContainerOwner> {
    const {user} = settings.intune;
    if (user === '') {
        const uid = callersUid();
        if (!canOwn(uid))
            throw new SnowError('InvalidArgs', 'Say whose container is meant: --user=USER');
        return {uid, label: 'This user'};
    }
    if (/^\d{1,10}$/.test(user)) return {uid: Number(user), label: `User ${user}`};
    const account = await readAccountOf(host, user);
    if (!account) throw new SnowError('NotFound', `There is no user ${quoted(user)}`);
    return {uid: account.uid, label: user};
}
