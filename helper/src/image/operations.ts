// SPDX-License-Identifier: GPL-2.0-or-later
// What each operation does, and how one sees that it was done: programs that change the image have
// been seen to end well and to have done nothing.

import {SnowError} from '../host/error.ts';
import type {ImageDriver, Work} from './driver.ts';
import type {JobRequest} from './job-request.ts';
import {
    type Capability,
    type CheckResult,
    type Deployment,
    type ImageStatus,
    type Offer,
    isSameImage,
    nextDeployment,
} from './model.ts';
import {isSameReference} from './references.ts';

/** What an operation comes to, once it is known how the machine is. */
export type Task =
    /** There is nothing to change. */
    | {readonly kind: 'nothing'; readonly outcome: string; readonly offer: Offer | null}
    | {
          readonly kind: 'change';
          change(): Promise<void>;
          /** Why the machine is not as was asked for, in one line; null: it is. */
          shortcoming(after: ImageStatus): string | null;
      };

export interface OperationParts {
    readonly driver: ImageDriver;
    readonly work: Work;
    readonly request: JobRequest;
    /** Asks the source, and has it noted. */
    check(): Promise<CheckResult>;
}

/**
 * Finds out what is to be done. Throws SnowError WrongState when there is nothing that it could be
 * done to, and what the driver throws when its source cannot be asked.
 */
export async function prepareOperation(parts: OperationParts): Promise<Task> {
    switch (parts.request.operation) {
        case 'check':
            return prepareCheck(parts);
        case 'update':
            return prepareUpdate(parts);
        case 'download':
            return prepareDownload(parts);
        case 'switch':
            return prepareSwitch(parts);
        case 'rollback':
            return prepareRollback(parts);
        case 'unstage':
            return prepareUnstage(parts);
    }
}

/** What a driver must be able to do for an operation. */
export const neededCapability: Readonly<Record<JobRequest['operation'], Capability>> = {
    check: 'check',
    update: 'update',
    download: 'download-only',
    switch: 'switch',
    rollback: 'rollback',
    unstage: 'unstage',
};

async function prepareCheck({check}: OperationParts): Promise<Task> {
    const result = await check();
    const offer = result.outcome === 'current' ? null : result.offer;
    return {kind: 'nothing', outcome: result.outcome, offer};
}

async function prepareUpdate(parts: OperationParts): Promise<Task> {
    const {driver, work} = parts;
    const {before} = work;
    const change = (): Promise<void> => driver.update(work);
    // It is here: whether there is a network, or something newer, is another matter.
    if (before.downloaded) {
        const {downloaded} = before;
        return {
            kind: 'change',
            change,
            shortcoming: after => stagingShortcoming(before, after, downloaded),
        };
    }
    const found = await findNewer(parts);
    if (found.kind === 'nothing') return found;
    return {
        kind: 'change',
        change,
        shortcoming: after => stagingShortcoming(before, after, found.offer),
    };
}

async function prepareDownload(parts: OperationParts): Promise<Task> {
    const {driver, work} = parts;
    const {before} = work;
    const found = await findNewer(parts);
    if (found.kind === 'nothing') return found;
    const {offer} = found;
    if (before.downloaded && offer && isSameImage(before.downloaded, offer))
        return {kind: 'nothing', outcome: 'available', offer};
    return {
        kind: 'change',
        change: () => driver.download(work),
        shortcoming({downloaded}) {
            if (!downloaded) return 'The download ended without an error, and nothing is there';
            const isNew = !before.downloaded || !isSameImage(before.downloaded, downloaded);
            return isNew || (offer && isSameImage(downloaded, offer))
                ? null
                : 'The download ended without an error, and what is there is what was there before';
        },
    };
}

type Found =
    | {readonly kind: 'newer'; readonly offer: Offer | null}
    | {readonly kind: 'nothing'; readonly outcome: string; readonly offer: Offer | null};

/**
 * What a person who wants the newest image is to get. Throws SnowError WrongState for the one that
 * was rolled back from: it takes a rollback to have it again, not an update.
 */
async function findNewer({work, check}: OperationParts): Promise<Found> {
    // Some can only be told to fetch whatever there is.
    if (!work.before.capabilities.includes('check')) return {kind: 'newer', offer: null};
    const result = await check();
    switch (result.outcome) {
        case 'available':
            return {kind: 'newer', offer: result.offer};
        case 'held-rollback':
            throw new SnowError(
                'WrongState',
                `The newest image${versionOf(result.offer)} is one that was rolled back from or undone; to start it again: snowctl image rollback`,
            );
        case 'current':
            return {kind: 'nothing', outcome: 'current', offer: null};
        case 'staged':
            return {kind: 'nothing', outcome: 'staged', offer: result.offer};
    }
}

function stagingShortcoming(
    before: ImageStatus,
    after: ImageStatus,
    wanted: Offer | Deployment | null,
): string | null {
    const {staged} = after;
    if (!staged) return 'The update ended without an error, and nothing is staged';
    if (wanted && isSameImage(staged, wanted)) return null;
    // Something newer may have come since the source was asked.
    const isNew = !before.staged || !isSameImage(before.staged, staged);
    const isBooted = after.booted !== null && isSameImage(after.booted, staged);
    return isNew && !isBooted
        ? null
        : 'The update ended without an error, and what is staged is not the new image';
}

async function prepareSwitch({driver, work, request}: OperationParts): Promise<Task> {
    const {before} = work;
    const {reference} = request;
    if (isSameReference(before.followed, reference))
        throw new SnowError(
            'WrongState',
            `This system follows ${reference} already; its newest image: snowctl image update`,
        );
    return Promise.resolve({
        kind: 'change',
        change: () => driver.switchTo(work, reference),
        shortcoming({followed, staged, booted}) {
            if (!isSameReference(followed, reference))
                return `The switch ended without an error, and ${followed || 'nothing'} is still followed`;
            const next = staged ?? booted;
            if (next && isSameReference(next.image, reference)) return null;
            return `The switch ended without an error, and no image of ${reference} is staged`;
        },
    });
}

async function prepareRollback({driver, work}: OperationParts): Promise<Task> {
    const {before} = work;
    const {rollback} = before;
    if (!rollback) throw new SnowError('WrongState', 'There is no earlier image to go back to');
    // Asked twice, some programs undo what they did the first time.
    if (before.isRollbackQueued)
        return {kind: 'nothing', outcome: 'staged', offer: offerOf(rollback)};
    return Promise.resolve({
        kind: 'change',
        change: () => driver.rollback(work),
        shortcoming(after) {
            // What is newer than the image that runs counts as staged where versions tell them apart.
            const next = nextDeployment(after);
            // Of an image that nobody can look into, the slot is all that is known.
            const isInSameSlot = next !== null && next.slot !== null && next.slot === rollback.slot;
            return next && (isSameImage(next, rollback) || isInSameSlot)
                ? null
                : 'The rollback ended without an error, and the next restart does not start it';
        },
    });
}

async function prepareUnstage({driver, work}: OperationParts): Promise<Task> {
    const {before} = work;
    if (!nextDeployment(before))
        throw new SnowError('WrongState', 'The next restart starts the running image already');
    return Promise.resolve({
        kind: 'change',
        change: () => driver.unstage(work),
        shortcoming: after =>
            nextDeployment(after) === null
                ? null
                : 'It ended without an error, and the next restart still starts another image',
    });
}

function offerOf({version, digest, timestamp}: Deployment): Offer {
    return {version, digest, timestamp, size: null};
}

function versionOf({version}: Offer): string {
    return version === null ? '' : `, ${version},`;
}
