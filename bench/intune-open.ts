// SPDX-License-Identifier: GPL-2.0-or-later
import type {Guest} from '../tests/lab/guest.ts';
import type {Session} from '../tests/lab/session.ts';
import {until} from '../tests/guest/support/waiting.ts';
import {interleave} from './measure.ts';
import {type Row, comparedToLimit} from './row.ts';

const ROUNDS = 11;
/** What is opened: it says when it came to run, by the clock that both sides have. */
const SCRIPT = 'echo $EPOCHREALTIME >~/first.new; mv ~/first.new ~/first';
const FIRST = '/home/alice/Intune/first';

/**
 * From `snowctl intune open` to the program's first instruction, in alice's container, which runs. The
 * floor is what systemd alone takes for that, in her service manager there.
 */
export async function benchIntuneOpen(guest: Guest, session: Session): Promise<readonly Row[]> {
    await guest.check(['snowctl', '--quiet', 'intune', 'start'], {session});
    const open = ['snowctl', '--quiet', 'intune', 'open', '--', '/bin/bash', '-c', SCRIPT];
    const systemd = [
        ...['systemd-run', '--machine=alice@intune-u1001', '--user', '--quiet', '--collect'],
        ...['--expand-environment=no', '--', '/bin/bash', '-c', SCRIPT],
    ];
    const times = await interleave(
        {
            floor: () => secondsToFirst(guest, systemd, {}),
            ours: () => secondsToFirst(guest, open, {session}),
        },
        ROUNDS,
    );
    const name = 'snowctl intune open to the first instruction';
    return [comparedToLimit({name, unit: 's', ours: times.ours, floor: times.floor}, 0.3)];
}

async function secondsToFirst(
    guest: Guest,
    command: readonly string[],
    options: {readonly session?: Session},
): Promise<number> {
    await guest.check(['rm', '-f', FIRST]);
    const timed = 'echo $EPOCHREALTIME; exec "$@" >&2';
    const start = Number(await guest.check(['bash', '-c', timed, 'bash', ...command], options));
    const first = await until('the program runs', async () => {
        const {stdout, exitCode} = await guest.run(['cat', FIRST]);
        return exitCode === 0 && Number(stdout);
    });
    return first - start;
}
