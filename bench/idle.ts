// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

import type {Desktop} from '../tests/lab/desktop.ts';
import {ROUNDS, median} from './measure.ts';
import {type Row, comparedToLimit} from './row.ts';
import {UUID} from './shell.ts';

/** Seconds in which nothing happens. */
const QUIET = 40;
const WINDOW = 4000;

/** What Snow Control does while nobody does anything: the shell is there, the menu is closed. */
export async function benchIdle(desktop: Desktop): Promise<readonly Row[]> {
    const {guest} = desktop;
    await setEnabled(desktop, true);
    await untilStopped(desktop);
    const ACTIVE = 1;
    if ((await desktop.eval(`Main.extensionManager.lookup('${UUID}').state`)) !== ACTIVE)
        throw new Error('the extension is not enabled');

    const shell = (await desktop.run('pgrep -x gnome-shell -u "$(id -u)"')).trim().split('\n')[0];
    const wakeUps = async (): Promise<number> => {
        const values: number[] = [];
        for (let round = 0; round < ROUNDS; round++) {
            const before = await switchesOf(desktop, shell);
            await sleep(WINDOW);
            values.push((await switchesOf(desktop, shell)) - before);
        }
        return median(values);
    };
    const withExtension = await wakeUps();

    // Everything that is started anywhere in the guest, by whom ever.
    const traced = await guest.check(
        `strace -f -q -e trace=execve,execveat -o /tmp/bench-spawned \\
            $(ps -e -o pid= -o comm= | grep -vwE 'ps|sh|strace|timeout|grep|awk' | awk '{print "-p", $1}') &
        tracer=$!
        sleep ${QUIET}
        cat /tmp/bench-spawned
        # What is started now must be seen, or nothing was looked at.
        systemd-run --quiet --wait true
        kill $tracer
        wait
        grep -q 'bin/true"' /tmp/bench-spawned`,
        {timeout: 120_000},
    );
    const spawned = traced.split('\n').filter(line => / execve(at)?\(/.test(line));
    if (process.env['BENCH_VERBOSE']) console.error(spawned.join('\n'));
    const running = await guest.run(['systemctl', 'is-active', '--quiet', 'snowd.service']);

    await setEnabled(desktop, false);
    await untilStopped(desktop);
    const without = await wakeUps();
    return [
        comparedToLimit(
            {
                name: `processes started in ${QUIET} s of nothing`,
                unit: 'count',
                ours: spawned.length,
            },
            0,
        ),
        comparedToLimit(
            {
                name: `snowd running after ${QUIET} s of nothing`,
                unit: 'count',
                ours: running.exitCode === 0 ? 1 : 0,
            },
            0,
        ),
        {
            name: `wake-ups of the shell in ${WINDOW / 1000} s of nothing`,
            unit: 'count',
            ours: withExtension,
            floor: without,
            peers: {},
            goal: 'not more than without the extension, but for chance (2)',
            holds: withExtension <= without + 2,
        },
    ];
}

/** The way that a person does it, so that the shell does the rest. */
async function setEnabled(desktop: Desktop, isEnabled: boolean): Promise<void> {
    const verb = isEnabled ? 'enable' : 'disable';
    await desktop.eval(`Main.extensionManager.${verb}Extension('${UUID}')`);
}

/** Waits for snowd to end by itself, and a little for whoever is told of it. */
async function untilStopped({guest}: Desktop): Promise<void> {
    await sleep(2000);
    while ((await guest.run(['systemctl', 'is-active', '-q', 'snowd.service'])).exitCode === 0)
        await sleep(500);
    await sleep(2000);
}

/** How often the shell's main thread went to sleep so far. */
async function switchesOf({guest}: Desktop, pid: string | undefined): Promise<number> {
    const status = await guest.check(['cat', `/proc/${pid}/status`]);
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}
