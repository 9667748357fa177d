// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of a user's container. Types and names only.

export type ContainerState = 'absent' | 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';

/** Of passwd(5). */
export interface Owner {
    readonly uid: number;
    readonly gid: number;
    readonly name: string;
    /** Absolute, as passwd(5) has it. */
    readonly home: string;
}

export type Channel = 'stable' | 'insiders' | 'custom';

/** How a container came to be; kept by root in recordPath(). */
export interface ContainerRecord {
    readonly owner: Owner;
    /** First of the 65536 uids and gids of the host that the container's are mapped to. */
    readonly uidBase: number;
    readonly channel: Channel;
    /** OCI reference without a transport, by tag. */
    readonly image: string;
    /** sha256:... of the manifest that was unpacked. */
    readonly digest: string;
    /** Seconds since 1970. */
    readonly created: number;
}

/** Whether a device goes to the container of who sits before it: at once, when its user says so, or not at all. */
export type DevicePolicy = 'allow' | 'ask' | 'never';

/** Settings of one user: of the administrator's file, then of what Configure changed. */
export interface Settings {
    readonly channel: 'stable' | 'insiders';
    /** Started at login. */
    readonly autostart: boolean;
    readonly gpu: boolean;
    readonly nvidia: boolean;
    readonly x11: boolean;
    readonly audio: boolean;
    readonly smartCards: boolean;
    readonly cameras: DevicePolicy;
    readonly securityKeys: DevicePolicy;
    /** Those that the administrator lists. */
    readonly listedDevices: DevicePolicy;
    /** As systemd.resource-control(5) has them; empty: no limit. */
    readonly memoryMax: string;
    readonly cpuQuota: string;
    readonly tasksMax: string;
}

/** Variables of the user's session that applications in the container need; checked, known names only. */
export type SessionEnvironment = Readonly<Record<string, string>>;

/** Something of the host that is in the container. */
export interface Binding {
    readonly kind: string;
    /** Path on the host. */
    readonly source: string;
    /** Path in the container. */
    readonly target: string;
    readonly isPresent: boolean;
}

/** As machined, systemd and the file system name the container of a user. */
export function machineName(uid: number): string {
    return `intune-u${uid}`;
}

/** The unit that runs it. */
export function machineUnit(uid: number): string {
    return `systemd-nspawn@${machineName(uid)}.service`;
}

export const MACHINES = '/var/lib/machines';

/** Root directory of the container. */
export function rootfsPath(uid: number): string {
    return `${MACHINES}/${machineName(uid)}`;
}

/** Where the next one is made; machined passes over what begins with a dot. */
export function newRootfsPath(uid: number): string {
    return `${MACHINES}/.${machineName(uid)}.new`;
}

/** The one before the last recreate. */
export function previousRootfsPath(uid: number): string {
    return `${MACHINES}/.${machineName(uid)}.previous`;
}

/** What root keeps of a container: container.json, settings.conf, share/ for the desktop. */
export function stateDirectory(uid: number): string {
    return `/var/lib/snow-control/intune/u${uid}`;
}

/** What is there while it runs: session, host (what is bound in), dev (its device nodes). */
export function runtimeDirectory(uid: number): string {
    return `/run/snow-control/intune/u${uid}`;
}
