// SPDX-License-Identifier: GPL-2.0-or-later
import {cp, mkdir, readdir, rm, stat, writeFile} from 'node:fs/promises';
import {basename, join} from 'node:path';

import {execa} from 'execa';

import {cached} from '../tests/lab/cache.ts';
import {tree} from '../tests/lab/trees.ts';

const MEBIBYTE = 1024 ** 2;

/** Bytes of files in each image. */
const images = {big: 250 * MEBIBYTE, huge: 1536 * MEBIBYTE} as const;

export const VERSION = '1.0';

/**
 * A directory with `big/big_1.0.raw.zst`, an image of some 250 MB, and `huge/huge_1.0.raw.zst` of
 * 1.5 GB: erofs without compression, of Debian's libraries, so that they compress as extensions do.
 */
export async function largeImages(): Promise<string> {
    const base = await tree('desktop');
    return cached('bench-images', {images, base, recipe: 3}, async directory => {
        const libraries = await listLibraries(join(base, 'usr/lib/x86_64-linux-gnu'));
        for (const [name, bytes] of Object.entries(images)) {
            const work = join(directory, '.work');
            await layTree(work, name, bytes, libraries);
            await mkdir(join(directory, name));
            const raw = join(directory, name, `${name}_${VERSION}.raw`);
            await execa('mkfs.erofs', ['--all-root', raw, work]);
            await rm(work, {recursive: true});
            await execa('zstd', ['-q', '-T0', '-3', '--rm', raw]);
        }
    });
}

interface Library {
    readonly path: string;
    readonly size: number;
}

async function listLibraries(directory: string): Promise<readonly Library[]> {
    const found: Library[] = [];
    for (const name of (await readdir(directory)).sort()) {
        const path = join(directory, name);
        const {size} = await stat(path).catch(() => ({size: 0}));
        // The largest one would be half of the image.
        if (size > 64 * 1024 && size < 40 * MEBIBYTE && name.includes('.so'))
            found.push({path, size});
    }
    return found;
}

/** The libraries, if need be again and again, until there is no room for the smallest. */
async function layTree(
    target: string,
    name: string,
    bytes: number,
    libraries: readonly Library[],
): Promise<void> {
    const release = join(target, 'usr/lib/extension-release.d');
    await mkdir(release, {recursive: true});
    await writeFile(join(release, `extension-release.${name}`), 'ID=_any\n');
    let left = bytes;
    for (let copy = 0, before = NaN; left !== before; copy++) {
        before = left;
        const directory = join(target, `usr/share/${name}/${copy}`);
        await mkdir(directory, {recursive: true});
        for (const {path, size} of libraries) {
            if (size > left) continue;
            await cp(path, join(directory, basename(path)), {dereference: true});
            left -= size;
        }
    }
}
