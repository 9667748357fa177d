// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

/** Asks again and again until the answer is neither undefined nor false, and returns it. */
export async function until<Answer>(
    what: string,
    ask: () => Promise<Answer | undefined | false>,
    {timeout = 20_000, interval = 30} = {},
): Promise<Answer> {
    const deadline = Date.now() + timeout;
    for (;;) {
        const answer = await ask();
        if (answer !== undefined && answer !== false) return answer;
        if (Date.now() > deadline) throw new Error(`${what}: not after ${timeout / 1000} s`);
        await sleep(interval);
    }
}
