// SPDX-License-Identifier: GPL-2.0-or-later
import {randomBytes} from 'node:crypto';
import {chmod, mkdir, mkdtemp, rename, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

import {execa} from 'execa';

export type Compression = 'zst' | 'xz' | 'gz' | 'raw';

export interface FakeImage {
    readonly name: string;
    readonly version: string;
    readonly format?: 'squashfs' | 'erofs';
    /** VERSION_ID of the Debian that it is for, in its name, too; 13 by default. */
    readonly system?: string;
    /** Lines of its extension-release; those of that Debian on x86-64 by default; null: no such file. */
    readonly release?: Readonly<Record<string, string>> | null;
    /** So many random bytes more, which do not compress. */
    readonly padding?: number;
    /** More files, by their path in the image (`/usr/bin/x`: made executable below bin). */
    readonly files?: Readonly<Record<string, string>>;
}

export const debianRelease = {ID: 'debian', VERSION_ID: '13', ARCHITECTURE: 'x86-64'} as const;

/** `name_version_13_x86-64.raw`, with the ending of the compression. */
export function imageFileName(
    name: string,
    version: string,
    compression: Compression = 'zst',
    system = debianRelease.VERSION_ID as string,
) {
    return `${name}_${version}_${system}_x86-64.raw${compression === 'raw' ? '' : `.${compression}`}`;
}

/**
 * Makes a small extension image, in some 30 ms and without root, in `directory`, under the name it has
 * in a repository. It holds `/usr/bin/NAME`, which prints its version. The paths, in the order asked for.
 */
export async function makeImage(
    directory: string,
    image: FakeImage,
    compressions: readonly Compression[] = ['zst'],
): Promise<readonly string[]> {
    const work = await mkdtemp(join(tmpdir(), 'image-'));
    try {
        const tree = join(work, 'tree');
        await layTree(tree, image);
        const raw = join(work, 'image.raw');
        if (image.format === 'erofs') await execa('mkfs.erofs', ['--all-root', raw, tree]);
        else
            await execa('mksquashfs', [
                ...[tree, raw],
                ...['-all-root', '-noappend', '-quiet', '-no-progress', '-no-xattrs'],
            ]);
        await mkdir(directory, {recursive: true});
        const paths: string[] = [];
        for (const compression of compressions)
            paths.push(await compress(raw, directory, image, compression));
        return paths;
    } finally {
        await rm(work, {recursive: true, force: true});
    }
}

async function layTree(tree: string, {name, version, system, release, padding, files}: FakeImage) {
    const all: Record<string, string | Buffer> = {
        [`/usr/bin/${name}`]: `#!/bin/sh\necho "${name} ${version}"\n`,
        [`/usr/share/${name}/version`]: `${version}\n`,
        ...files,
    };
    if (release !== null)
        all[`/usr/lib/extension-release.d/extension-release.${name}`] = Object.entries(
            release ?? {...debianRelease, ...(system === undefined ? {} : {VERSION_ID: system})},
        )
            .map(([key, value]) => `${key}=${value}\n`)
            .join('');
    if (padding) all[`/usr/share/${name}/padding`] = randomBytes(padding);
    for (const [path, content] of Object.entries(all)) {
        const target = join(tree, path);
        await mkdir(dirname(target), {recursive: true, mode: 0o755});
        await writeFile(target, content);
        await chmod(target, /\/s?bin\//.test(path) ? 0o755 : 0o644);
    }
    await chmod(tree, 0o755);
}

const compressors: Record<Exclude<Compression, 'raw'>, readonly string[]> = {
    zst: ['zstd', '-q', '-3'],
    xz: ['xz', '-0', '-k'],
    gz: ['gzip', '-k'],
};

async function compress(
    raw: string,
    directory: string,
    {name, version, system}: FakeImage,
    compression: Compression,
): Promise<string> {
    const target = join(directory, imageFileName(name, version, compression, system));
    if (compression === 'raw') {
        await execa('cp', [raw, target]);
        return target;
    }
    const [program = '', ...args] = compressors[compression];
    await execa(program, [...args, raw]);
    const made = `${raw}.${compression}`;
    await rename(made, target).catch(() => execa('cp', [made, target]));
    return target;
}
