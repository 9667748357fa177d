// SPDX-License-Identifier: GPL-2.0-or-later
import type {Host} from '../host/host.ts';
import type {Release} from '../host/os-release.ts';
import {type Followed, followRunningSystem} from './boot-links.ts';
import {NEXT_RELEASE, readStagedOsRelease} from './compatibility.ts';
import {locked} from './lock.ts';
import {isSameSystem} from './next-boot-record.ts';
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
        const followed = await followRunningSystem(host, true);
        if (followed) await forgetStaged(host, followed.record.current);
        return followed;
    };
    return locked(host, run, {patience: PATIENCE});
}

/** A soft reboot keeps /run: what was staged there is what runs now. */
async function forgetStaged(host: Host, running: Release): Promise<void> {
    const staged = await readStagedOsRelease(host);
    if (staged && isSameSystem(staged, running)) await host.files.remove(NEXT_RELEASE);
}
