// SPDX-License-Identifier: GPL-2.0-or-later
// What --dry-run says of the image.

import {SnowError} from '../../host/error.ts';
import type {Context} from '../context.ts';
import {SUCCESS} from '../exit-codes.ts';
import {planText} from '../plan-text.ts';
import {byteText} from '../units.ts';
import type {ImageOperation, ImageOutcome} from './outcome.ts';
import type {ImageState} from './state.ts';
import {imageName} from './view.ts';

export interface ImagePlan {
    readonly operation: ImageOperation;
    /** What the next boot would start, or the download would fetch; empty: not known. */
    readonly image: string;
    readonly version: string;
    readonly steps: readonly string[];
}

export function showPlan({output}: Context, plan: ImagePlan): number {
    output.result({plans: [plan]}, () => planText(plan.steps));
    return SUCCESS;
}

/** Throws SnowError NotSupported for what cannot be done on this machine. */
export function refuseIncapable({driver, capabilities, problem}: ImageState, need: string): void {
    if (capabilities.includes(need)) return;
    const text = `The image of this system cannot be changed so (${need})`;
    throw new SnowError('NotSupported', driver === '' && problem !== '' ? problem : text);
}

/** @param found what a check has just found */
export function planUpdate(
    state: ImageState,
    found: ImageOutcome,
    {isDownloadOnly, isApplying}: {readonly isDownloadOnly: boolean; readonly isApplying: boolean},
): ImagePlan {
    const {downloaded, staged, available, followed} = state;
    const operation = isDownloadOnly ? 'download' : 'update';
    const restart = isApplying ? ['restart the system'] : [];
    const staging = ['stage it for the next restart', 'fetch the extensions that fit it'];
    if (downloaded && !isDownloadOnly) {
        const name = imageName(downloaded);
        const steps = [`take ${name}, which was downloaded before`, ...staging, ...restart];
        return {operation, image: followed, version: downloaded.version ?? '', steps};
    }
    const {version} = found;
    const name = version || 'the newest image';
    switch (found.outcome) {
        case 'held-rollback':
            throw new SnowError(
                'WrongState',
                `The newest image, ${name}, is one that was rolled back from or undone; to start it again: snowctl image rollback`,
            );
        case 'available': {
            const isHere = downloaded !== null && downloaded.version === version;
            const size = available?.size ? ` (${byteText(available.size)})` : '';
            const fetching = `fetch ${name} of ${followed}${size}`;
            const steps = isDownloadOnly ? [fetching] : [fetching, ...staging, ...restart];
            return {operation, image: followed, version, steps: isHere ? [] : steps};
        }
        default:
            return {operation, image: followed, version, steps: staged ? restart : []};
    }
}

export function planSwitch({staged}: ImageState, reference: string): ImagePlan {
    const steps = [
        ...(staged ? [`discard ${imageName(staged)}, which is staged`] : []),
        `fetch the newest image of ${reference}`,
        'stage it for the next restart, and follow it from then on',
        'fetch the extensions that fit it',
    ];
    return {operation: 'switch', image: reference, version: '', steps};
}

export function planRollback({rollback, rollbackQueued, staged}: ImageState): ImagePlan {
    const name = rollback ? imageName(rollback) : '';
    const steps = rollbackQueued
        ? []
        : [
              ...(staged ? [`discard ${imageName(staged)}, which is staged`] : []),
              `have the next restart start ${name}`,
          ];
    return planOf('rollback', rollback, steps);
}

export function planUnstage(state: ImageState): ImagePlan {
    const {booted, staged, rollbackQueued} = state;
    const steps = [
        ...(rollbackQueued ? ['take the rollback back'] : []),
        ...(staged ? [`discard ${imageName(staged)}, which is staged`] : []),
        `have the next restart start ${booted ? imageName(booted) : 'the running image'}`,
    ];
    return planOf('unstage', booted, steps);
}

function planOf(
    operation: ImageOperation,
    image: ImageState['booted'],
    steps: readonly string[],
): ImagePlan {
    return {operation, image: image?.image ?? '', version: image?.version ?? '', steps};
}
