// SPDX-License-Identifier: GPL-2.0-or-later
import type {Readable} from 'node:stream';

import type {Sink} from './output.ts';

/** Asks on a terminal for a line that begins with a y. Its end is a no. */
export async function confirmOn(input: Readable, err: Sink, question: string): Promise<boolean> {
    err.write(`${question} [y/N] `);
    // Line by line, as a terminal gives it; Ctrl+C stays a signal.
    const line = await new Promise<string>(resolve => {
        input.once('data', chunk => resolve(String(chunk)));
        input.once('end', () => resolve(''));
        input.once('error', () => resolve(''));
    });
    input.pause();
    if (line === '') err.write('\n');
    return /^\s*y(es)?\s*$/i.test(line);
}
