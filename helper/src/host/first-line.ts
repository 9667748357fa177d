// SPDX-License-Identifier: GPL-2.0-or-later
import {createReadStream} from 'node:fs';
import type {Readable} from 'node:stream';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';

const MAX_LINE = 4096;

/**
 * Up to the end of the first line, without it, of a stream, or of whatever is at a path: a pipe, too.
 * Throws SnowError NotFound, NotAuthorized, Failed.
 */
export async function readFirstLine(source: string | Readable): Promise<string> {
    const stream = typeof source === 'string' ? createReadStream(source) : source;
    let text = '';
    try {
        for await (const chunk of stream) {
            text += String(chunk);
            if (text.includes('\n') || text.length > MAX_LINE) break;
        }
    } catch (error) {
        const name = typeof source === 'string' ? source : 'the standard input';
        if (hasErrno(error, 'ENOENT')) throw new SnowError('NotFound', `There is no file ${name}`);
        throw asSnowError(error, `Cannot read ${name}`);
    }
    return text.split('\n')[0] ?? '';
}
