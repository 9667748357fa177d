// SPDX-License-Identifier: GPL-2.0-or-later
import type {Desktop} from '../tests/lab/desktop.ts';
import {ROUNDS, median} from './measure.ts';
import {type Row, comparedToLimit} from './row.ts';

export const UUID = 'snow-control@frostyard.org';

const ENABLE_LIMIT = 5;
/**
 * In the first cycles the shell's engine fills its caches and compiles what it has seen often; and
 * now and then the shell does something of its own. A leak is what most further windows grow by.
 */
const WARM_UP_CYCLES = 100;
const CYCLES = 100;
const WINDOWS = 5;
/** MiB. The allocator moves a little; a leak of 100 menus is far more. */
const GROWTH_LIMIT = 2;
/** MiB: a hundred bytes a cycle, less than the smallest object with its wrapper. */
const HEAP_LIMIT = 0.01;

/** What the extension costs the shell's main loop, and whether it leaves something behind. */
export async function benchShell(desktop: Desktop): Promise<readonly Row[]> {
    const first: number[] = [];
    const again: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
        await desktop.stopShell();
        await desktop.startShell();
        first.push(await desktop.eval<number>(`${load}.then(extension => ${timed})`));
        again.push(...(await desktop.eval<number[]>(cycles(10))));
    }
    const growth = await measureGrowth(desktop);
    return [
        comparedToLimit(
            {
                name: "extension's first enable() of a login, and what it puts off",
                unit: 'ms',
                ours: median(first),
            },
            ENABLE_LIMIT,
        ),
        comparedToLimit(
            {
                name: "extension's enable() again, and what it puts off",
                unit: 'ms',
                ours: median(again),
            },
            ENABLE_LIMIT,
        ),
        comparedToLimit(
            {
                name: `memory of the shell by ${CYCLES} more disable/enable cycles`,
                unit: 'MiB',
                ours: growth.memory,
            },
            GROWTH_LIMIT,
        ),
        comparedToLimit(
            {
                name: `JavaScript of the shell by ${CYCLES} more disable/enable cycles`,
                unit: 'MiB',
                ours: growth.heap,
            },
            HEAP_LIMIT,
        ),
        comparedToLimit(
            {
                name: `actors, files and bus rules left by ${WINDOWS * CYCLES} disable/enable cycles`,
                unit: 'count',
                ours: growth.things,
            },
            0,
        ),
    ];
}

/** The extension's object, of a shell that has not enabled it yet. */
const load = `(async () => {
    const manager = Main.extensionManager;
    if (!manager.lookup('${UUID}').stateObj) await manager._callExtensionInit('${UUID}');
    return manager.lookup('${UUID}').stateObj;
})()`;

/**
 * Milliseconds that nothing else can happen in the shell: enable() itself, and what it puts off until
 * the main loop has nothing better to do.
 */
const timed = `(async () => {
    const {GLib} = imports.gi;
    const now = () => GLib.get_monotonic_time();
    const addIdle = GLib.idle_add;
    let putOff = 0;
    const isDone = new Promise(resolve => {
        GLib.idle_add = (priority, callback) =>
            addIdle.call(GLib, priority, () => {
                const start = now();
                const goesOn = callback();
                putOff += now() - start;
                resolve();
                return goesOn;
            });
    });
    const start = now();
    extension.enable();
    const atOnce = now() - start;
    GLib.idle_add = addIdle;
    await isDone;
    return (atOnce + putOff) / 1000;
})()`;

/** Off and on again, with some time for what they put off. */
function cycles(count: number): string {
    return `(async () => {
        const extension = Main.extensionManager.lookup('${UUID}').stateObj;
        const times = [];
        for (let n = 0; n < ${count}; n++) {
            extension.disable();
            await new Promise(resolve => setTimeout(resolve, 5));
            times.push(await ${timed});
            await new Promise(resolve => setTimeout(resolve, 5));
        }
        return times;
    })()`;
}

