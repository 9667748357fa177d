// SPDX-License-Identifier: GPL-2.0-or-later
// What the last look for an update found, ours or that of snow's own scripts. Those know no image
// that is available and not staged, so that ours is kept beside their file, in memory as well.

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {
    type Importer,
    count,
    importJson,
    nullable,
    object,
    oneOf,
    string,
} from '../host/importer.ts';
import {
    type CheckResult,
    type ImageStatus,
    type Offer,
    isSameImage,
    nextDeployment,
} from './model.ts';
import {isSameReference} from './references.ts';
import {type SnosiOutcome, readUpdateCheck, writeUpdateCheck} from './snosi-files.ts';

const LAST_CHECK = '/run/snow-control/image-check.json';
const MAX_BYTES = 64 * 1024;

export type CheckOutcome = SnosiOutcome | 'available';

export interface LastCheck {
    /** Seconds since 1970. */
    readonly time: number;
    readonly outcome: CheckOutcome;
    /** What was followed then; another one makes the offer worthless. */
    readonly followed: string;
    /** What the source had; null: not known. */
    readonly offer: Offer | null;
}

/** The latest one; null: none since the boot. */
export async function readLastCheck(host: Host): Promise<LastCheck | null> {
    const [own, theirs] = await Promise.all([readOwn(host), readUpdateCheck(host)]);
    if (!theirs || (own && own.time >= theirs.checkedAt)) return own;
    const {outcome, checkedAt: time, image, remoteVersion: version} = theirs;
    const followed = image || (own?.followed ?? '');
    // A check that failed takes back nothing of what an earlier one found.
    if (outcome === 'failed') return {time, outcome, followed, offer: own?.offer ?? null};
    const offer = {version, digest: null, timestamp: null, size: null};
    return {time, outcome, followed, offer: version === '' ? null : offer};
}

/** The image that could be had: what was found, unless it is here by now. */
export function availableOffer(check: LastCheck | null, status: ImageStatus): Offer | null {
    if (!check?.offer || check.outcome === 'held-rollback') return null;
    if (!isSameReference(check.followed, status.followed)) return null;
    const {offer} = check;
    const here = [status.booted, nextDeployment(status), status.rollback];
    return here.some(image => image && isSameImage(image, offer)) ? null : offer;
}

/** What the last check comes to by now: what was staged then may have been taken back since. */
export function outcomeNow(check: LastCheck | null, status: ImageStatus): CheckOutcome | '' {
    if (check?.outcome !== 'staged' || nextDeployment(status)) return check?.outcome ?? '';
    if (availableOffer(check, status)) return 'available';
    const {offer} = check;
    const {rollback} = status;
    // It stays in its slot, and is not to be called an update again.
    return offer && rollback && isSameImage(offer, rollback) ? 'held-rollback' : 'current';
}

/** Keeps what a check found, for us and for the readers of snow's own file. */
export async function recordCheck(
    host: Host,
    status: ImageStatus,
    result: CheckResult,
    time: number,
): Promise<void> {
    const offer = result.outcome === 'current' ? null : result.offer;
    const {outcome} = result;
    await writeOwn(host, {time, outcome, followed: status.followed, offer});
    // They know no such outcome; what they found before stays, with its time.
    if (outcome === 'available') return;
    const remoteVersion = offer?.version ?? (outcome === 'current' ? status.booted?.version : '');
    await writeUpdateCheck(host, {
        outcome,
        checkedAt: time,
        image: status.followed,
        runningVersion: status.booted?.version ?? '',
        remoteVersion: remoteVersion ?? '',
    });
}

/** Keeps that the source could not be asked; what an earlier check found stays. */
export async function recordFailedCheck(
    host: Host,
    status: ImageStatus,
    time: number,
): Promise<void> {
    const before = await readOwn(host);
    const offer = before?.followed === status.followed ? before.offer : null;
    await writeOwn(host, {time, outcome: 'failed', followed: status.followed, offer});
    await writeUpdateCheck(host, {
        outcome: 'failed',
        checkedAt: time,
        image: status.followed,
        runningVersion: status.booted?.version ?? '',
        remoteVersion: offer?.version ?? '',
    });
}

async function writeOwn(host: Host, check: LastCheck): Promise<void> {
    await host.files.writeWhole(LAST_CHECK, `${JSON.stringify(check)}\n`);
}

async function readOwn(host: Host): Promise<LastCheck | null> {
    try {
        const text = await host.files.readText(LAST_CHECK, MAX_BYTES);
        return text === null ? null : importJson(LAST_CHECK, text, lastCheck);
    } catch (error) {
        // A note that cannot be read is as good as none: the next check writes another.
        if (error instanceof SnowError) return null;
        throw error;
    }
}

const lastCheck: Importer<LastCheck> = object({
    time: count,
    outcome: oneOf('current', 'staged', 'available', 'held-rollback', 'failed'),
    followed: string,
    offer: nullable(
        object({
            version: nullable(string),
            digest: nullable(string),
            timestamp: nullable(count),
            size: nullable(count),
        }),
    ),
});
