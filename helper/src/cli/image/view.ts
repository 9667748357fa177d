// SPDX-License-Identifier: GPL-2.0-or-later
// What people and programs are shown of the image.

import type {HistoryEntry, HistoryImage} from '../../image/history.ts';
import {fields, table, type TableStyle} from '../table.ts';
import {byteText, timeText} from '../units.ts';
import {type ChannelSummary, type ImageState, type ImageSummary, nextImage} from './state.ts';

const NOTHING = '-';
/** Digits of a digest that tell one image from another for a person. */
const DIGEST_DIGITS = 12;

/** `2.1`, or what else tells it from others. */
export function imageName({
    version,
    digest,
    image,
}: Pick<ImageSummary, 'version' | 'digest' | 'image'>): string {
    return version || (digest && shortDigest(digest)) || image || 'an image without a name';
}

/** `sha256:0123456789ab` */
export function shortDigest(digest: string): string {
    const [algorithm = '', digits = ''] = digest.split(':');
    return digits === '' ? digest : `${algorithm}:${digits.slice(0, DIGEST_DIGITS)}`;
}

/** A word for how it stands. */
export function stateText(state: ImageState): string {
    if (state.driver === '') return 'not managed';
    if (state.booted === null) return 'not known';
    if (nextImage(state) !== null) return 'restart to finish';
    if (state.available !== null) return 'update available';
    switch (state.lastOutcome) {
        case 'current':
            return 'up to date';
        case 'held-rollback':
            return 'the newest image was rolled back from or undone, and is held back';
        case 'failed':
            return 'the last check failed';
        default:
            return 'not checked since the boot';
    }
}

/** All that `image status` says. featuresRestart: whether a restart changes extensions, too. */
export function statusText(state: ImageState, featuresRestart: boolean, style: TableStyle): string {
    const {driver, followed, booted, rollback, rollbackQueued, downloaded, available} = state;
    const show = (image: ImageSummary | null): readonly string[] =>
        image ? [summaryText(image, followed)] : [];
    return fields(
        [
            ['State', [stateText(state)]],
            ['Follows', followed === '' ? [] : [`${followed} (${driver})`]],
            ['Running', show(booted)],
            ['Next restart', restartTexts(state, featuresRestart)],
            ['Rollback', rollbackQueued ? [] : show(rollback)],
            ['Downloaded', show(downloaded)],
            ['Available', show(available)],
            ['Last check', driver === '' ? [] : [timeText(state.lastCheck)]],
            ['Problem', state.problem === '' ? [] : [state.problem]],
        ],
        style,
    );
}

/** What a restart does, and which extensions are missing then. */
function restartTexts(state: ImageState, featuresRestart: boolean): readonly string[] {
    if (state.booted === null) return [];
    const next = nextImage(state);
    const missing = state.extensions.filter(({state: outlook}) => outlook === 'missing');
    return [
        next
            ? `starts ${summaryText(next, state.followed)}${state.rollbackQueued ? ', a rollback' : ''}`
            : 'starts the same image',
        ...(next?.softReboot ? ['can be done without the firmware'] : []),
        ...(featuresRestart ? ['makes other versions of extensions active'] : []),
        ...missing.map(({feature, text}) => `without ${feature}${text === '' ? '' : `: ${text}`}`),
    ];
}

/** `2 (2026-11-20 10:00, sha256:0123456789ab)`, with its reference where that is another one. */
function summaryText(summary: ImageSummary, followed: string): string {
    const {version, image, digest, timestamp, size, slot, pinned} = summary;
    const details = [
        timestamp === null ? '' : timeText(timestamp),
        digest === null || version === null ? '' : shortDigest(digest),
        size === null ? '' : byteText(size),
        slot ?? '',
        pinned ? 'pinned' : '',
    ].filter(Boolean);
    const name = imageName(summary);
    const isOther = image !== null && image !== followed && image !== name;
    return [
        name,
        isOther ? ` of ${image}` : '',
        details.length === 0 ? '' : ` (${details.join(', ')})`,
    ].join('');
}

/** What `image status --json` prints. */
export function statusDocument(state: ImageState, featuresRestart: boolean) {
    return {
        ...state,
        updateAvailable: state.available !== null,
        featuresRestartNeeded: featuresRestart,
    };
}

export function channelsText(channels: readonly ChannelSummary[], style: TableStyle): string {
    if (channels.length === 0) return 'There are no channels for this system.\n';
    const rows = channels.map(({name, image, title, description, followed}) => [
        followed ? '*' : '',
        name,
        image,
        [title, description].filter(Boolean).join(': '),
    ]);
    return table(['', 'NAME', 'IMAGE', 'DESCRIPTION'], rows, style);
}

/**
 * The newest first.
 *
 * @param names of users by uid; of one that is gone, the uid is shown
 */
export function historyText(
    entries: readonly HistoryEntry[],
    names: ReadonlyMap<number, string>,
    style: TableStyle,
): string {
    if (entries.length === 0) return 'Nothing was done to the image yet.\n';
    const rows = entries.map(({time, operation, target, from, to, uid, outcome, error}) => [
        timeText(time),
        operation,
        target || NOTHING,
        historyName(from),
        historyName(to),
        names.get(uid) ?? String(uid),
        error === '' ? outcome : `${outcome}: ${error}`,
    ]);
    return table(['TIME', 'OPERATION', 'TARGET', 'FROM', 'TO', 'USER', 'OUTCOME'], rows, style);
}

function historyName(image: HistoryImage | null): string {
    return image ? imageName(image) : NOTHING;
}
