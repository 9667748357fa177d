// SPDX-License-Identifier: GPL-2.0-or-later
import type {Host} from './host.ts';

/** An entry of passwd(5). */
export interface Account {
    readonly uid: number;
    readonly gid: number;
    readonly name: string;
    readonly home: string;
}

/** Of whichever source nsswitch.conf(5) names; null: there is no such user. */
export async function readAccount(host: Host, uid: number): Promise<Account | null> {
    const account = await findAccount(host, String(uid));
    return account?.uid === uid ? account : null;
}

/** By its name. */
export async function readAccountOf(host: Host, name: string): Promise<Account | null> {
    const account = await findAccount(host, name);
    return account?.name === name ? account : null;
}

async function findAccount(host: Host, key: string): Promise<Account | null> {
    const {exitCode, stdout} = await host.programs.run(['getent', '--', 'passwd', key]);
    const [name, , id, gid, , home] = (stdout.split('\n')[0] ?? '').split(':');
    if (exitCode !== 0 || name === undefined || home === undefined) return null;
    return {uid: Number(id), gid: Number(gid), name, home};
}
