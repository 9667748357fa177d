// SPDX-License-Identifier: GPL-2.0-or-later
// The image that Intune containers are made of in the lab: Debian's packages, and below image/ what
// stands in for Microsoft's. A real OCI image, as a registry has it on its disk.

import {createHash} from 'node:crypto';
import {chmod, mkdir, readFile, readdir, symlink, writeFile} from 'node:fs/promises';
import {dirname, join, resolve} from 'node:path';

import {execa} from 'execa';

import {cached} from '../cache.ts';
import {MIRROR} from '../trees.ts';

/** As the image on ghcr.io is named. */
export const REPOSITORY = 'frostyard/ubuntu-intune';

export const VERSIONS = ['1', '2'] as const;
export type ImageVersion = (typeof VERSIONS)[number];

/** What the channels have at first; a tag of its own for each version stays. */
export const TAGS: Readonly<Record<string, ImageVersion>> = {
    latest: '1',
    insiders: '2',
    'v1.0.0': '1',
    'v2.0.0': '2',
};

/** Where a guest has unpackedImage(). */
export const UNPACKED = '/opt/intune-root';

/** On which the host has its own group `render`: the image has another one there. */
const TAKEN_GID = 992;

const packages = [
    'systemd',
    'systemd-sysv',
    'dbus',
    'dbus-user-session',
    'libpam-systemd',
    'libpam-pwquality',
    'cracklib-runtime',
    'gnome-keyring',
    'libpam-gnome-keyring',
    'libsecret-tools',
    'sudo',
    'passwd',
    'python3-gi',
    'python3-dbus',
    'gir1.2-gtk-3.0',
];

const unneeded = ['doc', 'man', 'locale'];

/** Users and the password policy, as in the image that people have. */
const script = `
useradd --create-home --uid 1000 --shell /bin/bash --groups adm,sudo ubuntu
groupadd --system --gid 107 render
groupadd --system --gid ${TAKEN_GID} landscape
printf '%s\\n' 'minlen = 12' 'dcredit = -1' 'ucredit = -1' 'lcredit = -1' 'ocredit = -1' \
    'enforcing = 1' 'retry = 3' 'dictcheck = 1' 'usercheck = 1' >/etc/security/pwquality.conf
printf '%s\\n' NO_AT_BRIDGE=1 GTK_A11Y=none >/etc/environment
: >/etc/machine-id
rm -rf /usr/share/icons/Adwaita /usr/share/gtk-4.0 /usr/share/info /var/lib/dbus/machine-id /var/cache/apt/* /var/lib/apt/lists/* /var/cache/debconf/* /var/log/*.log
`;

/** The root directory that all versions have in common. */
export function baseTree(): Promise<string> {
    return cached('intune-root', {packages, unneeded, script}, async directory => {
        await execa(
            'mmdebstrap',
            [
                '--variant=minbase',
                '--quiet',
                `--include=${packages.join(',')}`,
                ...unneeded.map(path => `--dpkgopt=path-exclude=/usr/share/${path}/*`),
                '--aptopt=Acquire::Retries "3"',
                `--customize-hook=chroot "$1" sh -ec '${script.replaceAll("'", "'\\''")}'`,
                'trixie',
                directory,
                MIRROR,
            ],
            {stdin: 'ignore', all: true},
        );
    });
}

/**
 * Version 1 of the image as a root directory that nobody has used, at UNPACKED in a layer for a guest's
 * tree: for tests that need a container and not how it got there.
 */
export async function unpackedImage(): Promise<string> {
    const files = {...(await standInFiles()), ...versionFiles[1]};
    const base = await baseTree();
    return cached('intune-unpacked', {files, base, links}, async directory => {
        const root = join(directory, UNPACKED);
        await mkdir(dirname(root), {recursive: true});
        await execa('cp', ['-a', '--reflink=auto', base, root]);
        await chmod(root, 0o755);
        for (const [path, text] of Object.entries(files)) {
            const file = join(root, path);
            await mkdir(dirname(file), {recursive: true});
            await writeFile(file, text);
            await chmod(file, text.startsWith('#!') ? 0o755 : 0o644);
        }
        for (const [path, target] of Object.entries(links)) {
            await mkdir(dirname(join(root, path)), {recursive: true});
            await symlink(target, join(root, path));
        }
    });
}

