// SPDX-License-Identifier: GPL-2.0-or-later
import {chmod} from 'node:fs/promises';
import {join, resolve} from 'node:path';

import {build} from 'esbuild';

import {programOptions} from '../../../helper/bundle.mjs';

/** Bundles a TypeScript program of the repository into a directory, as build.mjs does. */
export async function bundle(
    source: string,
    directory: string,
    repository = resolve(import.meta.dirname, '../../..'),
): Promise<string> {
    const name = source.slice(source.lastIndexOf('/') + 1).replace(/\.ts$/, '');
    const outfile = join(directory, `${name}.cjs`);
    await build({
        absWorkingDir: repository,
        entryPoints: [source],
        outfile,
        ...programOptions('1.2.3'),
    });
    await chmod(outfile, 0o644);
    return outfile;
}