/** What a leak would make more of, in the order of the rows. */
interface Footprint {
    /** MiB of the process. */
    readonly memory: number;
    /** MiB of JavaScript. */
    readonly heap: number;
    /** Actors on the stage, open files, watched files, and rules for messages of the system bus. */
    readonly things: number;
}

/** The median of what a window of cycles leaves, and all that is left of them together. */
async function measureGrowth(desktop: Desktop): Promise<Footprint> {
    await desktop.eval(cycles(WARM_UP_CYCLES));
    const footprints = [await footprint(desktop)];
    for (let window = 0; window < WINDOWS; window++) {
        await desktop.eval(cycles(CYCLES));
        footprints.push(await footprint(desktop));
    }
    if (process.env['BENCH_VERBOSE']) console.error(footprints);
    const growth = (of: (print: Footprint) => number): number => {
        const values = footprints.map(of);
        return Math.max(0, median(values.slice(1).map((value, n) => value - (values[n] ?? NaN))));
    };
    const [first, last] = [footprints[0], footprints.at(-1)];
    return {
        memory: growth(({memory}) => memory),
        heap: growth(({heap}) => heap),
        things: Math.max(0, (last?.things ?? NaN) - (first?.things ?? NaN)),
    };
}

async function footprint(desktop: Desktop): Promise<Footprint> {
    const {pid, actors, heap} = await desktop.eval<{pid: number; actors: number; heap: string}>(
        `(async () => {
            const {Gio, GLib} = imports.gi;
            for (let n = 0; n < 4; n++) {
                imports.system.gc();
                await new Promise(resolve => setTimeout(resolve, 250));
            }
            imports.system.dumpMemoryInfo('/tmp/bench-heap');
            const [, heap] = GLib.file_get_contents('/tmp/bench-heap');
            GLib.unlink('/tmp/bench-heap');
            // The overview fills its grid of applications whenever the shell has time for it.
            const count = actor =>
                actor === Main.layoutManager.overviewGroup
                    ? 0
                    : actor.get_children().reduce((sum, child) => sum + count(child), 1);
            return {
                pid: new Gio.Credentials().get_unix_pid(),
                actors: count(global.stage),
                heap: new TextDecoder().decode(heap),
            };
        })()`,
    );
    const {guest} = desktop;
    const status = await guest.check(['cat', `/proc/${pid}/status`]);
    const kibibytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
    const files = await guest.check(
        `ls /proc/${pid}/fd | wc -l; cat /proc/${pid}/fdinfo/* | grep -c ^inotify`,
    );
    const [open, watched] = files.trim().split('\n').map(Number);
    return {
        memory: kibibytes / 1024,
        heap: bytesOf(heap) / 1024 ** 2,
        things: actors + (open ?? NaN) + (watched ?? NaN) + (await matchRules(desktop, pid)),
    };
}

function bytesOf(heap: string): number {
    const bytes = [...heap.matchAll(/^ {2}"(?:gcBytes|mallocBytes)": (\d+)/gm)];
    if (bytes.length === 0) throw new Error(`gjs says nothing of its memory:\n${heap}`);
    return bytes.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Rules of all connections that the shell has to the system bus. */
async function matchRules({guest}: Desktop, pid: number): Promise<number> {
    const list = await guest.check(`busctl --json=short list`);
    const names = (JSON.parse(list) as readonly {name: string; pid: number}[])
        .filter(each => each.pid === pid && each.name.startsWith(':'))
        .map(({name}) => name);
    let rules = 0;
    for (const name of names) {
        const bus = 'org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.Debug.Stats';
        const stats = await guest.check(`busctl call ${bus} GetConnectionStats s ${name}`);
        rules += Number(/"MatchRules" u (\d+)/.exec(stats)?.[1]);
    }
    if (names.length === 0 || Number.isNaN(rules)) throw new Error('the bus tells no rules');
    return rules;
}
