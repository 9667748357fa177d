// SPDX-License-Identifier: GPL-2.0-or-later
// The devices that there are for a container: which it has, and what its user says of them.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {type ContainerRecord, type Settings, machineName} from '../model.ts';
import {
    DEVICE_PROGRAM,
    type Device,
    type DeviceChoice,
    type DeviceState,
    attachedDirectory,
    choicesDirectory,
    policyOf,
    waitingDirectory,
} from './model.ts';
import {writeDeviceRules} from './rules.ts';
import {describeDevice, shareProductNames} from './udev-database.ts';

/** What udev tagged, by class and number. */
const TAGGED = '/run/udev/tags/snow-control';

export interface KnownDevice extends Device {
    readonly state: DeviceState;
}

/** Those that are plugged in, in the order of their nodes. */
export async function pluggedDevices(host: Host): Promise<readonly Device[]> {
    const numbers = (await host.files.list(TAGGED))
        .map(name => /^c(\d{1,7}:\d{1,7})$/.exec(name)?.[1])
        .filter(number => number !== undefined);
    const found = await Promise.all(
        numbers.map(async number => {
            const [uevent, record, link] = await Promise.all([
                host.files.readText(`/sys/dev/char/${number}/uevent`),
                host.files.readText(`/run/udev/data/c${number}`),
                host.files.readLink(`/sys/dev/char/${number}`),
            ]);
            return describeDevice(number, {uevent, record, link: link ?? ''});
        }),
    );
    return shareProductNames(found.filter(device => device !== null)).toSorted((a, b) =>
        a.node.localeCompare(b.node, 'en', {numeric: true}),
    );
}

/** Those that a user's container has, or may have. */
export async function devicesOf(
    host: Host,
    uid: number,
    settings: Settings,
): Promise<readonly KnownDevice[]> {
    const attached = new Set(await host.files.list(attachedDirectory(uid)));
    return Promise.all(
        (await pluggedDevices(host)).map(async device => {
            const [choice, isWaiting] = await Promise.all([
                readChoice(host, uid, device),
                isWaitedFor(host, uid, device),
            ]);
            const policy = policyOf(settings, device.class);
            const isAttached = attached.has(device.number);
            return {...device, state: deviceState({isAttached, isWaiting, policy, choice})};
        }),
    );
}

/** What keeps a device that is not attached from it. */
export function deviceState({
    isAttached,
    isWaiting,
    policy,
    choice,
}: {
    readonly isAttached: boolean;
    /** Whether its user, before whom it is, was to be asked. */
    readonly isWaiting: boolean;
    readonly policy: ReturnType<typeof policyOf>;
    readonly choice: DeviceChoice | null;
}): DeviceState {
    if (isAttached) return 'attached';
    if (policy === 'never') return 'never';
    if (choice === 'detach') return 'detached';
    return policy === 'ask' && choice === null && isWaiting ? 'asked' : 'elsewhere';
}

async function isWaitedFor(host: Host, uid: number, {number, since}: Device): Promise<boolean> {
    const text = await host.files.readText(`${waitingDirectory(uid)}/${number}`);
    return text?.trim() === since;
}

async function readChoice(
    host: Host,
    uid: number,
    {number, since}: Device,
): Promise<DeviceChoice | null> {
    const text = await host.files.readText(`${choicesDirectory(uid)}/${number}`);
    const [choice, chosenSince] = (text ?? '').trim().split(' ');
    if (chosenSince !== since) return null;
    return choice === 'attach' || choice === 'detach' ? choice : null;
}

/**
 * Attaches or detaches what a node is of, with all of its nodes, until it is unplugged or the container
 * stops. Returns the nodes.
 *
 * Throws SnowError NotFound, WrongState where the container does not run or another user's session has
 * the seat, NotAuthorized where the settings say never.
 */
export async function chooseDevice(
    host: Host,
    {owner: {uid}}: ContainerRecord,
    settings: Settings,
    node: string,
    choice: DeviceChoice,
    signal: AbortSignal,
): Promise<readonly string[]> {
    const before = await devicesOf(host, uid, settings);
    const named = before.find(device => device.node === node);
    if (!named)
        throw new SnowError(
            'NotFound',
            `${node} is no camera, security key or listed device that is plugged in`,
        );
    if (choice === 'attach' && named.state === 'never')
        throw new SnowError(
            'NotAuthorized',
            `The settings keep ${named.product} from the container; see snowctl intune configure`,
        );
    const one = before.filter(
        device => device.parent === named.parent && device.class === named.class,
    );
    await perform(
        host,
        uid,
        ['choose', machineName(uid), choice, ...one.map(({number}) => number)],
        signal,
    );
    const attached = new Set(await host.files.list(attachedDirectory(uid)));
    if (choice === 'attach' && !one.every(({number}) => attached.has(number)))
        throw new SnowError(
            'WrongState',
            `${named.product} goes to the container of whose session is in front of it`,
        );
    return one.map(device => device.node);
}

/** Has changed settings count for the running container, too. */
export async function applyDeviceSettings(
    host: Host,
    record: ContainerRecord,
    settings: Settings,
    signal?: AbortSignal,
): Promise<void> {
    await writeDeviceRules(host, record, settings);
    await perform(host, record.owner.uid, ['all'], signal);
}

async function perform(
    host: Host,
    uid: number,
    args: readonly string[],
    signal?: AbortSignal,
): Promise<void> {
    if (!host.systemd)
        throw new SnowError('NotSupported', 'Devices are those of the running system');
    const name = `snow-intune-devices-u${uid}`;
    const {exitCode, stderr} = await host.systemd.runUnit(
        name,
        [DEVICE_PROGRAM, ...args],
        signal ? {signal} : {},
    );
    if (exitCode === 0) return;
    const text = stderr.trim().split('\n').at(-1) ?? '';
    throw new SnowError('Failed', text === '' ? 'The device cannot be handed over' : text);
}
