// SPDX-License-Identifier: GPL-2.0-or-later
// From the cached properties of the OS image to what the menu shows. Pure, so that it says nothing in
// any language.
import type {Refusal} from './feature-view.js';
import type {ImageProperties} from './generated/dbus.js';
import {
    type Channel,
    type Deployment,
    type Outlook,
    isSameImage,
    nextDeployment,
    readChannels,
    readDeployment,
    readOutlooks,
} from './image-deployment.js';
import type {RestartNeed} from './restart-need.js';
import {type Job, failure, isRunning} from './snow-objects.js';

/** What the toggle tells; the first that is so. */
export type ImageState =
    | 'working'
    | 'problem'
    | 'restart'
    | 'failed'
    | 'available'
    | 'held-rollback'
    | 'current'
    | 'unknown';

export type ImageAction = 'check' | 'update' | 'download' | 'rollback' | 'unstage';

export type RowKind = 'running' | 'next' | 'available' | 'downloaded' | 'rollback';

export interface ImageRow {
    readonly kind: RowKind;
    readonly deployment: Deployment;
    /** Not the image that runs, or its next version, but another one. */
    readonly isOther: boolean;
}

/** What Unstage would take back. */
export type Undo = 'update' | 'switch' | 'rollback';

export interface ImageView {
    readonly state: ImageState;
    /** The running one. */
    readonly job: Job | null;
    /** What is wrong, in the service's words; empty: nothing. */
    readonly problem: string;
    readonly rows: readonly ImageRow[];
    /** Features that the next boot will not merge, or may not. */
    readonly outlooks: readonly Outlook[];
    readonly channels: readonly Channel[];
    /** Title of the channel, or the reference. */
    readonly followed: string;
    /** What there is to be done, if nothing is being done. */
    readonly actions: ReadonlySet<ImageAction>;
    readonly canSwitch: boolean;
    readonly undo: Undo;
    readonly isBusy: boolean;
}

/** What the view is made of, beside the image itself. */
export interface ImageSurroundings {
    /** Those of the image. */
    readonly jobs: readonly Job[];
    /** A call waits for its answer. */
    readonly isAsking: boolean;
    readonly refusal: Refusal | null;
    readonly restart: RestartNeed;
}

export function viewImage(image: ImageProperties, around: ImageSurroundings): ImageView {
    const job = around.jobs.findLast(isRunning) ?? null;
    const isBusy = job !== null || around.isAsking;
    const failed = around.refusal?.message || failure(around.jobs);
    const channels = readChannels(image);
    const followed = channels.find(({isFollowed}) => isFollowed);
    return {
        state: stateOf(image, job, failed, around.restart),
        job,
        problem: isBusy ? '' : failed || image.Problem,
        rows: rowsOf(image),
        outlooks: readOutlooks(image).filter(({state}) => state !== 'ready'),
        channels,
        followed: followed?.title || image.Followed,
        actions: actionsOf(image),
        canSwitch:
            image.Capabilities.includes('switch') && channels.some(({isFollowed}) => !isFollowed),
        undo: undoOf(image),
        isBusy,
    };
}

/** An image that is newer than what runs and than what waits for the restart. */
export function offeredImage(image: ImageProperties): Deployment | null {
    const available = readDeployment(image.Available);
    const isHere =
        isSameImage(available, readDeployment(image.Booted)) ||
        isSameImage(available, nextDeployment(image));
    return isHere ? null : available;
}

function stateOf(
    image: ImageProperties,
    job: Job | null,
    failed: string,
    restart: RestartNeed,
): ImageState {
    if (job) return 'working';
    if (image.Problem) return 'problem';
    if (restart.isNeeded) return 'restart';
    if (failed || image.LastOutcome === 'failed') return 'failed';
    if (image.LastOutcome === 'held-rollback') return 'held-rollback';
    if (offeredImage(image)) return 'available';
    return image.LastOutcome ? 'current' : 'unknown';
}

function rowsOf(image: ImageProperties): readonly ImageRow[] {
    const booted = readDeployment(image.Booted);
    const next = nextDeployment(image);
    const offered = offeredImage(image);
    const downloaded = readDeployment(image.Downloaded);
    const rollback = image.RollbackQueued ? null : readDeployment(image.Rollback);
    const found: readonly (readonly [RowKind, Deployment | null])[] = [
        ['running', booted],
        ['next', next],
        ['available', isSameImage(offered, rollback) ? null : offered],
        ['downloaded', isSameImage(downloaded, next) ? null : downloaded],
        ['rollback', rollback],
    ];
    return found.flatMap(([kind, deployment]) => {
        if (!deployment) return [];
        const isOther =
            deployment.image !== '' && deployment.image !== (booted?.image || image.Followed);
        return [{kind, deployment, isOther}];
    });
}

function actionsOf(image: ImageProperties): ReadonlySet<ImageAction> {
    const can = (capability: string) => image.Capabilities.includes(capability);
    const offered = offeredImage(image);
    const downloaded = readDeployment(image.Downloaded);
    const actions = new Set<ImageAction>();
    // Without a check, only an update finds out.
    if (can('update') && (offered || downloaded || !can('check'))) actions.add('update');
    if (can('download-only') && offered && !isSameImage(offered, downloaded))
        actions.add('download');
    if (can('check')) actions.add('check');
    if (can('rollback') && readDeployment(image.Rollback) && !image.RollbackQueued)
        actions.add('rollback');
    if (can('unstage') && nextDeployment(image)) actions.add('unstage');
    return actions;
}

function undoOf(image: ImageProperties): Undo {
    if (image.RollbackQueued) return 'rollback';
    const [booted, staged] = [readDeployment(image.Booted), readDeployment(image.Staged)];
    return booted && staged && staged.image !== booted.image ? 'switch' : 'update';
}
