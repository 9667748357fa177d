// SPDX-License-Identifier: GPL-2.0-or-later
import {watch} from 'node:fs';
import {basename, dirname} from 'node:path';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';

/**
 * See Files.watch() of host.ts. The directory is what is watched: a file that is written whole is
 * another one each time.
 */
export async function* watchFile(path: string, signal: AbortSignal): AsyncGenerator<void> {
    if (signal.aborted) return;
    const name = basename(path);
    let isChanged = true;
    let failure: unknown = null;
    let wake = (): void => undefined;
    const watcher = openWatcher(dirname(path));
    watcher.on('change', (_, changed) => {
        // The kernel lost count when it does not say which file it was.
        if (changed !== null && changed.toString() !== name) return;
        isChanged = true;
        wake();
    });
    watcher.on('error', error => {
        failure = error;
        wake();
    });
    const stop = (): void => wake();
    signal.addEventListener('abort', stop, {once: true});
    try {
        while (!signal.aborted) {
            if (failure !== null) throw asSnowError(failure, `Cannot watch ${path}`);
            if (isChanged) {
                isChanged = false;
                yield;
            } else {
                await new Promise<void>(resolve => (wake = resolve));
            }
        }
    } finally {
        signal.removeEventListener('abort', stop);
        watcher.close();
    }
}

function openWatcher(directory: string): ReturnType<typeof watch> {
    try {
        return watch(directory);
    } catch (error) {
        if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
            throw new SnowError('NotFound', `There is no directory ${directory}`);
        throw asSnowError(error, `Cannot watch ${directory}`);
    }
}
