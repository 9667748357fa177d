// SPDX-License-Identifier: GPL-2.0-or-later
// Devices that a container may be given: what udev tagged, see data/udev. Types and names only.

import {type DevicePolicy, type Settings, runtimeDirectory} from '../model.ts';

/** As udev's rules and the program that makes nodes call them. */
export const deviceClasses = ['camera', 'security-key', 'listed'] as const;
export type DeviceClass = (typeof deviceClasses)[number];

/** A device node of the host. */
export interface Device {
    /** MAJOR:MINOR */
    readonly number: string;
    /** Path of its node, on the host and in a container. */
    readonly node: string;
    readonly class: DeviceClass;
    /** What is plugged in, which may have several nodes: a path below /sys/devices. */
    readonly parent: string;
    /** For people; empty: it does not say. */
    readonly product: string;
    /** As udev says it, other for each time that it is plugged in. */
    readonly since: string;
}

/**
 * attached; asked: its user is to say whether it is; detached: its user wants it so; never: the settings
 * want it so; elsewhere: another user's session has the seat.
 */
export type DeviceState = 'attached' | 'asked' | 'detached' | 'never' | 'elsewhere';

export type DeviceChoice = 'attach' | 'detach';

export const DEVICE_PROGRAM = '/usr/lib/snow-control/snow-intune-device';

const settingOf = {
    camera: 'cameras',
    'security-key': 'securityKeys',
    listed: 'listedDevices',
} as const satisfies Record<DeviceClass, keyof Settings>;

export function policyOf(settings: Settings, deviceClass: DeviceClass): DevicePolicy {
    return settings[settingOf[deviceClass]];
}

/** What the program that makes nodes is to know of a container, in its words. */
export function deviceRulesPath(uid: number): string {
    return `${runtimeDirectory(uid)}/device-rules`;
}

/** With a file named by its number for each device that the running container has. */
export function attachedDirectory(uid: number): string {
    return `${runtimeDirectory(uid)}/devices`;
}

/** With a file named by its number for each device that its user is to say something of, and since when it has been there. */
export function waitingDirectory(uid: number): string {
    return `${runtimeDirectory(uid)}/waiting`;
}

/** With what its user said of a device, and since when it had been there. */
export function choicesDirectory(uid: number): string {
    return `${runtimeDirectory(uid)}/choices`;
}
