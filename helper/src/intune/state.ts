// SPDX-License-Identifier: GPL-2.0-or-later
// The properties of a user's container, read from the disk and systemd.

import type {IntuneProperties} from '../generated/dbus.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {devicesOf} from './devices/devices.ts';
import {readLastCheck} from './last-check.ts';
import {
    type ContainerState,
    machineName,
    machineUnit,
    previousRootfsPath,
    rootfsPath,
} from './model.ts';
import type {ServicePorts} from './ports.ts';
import {readRecord, recordOf} from './record.ts';
import {describeSettings, readSettings} from './settings.ts';

export type StatePorts = Pick<ServicePorts, 'startedAt' | 'bindings' | 'applications'>;

/** What systemctl(1) calls it, as a state of the container. */
const states: Readonly<Record<string, ContainerState>> = {
    active: 'running',
    reloading: 'running',
    activating: 'starting',
    deactivating: 'stopping',
    failed: 'failed',
};

/** The properties as the machine is now. What cannot be read is a Problem. */
export async function readContainer(
    host: Host,
    ports: StatePorts,
    uid: number,
): Promise<IntuneProperties> {
    const problems: string[] = [];
    /** What a part that cannot be read leaves out. */
    const tolerate = async <T>(reading: Promise<T>, without: T): Promise<T> => {
        try {
            return await reading;
        } catch (error) {
            if (!(error instanceof SnowError)) throw error;
            problems.push(error.message);
            return without;
        }
    };
    const [record, previous, check, status, {settings, problems: faults}] = await Promise.all([
        tolerate(readRecord(host, uid), null),
        tolerate(recordOf(host, uid, previousRootfsPath(uid)), null),
        tolerate(readLastCheck(host, uid), null),
        tolerate(host.files.status(rootfsPath(uid)), null),
        readSettings(host, uid),
    ]);
    problems.push(...faults);
    const without = {
        Settings: describeSettings(settings),
        Channel: record?.channel ?? settings.channel,
        CanRestore: previous !== null,
    };
    if (!record) {
        const name = machineName(uid);
        if (status && problems.length === 0)
            problems.push(
                `There is a machine ${name} that was not made here; remove it first (machinectl remove ${name})`,
            );
        return {...nothing, ...without, Problem: problems[0] ?? ''};
    }
    const unit = machineUnit(uid);
    const activeState = await tolerate(
        host.systemd?.activeState(unit) ?? Promise.resolve('inactive'),
        'inactive',
    );
    const state = states[activeState] ?? 'stopped';
    const isRunning = state === 'running';
    const [startedAt, bindings, devices, applications] = await Promise.all([
        isRunning ? tolerate(ports.startedAt(host, uid), 0) : 0,
        isRunning ? tolerate(ports.bindings(host, uid), []) : [],
        isRunning ? tolerate(devicesOf(host, uid, settings), []) : [],
        tolerate(ports.applications(host, uid), []),
    ]);
    if (state === 'failed')
        problems.unshift(`The container ended with an error; see journalctl -u ${unit}`);
    const isNewer = check?.image === record.image && check.digest !== record.digest;
    return {
        ...without,
        State: state,
        Image: record.image,
        Digest: record.digest,
        NewestDigest: isNewer ? check.digest : '',
        LastCheck: check?.time ?? 0,
        Created: record.created,
        StartedAt: startedAt,
        Bindings: bindings.map(({kind, source, target, isPresent}) => ({
            kind,
            source,
            target,
            present: isPresent,
        })),
        Devices: devices.map(({node, class: deviceClass, product, parent, state: deviceState}) => ({
            node,
            class: deviceClass,
            product,
            device: parent,
            state: deviceState,
        })),
        Applications: applications.map(application => ({...application})),
        Problem: problems[0] ?? '',
    };
}

const nothing = {
    State: 'absent',
    Image: '',
    Digest: '',
    NewestDigest: '',
    LastCheck: 0,
    Created: 0,
    StartedAt: 0,
    Bindings: [],
    Devices: [],
    Applications: [],
} as const;
