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
    const {exitCode, stdout} = await host.programs.run(['getent', '--', 'passwd', String(uid)]);
    const [name, , id, gid, , home] = (stdout.split('\n')[0] ?? '').split(':');
    if (exitCode !== 0 || name === undefined || home === undefined || Number(id) !== uid)
        return null;
    return {uid, gid: Number(gid), name, home};
}
