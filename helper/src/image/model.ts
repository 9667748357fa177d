// SPDX-License-Identifier: GPL-2.0-or-later
// What the three drivers have in common: the images of a machine, and what can be done with them.

/** Who manages the OS image of a machine. */
export const driverNames = ['bootc', 'nbc', 'native'] as const;
export type DriverName = (typeof driverNames)[number];

/** An OS image on this machine or at its source. What is not known is null. */
export interface Deployment {
    /** As the image names itself: org.opencontainers.image.version, IMAGE_VERSION. */
    readonly version: string | null;
    /** Without its transport: ghcr.io/frostyard/snow:latest; native: the channel, snow-ab. */
    readonly image: string;
    /** Of containers-transports(5): registry, containers-storage. */
    readonly transport: string | null;
    /** sha256:... of the manifest. */
    readonly digest: string | null;
    /** When it was built, in seconds since 1970. */
    readonly timestamp: number | null;
    /** The partition or boot entry that holds it, for a person. */
    readonly slot: string | null;
    readonly isPinned: boolean;
    /** Whether it can be started without the firmware. */
    readonly canSoftReboot: boolean;
}

export type Capability = 'check' | 'update' | 'download-only' | 'switch' | 'rollback' | 'unstage';

export interface ImageStatus {
    /** The reference, or native channel, that updates come from. */
    readonly followed: string;
    readonly booted: Deployment | null;
    /** What the next boot starts, when that is neither the booted image nor the rollback. */
    readonly staged: Deployment | null;
    readonly rollback: Deployment | null;
    /** Whether the next boot starts the rollback. */
    readonly isRollbackQueued: boolean;
    /** Fetched, and not staged. */
    readonly downloaded: Deployment | null;
    readonly capabilities: readonly Capability[];
    /** One line a user can act on, or empty. */
    readonly problem: string;
}

/** What a source offers. */
export interface Offer {
    readonly version: string | null;
    readonly digest: string | null;
    readonly timestamp: number | null;
    /** Bytes to fetch. */
    readonly size: number | null;
}

/** What a check found. */
export type CheckResult =
    | {readonly outcome: 'current'}
    | {readonly outcome: 'available'; readonly offer: Offer}
    /** The offer is what the next boot starts already. */
    | {readonly outcome: 'staged'; readonly offer: Offer}
    /** The offer is what was rolled back from: not taken again by itself. */
    | {readonly outcome: 'held-rollback'; readonly offer: Offer};

/** What the next boot starts, when that is not the booted image. */
export function nextDeployment(status: ImageStatus): Deployment | null {
    return status.isRollbackQueued ? status.rollback : status.staged;
}

/** Whether two images are the same one: by digest where both have one, else by version. */
export function isSameImage(
    one: Pick<Deployment, 'digest' | 'version'>,
    other: Pick<Deployment, 'digest' | 'version'>,
): boolean {
    if (one.digest !== null && other.digest !== null) return one.digest === other.digest;
    return one.version !== null && one.version === other.version;
}
