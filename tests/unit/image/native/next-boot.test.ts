// SPDX-License-Identifier: GPL-2.0-or-later
import {basename} from 'node:path';

import fc from 'fast-check';
import {describe, expect, test} from 'vitest';

import {
    type Startable,
    firstOf,
    planNextBoot,
} from '../../../../helper/src/image/native/next-boot.ts';
import {type Attempts, parseUki, withAttempts} from '../../../../helper/src/image/native/uki.ts';

function startable(name: string): Startable {
    const uki = parseUki(`/boot/EFI/Linux/snow_${name}.efi`) ?? expect.unreachable();
    return {version: uki.stem.slice('snow_'.length), uki};
}

/** Renamings as `from -> to`. */
function plan(names: readonly string[], target: string, booted: string) {
    return planNextBoot(names.map(startable), target, booted).map(({from, to}) =>
        [from, to].map(({path}) => basename(path, '.efi').slice('snow_'.length)).join(' -> '),
    );
}

function apply(startables: readonly Startable[], target: string, booted: string) {
    const names = new Map(
        planNextBoot(startables, target, booted).map(({from, to}) => [from.path, to]),
    );
    return startables.map(one => ({...one, uki: names.get(one.uki.path) ?? one.uki}));
}

test('the newest with attempts left is started, and one without only if there is no other', () => {
    const first = (...names: string[]) => firstOf(names.map(startable))?.version;
    expect(first('1', '2+3-0')).toBe('2');
    expect(first('1', '10+1-2')).toBe('10');
    expect(first('1', '2+0-3')).toBe('1');
    expect(first('1+0-0', '2+0-3')).toBe('2');
    expect(first()).toBeUndefined();
});

describe('what is renamed', () => {
    test('a rollback sets aside what runs', () => {
        expect(plan(['1', '2'], '1', '2')).toEqual(['2 -> 2+0-0']);
    });
    test('a rollback to a version that was given up gives it attempts first', () => {
        expect(plan(['2', '1+0-3'], '1', '2')).toEqual(['1+0-3 -> 1+3-0', '2 -> 2+0-0']);
    });
    test('taking the rollback back has what runs started again, uncounted', () => {
        expect(plan(['1', '2+0-0'], '2', '2')).toEqual(['2+0-0 -> 2']);
    });
    test('what is staged is set aside', () => {
        expect(plan(['1', '2+3-0'], '1', '1')).toEqual(['2+3-0 -> 2+0-0']);
    });
    test('what was set aside gets fresh attempts', () => {
        expect(plan(['1', '2+0-0'], '2', '1')).toEqual(['2+0-0 -> 2+3-0']);
    });
    test('after an update what runs is what to fall back to, also if it was set aside', () => {
        expect(plan(['2+0-0', '3+3-0'], '3', '2')).toEqual(['2+0-0 -> 2']);
    });
    test('nothing, when all is as it should be', () => {
        expect(plan(['1', '2+3-0'], '2', '1')).toEqual([]);
    });
});

const attempts = fc.constantFrom<Attempts | null>(
    null,
    {left: 3, done: 0},
    {left: 2, done: 1},
    {left: 0, done: 3},
    {left: 0, done: 0},
);
const machines = fc
    .uniqueArray(fc.integer({min: 1, max: 30}), {minLength: 1, maxLength: 5})
    .chain(versions =>
        fc.record({
            startables: fc.tuple(
                ...versions.map(version =>
                    attempts.map((given): Startable => {
                        const {uki} = startable(String(version));
                        return {version: String(version), uki: withAttempts(uki, given)};
                    }),
                ),
            ),
            target: fc.constantFrom(...versions).map(String),
            booted: fc.constantFrom(...versions).map(String),
        }),
    );

test('on any machine the target is the next, and asking twice changes nothing', () => {
    fc.assert(
        fc.property(machines, ({startables, target, booted}) => {
            const after = apply(startables, target, booted);
            expect(firstOf(after)?.version).toBe(target);
            expect(planNextBoot(after, target, booted)).toEqual([]);
        }),
    );
});

test('wherever the renaming is interrupted, there is something to start', () => {
    fc.assert(
        fc.property(machines, ({startables, target, booted}) => {
            const renamings = planNextBoot(startables, target, booted);
            for (let done = 0; done <= renamings.length; done++) {
                const names = new Map(
                    renamings.slice(0, done).map(({from, to}) => [from.path, to]),
                );
                const half = startables.map(one => ({
                    ...one,
                    uki: names.get(one.uki.path) ?? one.uki,
                }));
                const before = firstOf(startables)?.version;
                const hadGood = startables.some(({uki}) => uki.attempts?.left !== 0);
                const next = firstOf(half);
                expect(next).not.toBeNull();
                if (hadGood) expect(next?.uki.attempts?.left).not.toBe(0);
                else expect(before).toBeDefined();
            }
        }),
    );
});
