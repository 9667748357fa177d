// SPDX-License-Identifier: GPL-2.0-or-later
import type {Guest} from '../tests/lab/guest.ts';
import type {Session} from '../tests/lab/session.ts';
import {interleave, secondsOf} from './measure.ts';
import {type Row, comparedToFloor} from './row.ts';

const OURS = 'intune-u1001';
const OURS_RUNTIME = '/run/snow-control/intune/u1001';
const HAND = 'hand';
const START = 'snowctl --quiet intune start';

/**
 * From alice's container being stopped to its being ready, as snowd says, against systemd alone with a copy of it,
 * whose settings name what her session has: the same start for who writes them by hand each time. The
 * container is stopped when it returns.
 */
export async function benchIntuneStart(guest: Guest, session: Session): Promise<readonly Row[]> {
    await guest.check(START, {session});
    await writeByHand(guest);
    await stop(guest, OURS);
    await guest.check(`cp -a /var/lib/machines/${OURS} /var/lib/machines/${HAND}`);
    const times = await interleave(
        {
            floor: async () => {
                const seconds = await secondsOf(guest, `systemctl start systemd-nspawn@${HAND}`);
                await stop(guest, HAND);
                return seconds;
            },
            ours: async () => {
                await guest.check(START, {session});
                await stop(guest, OURS);
                const log = await guest.journal('snowd.service');
                return Number([...log.matchAll(/^intune\.start .* in ([\d.]+) s/gm)].at(-1)?.[1]);
            },
        },
        11,
    );
    await guest.check(
        `rm -r /var/lib/machines/${HAND} /etc/systemd/nspawn/${HAND}.nspawn; umount /run/${HAND}/dev`,
    );
    const name = 'Intune container from stopped to ready';
    return [comparedToFloor({name, unit: 's', ours: times.ours, floor: times.floor}, 1.1)];
}

/** The settings of the container that runs, with what it has bound named by its own path. */
async function writeByHand(guest: Guest): Promise<void> {
    await guest.check(
        `mkdir -p /run/${HAND}/dev && cp ${OURS_RUNTIME}/session.env /run/${HAND}/ &&
         mount -t tmpfs -o mode=755 none /run/${HAND}/dev`,
    );
    const {bindings} = JSON.parse(
        await guest.check(['cat', `${OURS_RUNTIME}/bindings.json`]),
    ) as Bindings;
    let text = await guest.check(['cat', `/run/systemd/nspawn/${OURS}.nspawn`]);
    for (const {kind, source} of bindings)
        text = text.replace(`${OURS_RUNTIME}/host/${kind}:`, `${source}:`);
    text = text.replaceAll(OURS_RUNTIME, `/run/${HAND}`);
    await guest.putFile(`/etc/systemd/nspawn/${HAND}.nspawn`, text);
}

interface Bindings {
    readonly bindings: readonly {readonly kind: string; readonly source: string}[];
}

async function stop(guest: Guest, machine: string): Promise<void> {
    await guest.check(['systemctl', 'stop', `systemd-nspawn@${machine}`]);
}
