// SPDX-License-Identifier: GPL-2.0-or-later
// What the programs that touch an image may do: properties of their transient units, as
// systemd.exec(5) has them. An image is hostile until it is a container's.
//
// Each sees what it works on below /mnt, and nothing else of what root keeps.

/** Where the unit sees the directory that the image is fetched to. */
export const IMAGE = '/mnt/image';
/** Where the unit sees the root directory that is made. */
export const ROOTFS = '/mnt/rootfs';

export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

/** No file of an image is larger. */
const MAX_FILE = 16 * GIB;

/** For all of them. */
const common: readonly string[] = [
    'ProtectSystem=strict',
    'PrivateDevices=yes',
    'PrivateIPC=yes',
    'ProtectKernelTunables=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelLogs=yes',
    'ProtectControlGroups=yes',
    'ProtectClock=yes',
    'ProtectHostname=yes',
    'ProtectProc=invisible',
    'NoNewPrivileges=yes',
    'LockPersonality=yes',
    'MemoryDenyWriteExecute=yes',
    'RestrictRealtime=yes',
    'SystemCallArchitectures=native',
    'SystemCallErrorNumber=EPERM',
    'KeyringMode=private',
    'UMask=0022',
    'LimitCORE=0',
    'TasksMax=512',
    'MemoryMax=2G',
    'TimeoutStopSec=10s',
];

/** skopeo talks to the registry and writes files: a user of its own, no capability, no other right. */
const fetching: readonly string[] = [
    ...common,
    'DynamicUser=yes',
    'CapabilityBoundingSet=',
    'ProtectHome=yes',
    'RestrictNamespaces=yes',
    'RestrictSUIDSGID=yes',
    // Netlink is where the resolver learns of addresses.
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
    'SystemCallFilter=@system-service',
];

/** For questions that write nothing. */
export const asking: readonly string[] = [...fetching, 'LimitFSIZE=0'];

/** @param maxBytes of a file that is fetched */
export function fetchingTo(directory: string, maxBytes: number): readonly string[] {
    return [
        ...fetching,
        'TemporaryFileSystem=/mnt',
        `BindPaths=${directory}:${IMAGE}`,
        `LimitFSIZE=${Math.ceil(maxBytes)}`,
    ];
}

/**
 * Where nothing of the host's is to be seen but programs and settings. A user namespace that maps
 * ids 0 to 65535 to themselves: what capabilities there are count for files of these ids, in what is
 * bound in, and for nothing else of the kernel's. CAP_MKNOD would count for nothing there.
 */
const unpacking: readonly string[] = [
    ...common,
    // systemd-run(1) of 257 knows this one by the name that it has on the bus.
    'PrivateUsersEx=identity',
    'ProtectHome=tmpfs',
    'TemporaryFileSystem=/mnt /var /tmp /run',
    `LimitFSIZE=${MAX_FILE}`,
];

/** umoci and tar write files of any owner and mode, and their extended attributes. */
const writingFiles = [
    // the owners that the image has
    'CAP_CHOWN',
    // into directories of others, read-only ones among them
    'CAP_DAC_OVERRIDE',
    // modes, times and attributes of files of others
    'CAP_FOWNER',
    // a setgid bit stays, whatever the group
    'CAP_FSETID',
    // security.capability, as that of ping
    'CAP_SETFCAP',
];

/**
 * Without any network, and without namespaces of its own. What is outside is out of reach, and not only
 * by the care of the program: umoci 0.4 takes a whiteout of `..` at its word.
 */
export function unpackingTo(image: string, rootfs: string): readonly string[] {
    return [
        ...unpacking,
        `CapabilityBoundingSet=${writingFiles.join(' ')}`,
        'PrivateNetwork=yes',
        'ProcSubset=pid',
        'RestrictNamespaces=yes',
        // There is no way to name none on systemd-run's command line.
        'RestrictAddressFamilies=AF_UNIX',
        'SystemCallFilter=@system-service',
        'SystemCallFilter=~@network-io',
        `BindReadOnlyPaths=${image}:${IMAGE}`,
        `BindPaths=${rootfs}:${ROOTFS}`,
    ];
}

/** podman fetches and unpacks in one: more than each of the others needs, in a user namespace all the same. */
export function pullingTo(directory: string): readonly string[] {
    return [
        ...unpacking,
        `CapabilityBoundingSet=${[
            ...writingFiles,
            // it unpacks each layer in a mount namespace with the layer as its root
            'CAP_SYS_ADMIN',
            'CAP_SYS_CHROOT',
            // it asks for them at its start
            'CAP_SETUID',
            'CAP_SETGID',
        ].join(' ')}`,
        'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
        'SystemCallFilter=@system-service @mount',
        // where resolv.conf leads
        'BindReadOnlyPaths=-/run/systemd/resolve',
        `BindPaths=${directory}:${IMAGE}`,
    ];
}
