// SPDX-License-Identifier: GPL-2.0-or-later
import {createHash, randomBytes} from 'node:crypto';
import {existsSync} from 'node:fs';
import {mkdir, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';

import {execa} from 'execa';

const CACHE = process.env['SNOW_LAB_CACHE'] ?? '/var/cache/snow-control-lab';

/**
 * A directory that is made once for each recipe: its name has the recipe's hash, and it appears only
 * when it is complete. Returns its path.
 */
export async function cached(
    name: string,
    recipe: unknown,
    make: (directory: string) => Promise<void>,
): Promise<string> {
    const hash = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
    const path = join(CACHE, `${name}-${hash}`);
    if (existsSync(path)) return path;
    const unfinished = join(CACHE, `.${name}-${hash}.${randomBytes(4).toString('hex')}`);
    await mkdir(unfinished, {recursive: true});
    const started = Date.now();
    try {
        await make(unfinished);
        // Another run may have been faster; both made the same.
        await rename(unfinished, path).catch((error: NodeJS.ErrnoException) => {
            if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
        });
    } finally {
        await rm(unfinished, {recursive: true, force: true});
    }
    console.error(`lab: made ${name} in ${Math.round((Date.now() - started) / 1000)} s`);
    return path;
}

/** Runs a shell script in a private mount namespace, so that what it mounts ends with it. */
export async function inMountNamespace(script: string, args: readonly string[]): Promise<void> {
    await execa(
        'unshare',
        ['--mount', '--propagation=private', 'sh', '-euc', script, 'sh', ...args],
        {
            stdin: 'ignore',
            all: true,
        },
    );
}
