// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {CoalescedRead} from '../../../helper/src/bus/coalesced-read.ts';

/** Reads that end when they are told to, with their number. */
function slowReads() {
    const open: {end: () => void; fail: () => void}[] = [];
    const coalesced = new CoalescedRead(
        () =>
            new Promise<number>((resolve, reject) => {
                const number = open.length + 1;
                open.push({end: () => resolve(number), fail: () => reject(new Error('no'))});
            }),
    );
    return {open, coalesced};
}

describe('CoalescedRead', () => {
    it('gives whoever comes during a read what the next one finds', async () => {
        const {open, coalesced} = slowReads();
        const first = coalesced.read();
        const others = [coalesced.read(), coalesced.read(), coalesced.read()];
        open[0]?.end();
        expect(await first).toBe(1);
        await Promise.resolve();
        open[1]?.end();
        expect(await Promise.all(others)).toEqual([2, 2, 2]);
        expect(open).toHaveLength(2);
    });

    it('reads anew when nothing is under way', async () => {
        const {open, coalesced} = slowReads();
        for (const number of [1, 2]) {
            const read = coalesced.read();
            open.at(-1)?.end();
            expect(await read).toBe(number);
        }
    });

    it('tells a failure only to those who asked before', async () => {
        const {open, coalesced} = slowReads();
        const first = coalesced.read();
        const second = coalesced.read();
        open[0]?.fail();
        await expect(first).rejects.toThrow('no');
        open[1]?.end();
        expect(await second).toBe(2);
    });

    it('never runs two reads at a time', async () => {
        let running = 0;
        let most = 0;
        const coalesced = new CoalescedRead(async () => {
            most = Math.max(most, ++running);
            await new Promise(resolve => setTimeout(resolve, 1));
            running -= 1;
        });
        const reads: Promise<void>[] = [];
        for (let i = 0; i < 50; i += 1) {
            reads.push(coalesced.read());
            reads.push(Promise.resolve().then(() => coalesced.read()));
            if (i % 7 === 0) await new Promise(resolve => setTimeout(resolve, 1));
        }
        await Promise.all(reads);
        expect(most).toBe(1);
    });
});