/** By the version: digest of the manifest. */
export type ImageDigests = Readonly<Record<ImageVersion, string>>;

export interface RegistryLayer {
    /** A directory to be laid over a guest's tree: it has the registry's storage. */
    readonly directory: string;
    readonly digests: ImageDigests;
}

/** What Debian's docker-registry serves, ready on its disk. */
export async function intuneRegistry(): Promise<RegistryLayer> {
    const files = await standInFiles();
    const base = await baseTree();
    const layer = await cached('intune-registry', {files, base, links, assemble}, directory =>
        fillRegistry(directory, base, files),
    );
    const digests = await readFile(join(layer, 'var/lib/docker-registry/digests.json'), 'utf8');
    return {directory: layer, digests: JSON.parse(digests) as ImageDigests};
}

const links: Readonly<Record<string, string>> = {
    'etc/systemd/system/multi-user.target.wants/microsoft-identity-device-broker.service':
        '/usr/lib/systemd/system/microsoft-identity-device-broker.service',
    'etc/systemd/user/default.target.wants/intune-agent.timer':
        '/usr/lib/systemd/user/intune-agent.timer',
};

/** Those below image/, by their path in the container. */
async function standInFiles(): Promise<Readonly<Record<string, string>>> {
    const root = resolve('tests/lab/intune/image');
    const entries = await readdir(root, {recursive: true, withFileTypes: true});
    const paths = entries
        .filter(entry => entry.isFile() && !entry.parentPath.includes('__pycache__'))
        .map(entry => join(entry.parentPath, entry.name).slice(root.length + 1))
        .sort();
    const texts = paths.map(
        async path => [path, await readFile(join(root, path), 'utf8')] as const,
    );
    return Object.fromEntries(await Promise.all(texts));
}

/** The layer of one version: the second one takes a file away, as a new image may. */
const versionFiles: Readonly<Record<ImageVersion, Readonly<Record<string, string>>>> = {
    1: {'usr/share/intune-lab/version': '1\n', 'usr/share/intune-lab/only-in-1': ''},
    2: {'usr/share/intune-lab/version': '2\n', 'usr/share/intune-lab/.wh.only-in-1': ''},
};

/** A directory to a layer: writes the blob, and prints its digest, size, and that of the tar in it. */
const assemble = `
tree=$1 blobs=$2
shift 2
mkfifo "$blobs/fifo"
sha256sum <"$blobs/fifo" >"$blobs/diff" &
tar --create --directory="$tree" --sort=name --numeric-owner --xattrs --xattrs-include='*' \
    --mtime=@1767225600 --clamp-mtime --exclude=./dev/* "$@" . |
    tee "$blobs/fifo" | gzip -1 -n >"$blobs/layer"
wait
digest=$(sha256sum <"$blobs/layer" | cut -d ' ' -f 1)
echo "$digest $(stat -c %s "$blobs/layer") $(cut -d ' ' -f 1 "$blobs/diff")"
mkdir -p "$blobs/sha256/$(echo "$digest" | cut -c 1-2)/$digest"
mv "$blobs/layer" "$blobs/sha256/$(echo "$digest" | cut -c 1-2)/$digest/data"
rm "$blobs/fifo" "$blobs/diff"
`;

interface Layer {
    readonly digest: string;
    readonly size: number;
    readonly diffId: string;
}

