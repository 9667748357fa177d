// SPDX-License-Identifier: GPL-2.0-or-later
import type {Guest, RunOptions} from '../tests/lab/guest.ts';

/** Rounds of every comparison; what is said is the median. */
export const ROUNDS = 5;

export function median(values: readonly number[]): number {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = Math.floor(sorted.length / 2);
    const [low = NaN, high = NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
    return (low + high) / 2;
}

/**
 * Measures the subjects in turn, round by round, so that what slows the machine down for a while
 * slows them all down. The medians by name.
 */
export async function interleave<Name extends string>(
    subjects: Readonly<Record<Name, () => Promise<number>>>,
    rounds = ROUNDS,
): Promise<Readonly<Record<Name, number>>> {
    const names = Object.keys(subjects) as Name[];
    const values = new Map<Name, number[]>(names.map(name => [name, []]));
    for (let round = 0; round < rounds; round++)
        for (const name of names) values.get(name)?.push(await subjects[name]());
    if (process.env['BENCH_VERBOSE']) console.error(Object.fromEntries(values));
    return Object.fromEntries(
        names.map(name => [name, median(values.get(name) ?? [])]),
    ) as Readonly<Record<Name, number>>;
}

/** Seconds that a script of bash takes in a guest, by the guest's own clock. Throws when it fails. */
export async function secondsOf(
    guest: Guest,
    script: string,
    options: RunOptions = {},
): Promise<number> {
    const timed = `said=$(mktemp)
start=$EPOCHREALTIME
{ ${script}
} >"$said" 2>&1 || { status=$?; cat "$said" >&2; exit $status; }
end=$EPOCHREALTIME
rm "$said"
echo "$start $end"`;
    const text = await guest.check(['bash', '-c', timed], {timeout: 300_000, ...options});
    const [start = NaN, end = NaN] = text.trim().split(' ').map(Number);
    return end - start;
}
