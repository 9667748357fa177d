// SPDX-License-Identifier: GPL-2.0-or-later
import {compareVersions} from '../../host/versions.ts';
import type {Capability, Deployment, ImageStatus} from '../model.ts';
import {type Startable, failedVersion, firstOf} from './next-boot.ts';
import type {BootEntry, InstalledVersion} from './sysupdate.ts';

/** What was found on a machine. */
export interface Facts {
    /** IMAGE_ID; empty: the running system does not say. */
    readonly imageId: string;
    /** IMAGE_VERSION */
    readonly booted: string;
    readonly installed: readonly InstalledVersion[];
    /** Null: the boot loader's entries cannot be listed. */
    readonly bootEntries: readonly BootEntry[] | null;
    readonly capabilities: readonly Capability[];
    /** Whether something is at work that may be writing an update now. */
    readonly isAtWork: boolean;
}

export function describeStatus(facts: Facts): ImageStatus {
    const {imageId, booted, installed, capabilities} = facts;
    const channel = channelOf(imageId);
    const startables = startablesOf(installed);
    const next = nextVersion(facts);
    const deployment = (version: string | null): Deployment | null =>
        version === null ? null : describeDeployment(channel, version, installed);

    const isNewer = (version: string): boolean => compareVersions(version, booted) > 0;
    const staged = next !== null && isNewer(next) ? next : null;
    const others = startables
        .map(({version}) => version)
        .filter(version => version !== booted && version !== staged)
        .sort((one, other) => compareVersions(other, one));
    const isRollbackQueued = next !== null && next !== booted && next !== staged;
    const rollback = isRollbackQueued
        ? next
        : (others.find(version => !isNewer(version)) ?? others[0] ?? null);
    const downloaded = installed.find(({state}) => state === 'downloaded')?.version ?? null;
    return {
        followed: channel,
        booted: deployment(booted === '' ? null : booted),
        staged: deployment(staged),
        rollback: deployment(rollback),
        isRollbackQueued,
        downloaded: deployment(downloaded),
        capabilities,
        problem: problemOf(facts, startables, next),
    };
}

/** The channel of an image, as snow names it. */
export function channelOf(imageId: string): string {
    return imageId === '' ? '' : `${imageId}-ab`;
}

export function startablesOf(installed: readonly InstalledVersion[]): readonly Startable[] {
    return installed.flatMap(({version, state, uki}) =>
        state === 'whole' && uki ? {version, uki} : [],
    );
}

/** The version that the next boot starts; null: none that is whole, or none of this system's. */
export function nextVersion({
    installed,
    bootEntries,
}: Pick<Facts, 'installed' | 'bootEntries'>): string | null {
    const startables = startablesOf(installed);
    const entry = bootEntries?.find(({isDefault}) => isDefault);
    if (!entry) return firstOf(startables)?.version ?? null;
    return startables.find(({uki}) => uki.path === entry.path)?.version ?? null;
}

/** Seconds since 1970 of a version that is a time of UTC, YYYYMMDDHHMMSS; null: it is none. */
export function timestampOf(version: string): number | null {
    const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(version);
    if (!match) return null;
    const [, year, month, day, hour, minute, second] = match;
    const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
    const time = Date.parse(iso);
    // The 31st of February is a time for Date.parse().
    return Number.isFinite(time) && new Date(time).toISOString() === iso ? time / 1000 : null;
}

function describeDeployment(
    image: string,
    version: string,
    installed: readonly InstalledVersion[],
): Deployment {
    const path = installed.find(one => one.version === version)?.uki?.path;
    return {
        version,
        image,
        transport: null,
        digest: null,
        timestamp: timestampOf(version),
        slot: path?.slice(path.lastIndexOf('/') + 1) ?? null,
        isPinned: false,
        canSoftReboot: false,
    };
}

function problemOf(facts: Facts, startables: readonly Startable[], next: string | null): string {
    const {imageId, booted, installed, bootEntries, isAtWork} = facts;
    if (imageId === '' || booted === '')
        return 'os-release has no IMAGE_ID or IMAGE_VERSION: what runs cannot be told';
    if (installed.length === 0)
        return 'systemd-sysupdate finds no version of this system; look at /usr/lib/sysupdate.d';
    if (!startables.some(({version}) => version === booted)) {
        const isWritten = installed.some(one => one.version === booted);
        return isWritten
            ? `The boot entry or a partition of ${booted}, which runs, is missing; stage an update before the next restart`
            : `${booted} runs, and is in none of the slots; was the system started from another disk?`;
    }
    const failed = failedVersion(startables, booted);
    if (failed)
        return `${failed.version} could not be started and was given up after ${failed.uki.attempts?.done} attempts; ${booted} runs instead`;
    if (next === null) {
        const title = bootEntries?.find(({isDefault}) => isDefault)?.title ?? 'another system';
        return `The next restart starts ${title}; to start this system again: bootctl set-default ""`;
    }
    // Who set an update aside took its attempts; this one has some, and yet is not the next.
    const first = firstOf(startables)?.version;
    if (first !== undefined && first !== next && compareVersions(first, booted) > 0)
        return `${first} is installed, but the boot loader is told to start ${next}; to start ${first}: snowctl image rollback`;
    if (!isAtWork && installed.some(({state}) => state === 'partial'))
        return 'An update was interrupted; to try again: snowctl image update';
    return '';
}
