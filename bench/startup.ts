// SPDX-License-Identifier: GPL-2.0-or-later
import {interleave, secondsOf} from './measure.ts';
import {type Row, comparedToFloor} from './row.ts';
import type {Subject} from './subject.ts';

const SNOW = 'org.frostyard.Snow1 /org/frostyard/Snow1';

/** From no snowd to its first answer, through the bus and systemd, as a client sees it. */
export async function benchStartup(subject: Subject): Promise<readonly Row[]> {
    const {guest, stopService} = subject;
    const ask = async (method: string) => {
        await stopService();
        return secondsOf(guest, `busctl call ${SNOW} ${method}`);
    };
    const times = await interleave(
        {
            floor: () => secondsOf(guest, 'node -e 0'),
            ping: () => ask('org.frostyard.Snow1.Manager ListJobs'),
            state: () => ask('org.freedesktop.DBus.ObjectManager GetManagedObjects'),
        },
        11,
    );
    const row = (name: string, ours: number) =>
        comparedToFloor(
            {name: `snowd from not running to ${name}`, unit: 's', ours, floor: times.floor},
            5,
        );
    return [row('its first answer', times.ping), row('the state of 30 features', times.state)];
}
