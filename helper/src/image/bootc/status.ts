// SPDX-License-Identifier: GPL-2.0-or-later
// What `bootc status` prints, and what it means. Older versions leave fields out.

import {
    type Importer,
    array,
    boolean,
    count,
    digest,
    importJson,
    line,
    nullable,
    object,
    oneOf,
    optional,
    refuse,
    string,
    timestamp,
} from '../../host/importer.ts';
import type {Capability, Deployment, ImageStatus} from '../model.ts';

const imageReference = object({image: line, transport: line});

const imageStatus = object({
    image: imageReference,
    version: optional(line),
    timestamp: optional(timestamp),
    imageDigest: digest,
});
export type BootcImage = ReturnType<typeof imageStatus>;

/** What becomes a part of a path. */
const fileName: Importer<string> = found =>
    /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(string(found))
        ? string(found)
        : refuse(found, 'is no name of a directory');

const bootEntry = object({
    image: optional(imageStatus),
    cachedUpdate: optional(imageStatus),
    incompatible: optional(boolean, false),
    pinned: optional(boolean, false),
    softRebootCapable: optional(boolean),
    downloadOnly: optional(boolean),
    ostree: optional(object({stateroot: fileName, checksum: fileName, deploySerial: count})),
    composefs: optional(object({verity: fileName})),
});
export type BootEntry = ReturnType<typeof bootEntry>;

const host = object({
    apiVersion: oneOf('org.containers.bootc/v1', 'org.containers.bootc/v1alpha1'),
    kind: oneOf('BootcHost'),
    spec: object({
        image: nullable(imageReference),
        bootOrder: optional(string),
    }),
    status: object({
        staged: optional(bootEntry),
        booted: optional(bootEntry),
        rollback: optional(bootEntry),
        otherDeployments: optional(array(bootEntry), []),
        rollbackQueued: optional(boolean),
        /** Since the version that download-only works with on a composefs store. */
        usrOverlay: found => found.value !== undefined,
        readOnly: optional(boolean, false),
    }),
});
export type BootcHost = ReturnType<typeof host>;

/** Throws SnowError Failed that names the field which is wrong. */
export function importStatus(text: string): BootcHost {
    return importJson('bootc status', text, host);
}

/** What the driver knows besides. */
export interface Surroundings {
    /** Whether snow's script stages updates, as bootc itself cannot fetch snow's images everywhere. */
    readonly hasStageScript: boolean;
}

export function imageStatusOf(
    {spec, status}: BootcHost,
    {hasStageScript}: Surroundings,
): ImageStatus {
    const {booted, staged, rollback, readOnly, rollbackQueued} = status;
    const isQueued = rollbackQueued ?? spec.bootOrder === 'rollback';
    const next = staged?.downloadOnly ? null : staged;
    const found = {
        followed: spec.image?.image ?? '',
        booted: deploymentOf(booted),
        staged: deploymentOf(next ?? null),
        rollback: deploymentOf(rollback),
        // What was staged after that comes first.
        isRollbackQueued: isQueued && rollback?.image != null && !next,
        downloaded: staged?.downloadOnly ? deploymentOf(staged) : null,
    };
    const refuseAll = (problem: string): ImageStatus => ({...found, capabilities: [], problem});
    if (!spec.image) {
        const isLayered = Boolean(booted?.incompatible ?? staged?.incompatible);
        return refuseAll(
            isLayered
                ? 'Packages were added by rpm-ostree, which bootc does not update; to remove them: rpm-ostree reset'
                : 'This system was not started from an image that bootc manages',
        );
    }
    if (readOnly)
        return refuseAll('This system was started from a medium that cannot be written to');

    const capabilities: Capability[] = ['check', 'update', 'switch'];
    const isComposefs = Boolean(booted?.composefs);
    const canFetch = !isComposefs || !hasStageScript || spec.image.transport === PULLED;
    const hasDownloadOnly = booted?.downloadOnly != null && (!isComposefs || status.usrOverlay);
    if (hasDownloadOnly && canFetch) capabilities.push('download-only');
    const hasOrder = rollbackQueued !== null || spec.bootOrder !== null;
    if (hasOrder) capabilities.push('rollback', 'unstage');
    return {...found, capabilities, problem: ''};
}

/** The transport of images that podman has. */
export const PULLED = 'containers-storage';

/** Null also for one that is no image: it cannot be rolled back to, nor updated. */
function deploymentOf(entry: BootEntry | null): Deployment | null {
    if (!entry?.image) return null;
    const {image, version, timestamp, imageDigest} = entry.image;
    return {
        version,
        image: image.image,
        transport: image.transport,
        digest: imageDigest,
        timestamp,
        slot: null,
        isPinned: entry.pinned,
        canSoftReboot: entry.softRebootCapable ?? false,
    };
}
