// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from './error.ts';
import type {OpenedDirectory} from './opened-directory.ts';
import {programEnvironment} from './programs.ts';

/** Milliseconds. */
const TIMEOUT = 60_000;
/** tar(1): some files were changed while they were read. */
const CHANGED = 1;

/**
 * A tar archive of what is in a directory, with the owners by their number, following no link. Throws
 * SnowError Failed.
 */
export async function archiveDirectory(
    directory: OpenedDirectory,
    maxBytes: number,
): Promise<Buffer> {
    const {execFile} = await import('node:child_process');
    const args = ['--create', '--numeric-owner', '--one-file-system', '--file=-'];
    return new Promise((resolve, reject) => {
        execFile(
            'tar',
            [...args, `--directory=${directory.descriptorPath}`, '.'],
            {
                cwd: '/',
                env: {...process.env, ...programEnvironment},
                encoding: 'buffer',
                maxBuffer: maxBytes,
                timeout: TIMEOUT,
            },
            (error, stdout, stderr) => {
                if (!error || error.code === CHANGED) resolve(stdout);
                else
                    reject(
                        new SnowError('Failed', `Cannot archive ${directory.path}: ${stderr}`, {
                            cause: error,
                        }),
                    );
            },
        );
    });
}
