// SPDX-License-Identifier: GPL-2.0-or-later
// The words for OS images.
import GLib from 'gi://GLib';
import Shell from 'gi://Shell';

import {percent} from './feature-view.js';
import {type Deployment, nameOf} from './image-deployment.js';
import type {ImageState, ImageView, RowKind, Undo} from './image-view.js';
import type {RestartNeed} from './restart-need.js';
import type {Job} from './snow-objects.js';
import {fill, gettext as _, ngettext} from './text.js';

/** As few words as fit the toggle; null: there is nothing to say. */
export function stateText({state, job}: ImageView): string | null {
    if (job) return jobText(job);
    const texts: Readonly<Record<ImageState, string | null>> = {
        working: null,
        problem: _('Needs attention'),
        restart: _('Restart to finish'),
        failed: _('Update failed'),
        available: _('Update available'),
        'held-rollback': _('Held back'),
        current: _('Up to date'),
        unknown: null,
    };
    return texts[state];
}

export function rowTitle(kind: RowKind): string {
    const titles: Readonly<Record<RowKind, string>> = {
        running: _('Running'),
        next: _('After the restart'),
        available: _('Available'),
        downloaded: _('Downloaded'),
        rollback: _('Rollback'),
    };
    return titles[kind];
}

export function undoText(undo: Undo): string {
    const texts: Readonly<Record<Undo, string>> = {
        update: _('Undo Update'),
        switch: _('Undo Switch'),
        rollback: _('Undo Rollback'),
    };
    return texts[undo];
}

/** What a restart is needed for. */
export function restartText({image, featureCount}: RestartNeed): string {
    const ofImage = image ? fill(_('Starts version %s'), nameOf(image)) : '';
    const ofFeatures =
        featureCount > 0
            ? fill(
                  ngettext('Changes %s extension', 'Changes %s extensions', featureCount),
                  featureCount,
              )
            : '';
    return [ofImage, ofFeatures].filter(Boolean).join('\n');
}

/** When an image was built, and how much there is to fetch. */
export function deploymentText({timestamp, size}: Deployment): string {
    return [timestamp ? dateText(timestamp) : '', size ? GLib.format_size(size) : '']
        .filter(Boolean)
        .join(' · ');
}

export function lastCheckText(seconds: number): string {
    if (seconds === 0) return '';
    const time = GLib.DateTime.new_from_unix_local(seconds);
    const isToday = time.format('%F') === GLib.DateTime.new_now_local().format('%F');
    return fill(_('Last check: %s'), isToday ? (time.format('%X') ?? '') : dateText(seconds));
}

/** As the shell's own calendar writes it, in its translation. */
export function dateText(seconds: number): string {
    const format = Shell.util_translate_time_string('%B %-d %Y');
    return GLib.DateTime.new_from_unix_local(seconds).format(format) ?? '';
}

function jobText(job: Job): string {
    const done = percent(job);
    const percentText = done === null ? '' : fill(_('%s %'), done);
    return [verb(job.Operation), percentText].filter(Boolean).join(' ');
}

function verb(operation: string): string {
    switch (operation) {
        case 'image.check':
            return _('Checking');
        case 'image.update':
            return _('Updating');
        case 'image.download':
            return _('Downloading');
        case 'image.switch':
            return _('Switching');
        case 'image.rollback':
            return _('Rolling back');
        default:
            return _('Changing');
    }
}
