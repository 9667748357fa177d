// SPDX-License-Identifier: GPL-2.0-or-later
import type {Host} from '../host/host.ts';
import {type Followed, followRunningSystem} from './boot-links.ts';
import {locked} from './lock.ts';
import {recoverTransaction} from './transaction.ts';

/** Milliseconds to wait for another process; the rest of the boot waits for this one. */
const PATIENCE = 3000;

/**
 * What is done at boot, before systemd-sysext merges anything: an operation that the end of the last
 * boot interrupted is undone first, whose links would else come back later. Null: nothing is to be done.
 *
 * @param host without systemd, which has yet to start what we would ask of it
 */
export async function followAtBoot(host: Host): Promise<Followed | null> {
    const run = async (): Promise<Followed | null> => {
        await recoverTransaction(host);
        return followRunningSystem(host, true);
    };
    return locked(host, run, {patience: PATIENCE});
}
