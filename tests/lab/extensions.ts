// SPDX-License-Identifier: GPL-2.0-or-later
// Real extensions: mkosi installs Debian's packages on top of the desktop tree and keeps what is new.

import {cp, link, mkdir, readdir, rename, rm, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';

import {execa} from 'execa';

import {cached, inMountNamespace} from './cache.ts';
import {MIRROR, tree} from './trees.ts';

interface ExtensionRecipe {
    readonly packages: readonly string[];
    readonly versions: readonly string[];
    /** Compressions that are offered beside zst. */
    readonly also?: readonly ('xz' | 'gz' | 'none')[];
    /** Shell commands for the finished tree in $BUILDROOT. */
    readonly finalize?: string;
}

/** podman by its real size, and two small ones. */
export const extensions: Readonly<Record<string, ExtensionRecipe>> = {
    podman: {packages: ['podman'], versions: ['5.4.0', '5.4.2']},
    figlet: {
        packages: ['figlet'],
        versions: ['1.0', '1.1'],
        also: ['xz', 'gz', 'none'],
        // Debian's link leads through /etc/alternatives, which no extension can bring.
        finalize: 'ln -sf figlet-figlet "$BUILDROOT/usr/bin/figlet"',
    },
    jq: {packages: ['jq'], versions: ['1.7', '1.8~rc1']},
};

/** VERSION_ID and architecture in the file names. */
export const SUFFIX = '13_x86-64';

/**
 * A directory with one folder an extension: `<name>/<name>_<version>_13_x86-64.raw.zst`. The images
 * are the file systems of mkosi's images (`SplitArtifacts=partitions`): a guest has no device nodes
 * for the partitions of a loop device.
 */
export async function builtExtensions(): Promise<string> {
    const [builder, base] = await Promise.all([tree('builder'), tree('desktop')]);
    const files = builds.map(imageFiles);
    return cached('extensions', {files, builds, builder, base, script}, async directory => {
        const work = join(directory, '.work');
        for (const build of builds) {
            await buildImage(work, builder, base, build);
            await compress(work, join(directory, build.name), build);
        }
        await rm(work, {recursive: true});
    });
}

interface Build {
    readonly name: string;
    readonly version: string;
    readonly packages: readonly string[];
    readonly also: readonly string[];
    /** Shell commands for the finished tree in $BUILDROOT. */
    readonly finalize?: string;
}

const builds: readonly Build[] = [
    ...Object.entries(extensions).flatMap(([name, {versions, also = [], ...recipe}]) =>
        versions.map(version => ({...recipe, name, version, also})),
    ),
    {
        name: 'tomorrow',
        version: '1.0',
        packages: ['figlet'],
        also: [],
        finalize:
            'sed -i "s/^VERSION_ID=.*/VERSION_ID=99/" "$BUILDROOT"/usr/lib/extension-release.d/*',
    },
];

const script = `
builder=$1 base=$2 work=$3
mount -t overlay overlay -o "lowerdir=$builder,upperdir=$work/upper,workdir=$work/overlay" "$work/root"
mount -t proc proc "$work/root/proc"
mount --rbind /dev "$work/root/dev"
mount --rbind /sys "$work/root/sys"
cp /etc/resolv.conf "$work/root/etc/resolv.conf"
mkdir -p "$work/root/base" "$work/root/work" "$work/root/workspace"
mount --bind -o ro "$base" "$work/root/base"
mount --bind "$work/image" "$work/root/work"
mount --bind "$work/workspace" "$work/root/workspace"
exec chroot "$work/root" sh -ec 'cd /work && exec mkosi --force build'
`;

async function buildImage(
    work: string,
    builder: string,
    base: string,
    build: Build,
): Promise<void> {
    await rm(work, {recursive: true, force: true});
    for (const part of ['root', 'upper', 'overlay', 'image/out', 'workspace'])
        await mkdir(join(work, part), {recursive: true});
    for (const [path, text] of Object.entries(imageFiles(build))) {
        const file = join(work, 'image', path);
        await mkdir(dirname(file), {recursive: true});
        await writeFile(file, text, {mode: text.startsWith('#!') ? 0o755 : 0o644});
    }
    await inMountNamespace(script, [builder, base, work]);
}

/** What mkosi reads, by path. */
function imageFiles(build: Build): Readonly<Record<string, string>> {
    const {name, version, finalize} = build;
    return {
        'mkosi.conf': mkosiConfiguration(build),
        // Without this file mkosi adds the archive of debug symbols, which not every mirror has.
        'mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources': `Types: deb
URIs: ${MIRROR}
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
        // What tells two versions apart for a person.
        [`mkosi.extra/usr/share/snow-lab/${name}.version`]: `${version}\n`,
        'mkosi.finalize': `#!/bin/sh -e
${finalize ?? ':'}
`,
    };
}

function mkosiConfiguration({name, version, packages}: Build): string {
    return `[Distribution]
Distribution=debian
Release=trixie
Architecture=x86-64
Mirror=${MIRROR}
Repositories=main

[Output]
Format=sysext
ImageId=${name}
ImageVersion=${version}
Output=${name}
Overlay=yes
OutputDirectory=/work/out
CompressOutput=no
SplitArtifacts=partitions

[Content]
BaseTrees=/base
Packages=${packages.join(' ')}
Bootable=no
WithDocs=no
CleanPackageMetadata=yes

[Build]
WorkspaceDirectory=/workspace
WithNetwork=yes
`;
}

async function compress(
    work: string,
    directory: string,
    {name, version, also}: Build,
): Promise<void> {
    const out = join(work, 'image/out');
    const built = (await readdir(out)).find(file => file.includes('.root-'));
    if (!built) throw new Error(`mkosi made no root partition for ${name}`);
    await mkdir(directory, {recursive: true});
    const raw = join(directory, `${name}_${version}_${SUFFIX}.raw`);
    await rename(join(out, built), raw);
    await execa('zstd', ['-q', '-T0', '-3', raw, '-o', `${raw}.zst`]);
    if (also.includes('xz')) await execa('xz', ['-k', '-T0', '-1', raw]);
    if (also.includes('gz')) await execa('gzip', ['-k', raw]);
    if (!also.includes('none')) await rm(raw);
}

/** A copy for one test run, made of hard links where it can be. */
export async function copyExtensions(target: string, names: readonly string[]): Promise<void> {
    const source = await builtExtensions();
    for (const name of names) {
        await mkdir(join(target, name), {recursive: true});
        for (const file of await readdir(join(source, name))) {
            const [from, to] = [join(source, name, file), join(target, name, file)];
            await link(from, to).catch(() => cp(from, to));
        }
    }
}
