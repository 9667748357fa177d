// SPDX-License-Identifier: GPL-2.0-or-later
// Root trees of the guests, made from Debian's packages.

import {execa} from 'execa';

import {cached} from './cache.ts';

export const MIRROR = process.env['SNOW_LAB_MIRROR'] ?? 'http://deb.debian.org/debian';

/** Everyone's password in a guest. Debian's polkit asks members of sudo for theirs. */
export const PASSWORD = 'snow-and-ice';
export const USERS = {
    alice: {uid: 1001, groups: []},
    bob: {uid: 1002, groups: []},
    admin: {uid: 1003, groups: ['sudo']},
} as const;
export type User = keyof typeof USERS;

interface TreeRecipe {
    readonly suite: string;
    readonly packages: readonly string[];
    /** Run in the finished tree. */
    readonly script: string;
}

const system = [
    'systemd',
    'systemd-sysv',
    'systemd-container',
    'dbus',
    'dbus-user-session',
    'libpam-systemd',
    'polkitd',
    'pkexec',
    'libglib2.0-bin',
    'nodejs',
    'curl',
    'gpgv',
    'zstd',
    'xz-utils',
    'bzip2',
    'squashfs-tools',
    'erofs-utils',
    'passwd',
    'procps',
    'strace',
];

const desktop = [
    ...system,
    'gnome-shell',
    'gnome-session-bin',
    'gnome-shell-extension-prefs',
    'gjs',
    'libgl1-mesa-dri',
    'adwaita-icon-theme',
    'fonts-cantarell',
    'gir1.2-adw-1',
    'openssh-server',
    'bash-completion',
    'zsh',
    'fish',
    'man-db',
];

/** What makes the disks and the images of a native A/B system. */
const nativePackages = [
    'gpg',
    'fdisk',
    'mount',
    'systemd-boot-efi',
    'systemd-boot-tools',
    'systemd-ukify',
    'dosfstools',
];

const makeUsers = `
${Object.entries(USERS)
    .map(
        ([name, {uid, groups}]) =>
            `useradd --create-home --uid ${uid} --shell /bin/bash ${groups.length ? `--groups ${groups.join(',')} ` : ''}${name}
echo '${name}:${PASSWORD}' | chpasswd`,
    )
    .join('\n')}
echo 'root:${PASSWORD}' | chpasswd
systemctl mask systemd-networkd-wait-online.service systemd-resolved.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer man-db.timer 2>/dev/null
mkdir -p /etc/tmpfiles.d
{
    echo 'c /dev/loop-control 0600 root root - 10:237'
    for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31; do
        echo "b /dev/loop$n 0660 root disk - 7:$n"
    done
} > /etc/tmpfiles.d/loop.conf
rm -f /etc/machine-id /var/lib/dbus/machine-id
rm -rf /var/cache/apt/* /var/lib/apt/lists/*
`;

const recipes = {
    /** The desktop that users have: Trixie with GNOME 48. */
    desktop: {
        suite: 'trixie',
        packages: desktop,
        script: makeUsers,
    },
    /**
     * The desktop with what makes containers of images, and a registry that has them; and with what
     * makes disks and unified kernel images, as `native` has it.
     */
    workstation: {
        suite: 'trixie',
        packages: [
            ...desktop,
            ...['skopeo', 'umoci', 'podman', 'crun', 'docker-registry', 'gnome-console'],
            ...nativePackages,
        ],
        script: makeUsers,
    },
    /** systemd 262, whose systemd-sysupdate is the peer. */
    peer: {suite: 'forky', packages: [...system, 'gpg'], script: makeUsers},
    /** Native A/B: systemd 262 with what makes disks and unified kernel images. */
    native: {
        suite: 'forky',
        packages: [...system, ...nativePackages],
        script: makeUsers,
    },
    /** A system whose image comes from a registry, which runs there, too. */
    container: {
        suite: 'trixie',
        packages: [...system, 'podman', 'skopeo', 'docker-registry', 'crun', 'jq'],
        script: makeUsers,
    },
    /** A computer with firmware, that QEMU makes without KVM, and what it boots from. */
    firmware: {
        suite: 'forky',
        packages: [
            ...system,
            'qemu-system-x86',
            'ovmf',
            'mtools',
            'fdisk',
            'cpio',
            'busybox-static',
            'linux-image-cloud-amd64',
            'systemd-boot-efi',
            'systemd-boot-tools',
            'systemd-ukify',
        ],
        script: makeUsers,
    },
    /** Where mkosi makes the extensions. */
    builder: {
        suite: 'trixie',
        packages: [
            'mkosi',
            'systemd',
            'systemd-container',
            'erofs-utils',
            'apt',
            'debian-archive-keyring',
            'ca-certificates',
        ],
        script: ':',
    },
} satisfies Record<string, TreeRecipe>;

export type TreeName = keyof typeof recipes;

/** Path of a finished tree, which nobody may change. */
export function tree(name: TreeName): Promise<string> {
    const recipe = recipes[name];
    return cached(name, recipe, async directory => {
        await execa(
            'mmdebstrap',
            [
                '--variant=apt',
                '--quiet',
                `--include=${recipe.packages.join(',')}`,
                '--aptopt=Acquire::Check-Valid-Until "false"',
                '--aptopt=Acquire::Retries "3"',
                `--customize-hook=chroot "$1" sh -ec '${recipe.script.replaceAll("'", "'\\''")}'`,
                recipe.suite,
                directory,
                MIRROR,
            ],
            {stdin: 'ignore', all: true},
        );
    });
}
