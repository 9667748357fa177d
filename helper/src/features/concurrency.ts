// SPDX-License-Identifier: GPL-2.0-or-later

/** Promise.all() over a function, with at most `limit` of them running; results in the order of the items. */
export async function mapBounded<Item, Result>(
    items: readonly Item[],
    limit: number,
    run: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
    const results: Result[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
        for (let index = next++; index < items.length; index = next++) {
            // The index is below the length.
            results[index] = await run(items[index] as Item);
        }
    };
    await Promise.all(Array.from({length: Math.min(limit, items.length)}, work));
    return results;
}

/** Runs functions of different callers, at most `limit` of them at the same time, in their order. */
export function inTurns(limit: number): <Result>(run: () => Promise<Result>) => Promise<Result> {
    const waiting: (() => void)[] = [];
    let running = 0;
    return async run => {
        if (running < limit) running++;
        // Whoever ends hands over its turn.
        else await new Promise<void>(resolve => waiting.push(resolve));
        try {
            return await run();
        } finally {
            const next = waiting.shift();
            if (next) next();
            else running--;
        }
    };
}

/** Manifests that are fetched at the same time. */
export const MAX_REQUESTS = 16;