async function fillRegistry(
    directory: string,
    base: string,
    files: Readonly<Record<string, string>>,
): Promise<void> {
    const storage = join(directory, 'var/lib/docker-registry/docker/registry/v2');
    const blobs = join(storage, 'blobs');
    const repository = join(storage, 'repositories', REPOSITORY);
    const staging = join(directory, '.staging');
    await mkdir(blobs, {recursive: true});

    const makeLayer = async (tree: string, ...options: string[]): Promise<Layer> => {
        const {stdout} = await execa('sh', ['-euc', assemble, 'sh', tree, blobs, ...options], {
            stdin: 'ignore',
        });
        const [digest = '', size = '', diffId = ''] = stdout.trim().split(' ');
        await writeLink(repository, `_layers/sha256/${digest}`, digest);
        return {digest: `sha256:${digest}`, size: Number(size), diffId: `sha256:${diffId}`};
    };
    const stage = async (content: Readonly<Record<string, string>>) => {
        await execa('rm', ['-rf', staging]);
        for (const [path, text] of Object.entries(content)) {
            const file = join(staging, path);
            await mkdir(dirname(file), {recursive: true});
            await writeFile(file, text);
            await chmod(file, text.startsWith('#!') ? 0o755 : 0o644);
        }
        return staging;
    };

    const common = [await makeLayer(base)];
    await stage(files);
    for (const [path, target] of Object.entries(links)) {
        await mkdir(dirname(join(staging, path)), {recursive: true});
        await execa('ln', ['-s', target, join(staging, path)]);
    }
    common.push(await makeLayer(staging, '--owner=0', '--group=0'));

    const digests: Record<string, string> = {};
    for (const version of VERSIONS) {
        await stage(versionFiles[version]);
        const layers = [...common, await makeLayer(staging, '--owner=0', '--group=0')];
        digests[version] = await writeImage(blobs, repository, version, layers);
    }
    for (const [tag, version] of Object.entries(TAGS)) {
        const digest = (digests[version] ?? '').replace('sha256:', '');
        await writeLink(repository, `_manifests/tags/${tag}/current`, digest);
        await writeLink(repository, `_manifests/tags/${tag}/index/sha256/${digest}`, digest);
    }
    await execa('rm', ['-rf', staging]);
    const described = join(directory, 'var/lib/docker-registry/digests.json');
    await writeFile(described, JSON.stringify(digests));
    await execa('chmod', ['-R', 'u=rwX,go=rX', directory]);
}

async function writeImage(
    blobs: string,
    repository: string,
    version: ImageVersion,
    layers: readonly Layer[],
): Promise<string> {
    const created = '2026-01-01T00:00:00Z';
    const config = await writeBlob(blobs, {
        created,
        architecture: 'amd64',
        os: 'linux',
        config: {
            Cmd: ['/sbin/init'],
            Labels: {'org.opencontainers.image.version': version},
        },
        rootfs: {type: 'layers', diff_ids: layers.map(({diffId}) => diffId)},
        history: layers.map(() => ({created, created_by: 'the lab'})),
    });
    await writeLink(repository, `_layers/sha256/${config.hash}`, config.hash);
    const manifest = await writeBlob(blobs, {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: {
            mediaType: 'application/vnd.oci.image.config.v1+json',
            digest: `sha256:${config.hash}`,
            size: config.size,
        },
        layers: layers.map(({digest, size}) => ({
            mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
            digest,
            size,
        })),
    });
    await writeLink(repository, `_manifests/revisions/sha256/${manifest.hash}`, manifest.hash);
    return `sha256:${manifest.hash}`;
}

async function writeBlob(blobs: string, value: unknown): Promise<{hash: string; size: number}> {
    const text = JSON.stringify(value);
    const hash = createHash('sha256').update(text).digest('hex');
    const file = join(blobs, 'sha256', hash.slice(0, 2), hash, 'data');
    await mkdir(dirname(file), {recursive: true});
    await writeFile(file, text);
    return {hash, size: Buffer.byteLength(text)};
}

async function writeLink(repository: string, path: string, hash: string): Promise<void> {
    await mkdir(join(repository, path), {recursive: true});
    await writeFile(join(repository, path, 'link'), `sha256:${hash}`);
}
