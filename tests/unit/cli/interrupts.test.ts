// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, it} from 'vitest';

import {Interrupts} from '../../../helper/src/cli/interrupts.ts';

it('leaves at once where nothing can be canceled', async () => {
    const interrupts = new Interrupts();
    interrupts.interrupt();
    await expect(interrupts.left).rejects.toMatchObject({code: 'Cancelled'});
});

it('cancels the job first, and leaves the second time', async () => {
    const interrupts = new Interrupts();
    const done: string[] = [];
    using _cancelable = interrupts.duringWhich(() => done.push('canceled'));
    void interrupts.left.catch(() => done.push('left'));
    interrupts.interrupt();
    await Promise.resolve();
    expect(done).toEqual(['canceled']);
    interrupts.interrupt();
    await expect(interrupts.left).rejects.toThrow();
    expect(done).toEqual(['canceled', 'left']);
});

it('cancels nothing that is over', async () => {
    const interrupts = new Interrupts();
    let isCanceled = false;
    interrupts.duringWhich(() => (isCanceled = true))[Symbol.dispose]();
    interrupts.interrupt();
    await expect(interrupts.left).rejects.toThrow();
    expect(isCanceled).toBe(false);
});
