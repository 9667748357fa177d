// SPDX-License-Identifier: GPL-2.0-or-later
// What systemd-nspawn@.service is told of a container: its systemd.nspawn(5) file, and the drop-in of its unit.

import {DEVICE_PROGRAM} from '../devices/model.ts';
import {type ContainerRecord, type Settings, machineName, machineUnit} from '../model.ts';

/** How the owners of what is bound show in the container: as they are, its owner as the user, or not at all. */
export type BindMapping = 'idmap' | 'owneridmap' | 'none';

/** Something of root's runtime directory, and where it is in the container. */
export interface Bind {
    readonly source: string;
    readonly target: string;
    readonly mapping: BindMapping;
    readonly isReadOnly: boolean;
}

const PREPARE = '/usr/lib/snow-control/snow-intune-prepare';

/** Nothing that systemd as the init of such a container uses: it boots without them, with no failed unit. */
const DROPPED_CAPABILITIES = [
    'CAP_AUDIT_CONTROL',
    'CAP_AUDIT_WRITE',
    'CAP_DAC_READ_SEARCH',
    'CAP_IPC_OWNER',
    'CAP_LEASE',
    'CAP_LINUX_IMMUTABLE',
    'CAP_MKNOD',
    'CAP_NET_BIND_SERVICE',
    'CAP_NET_BROADCAST',
    'CAP_NET_RAW',
    'CAP_SYS_NICE',
    'CAP_SYS_PTRACE',
    'CAP_SYS_TTY_CONFIG',
];

/** Where a path can be written without a quote, a colon, or what systemd expands. */
const PATH = /^(\/[A-Za-z0-9._+@-]{1,255})+$/;

export function canBeBound(path: string): boolean {
    return PATH.test(path) && !path.split('/').includes('..');
}

/** Throws RangeError for paths that cannot be written. */
export function nspawnSettings(record: ContainerRecord, binds: readonly Bind[]): string {
    const lines = binds.map(bind => {
        for (const path of [bind.source, bind.target])
            if (!canBeBound(path)) throw new RangeError(`${JSON.stringify(path)} cannot be bound`);
        const mapping = bind.mapping === 'none' ? '' : `:${bind.mapping}`;
        return `${bind.isReadOnly ? 'BindReadOnly' : 'Bind'}=${bind.source}:${bind.target}${mapping}`;
    });
    return [
        '[Exec]',
        'Boot=yes',
        `PrivateUsers=${record.uidBase}:65536`,
        'NotifyReady=yes',
        // Its journal is not to be read by those of the host.
        'LinkJournal=no',
        `DropCapability=${DROPPED_CAPABILITIES.join(' ')}`,
        '',
        '[Network]',
        'Private=no',
        'VirtualEthernet=no',
        '',
        '[Files]',
        'PrivateUsersOwnership=map',
        ...lines,
        '',
    ].join('\n');
}

/** Where unitDropIn() belongs. */
export function unitDropInPath(uid: number): string {
    return `/etc/systemd/system/${machineUnit(uid)}.d/50-snow-control.conf`;
}

/**
 * Takes away what the template allows each machine (loop devices, device mapper, fuse, tun), and has
 * whoever starts it prepare what is bound in.
 *
 * @param devices as DeviceAllow= of systemd.resource-control(5) names them
 */
export function unitDropIn(uid: number, settings: Settings, devices: readonly string[]): string {
    const limits: readonly (readonly [string, string])[] = [
        ['MemoryMax', settings.memoryMax],
        ['CPUQuota', settings.cpuQuota],
        ['TasksMax', settings.tasksMax],
    ];
    return [
        '# Written by Snow Control whenever the container is started: changes are lost.',
        '[Unit]',
        'StartLimitIntervalSec=0',
        // Who sits before the devices that it may have.
        'Wants=snow-intune-seat.path',
        '',
        '[Service]',
        `ExecStartPre=${PREPARE} ${uid}`,
        `ExecStartPre=${DEVICE_PROGRAM} begin ${machineName(uid)}`,
        `ExecStopPost=${PREPARE} --clean ${uid}`,
        `ExecStopPost=${DEVICE_PROGRAM} stopped ${machineName(uid)}`,
        'DevicePolicy=closed',
        'DeviceAllow=',
        'DeviceAllow=char-pts rw',
        ...devices.map(device => `DeviceAllow=${device} rwm`),
        'TimeoutStartSec=90s',
        'TimeoutStopSec=30s',
        ...limits.filter(([, value]) => value !== '').map(([key, value]) => `${key}=${value}`),
        '',
    ].join('\n');
}
