// SPDX-License-Identifier: GPL-2.0-or-later
// What is told of the ends of jobs that changed features.
import {hasUpdate} from './feature-view.js';
import type {Message} from './message.js';
import type {EndedJob} from './snow-client.js';
import type {Feature} from './snow-objects.js';
import {fill, gettext as _, ngettext} from './text.js';

/** Null: nothing worth a word. What others did is only told where it brought something new. */
export function describeFeatures(
    {job, results}: EndedJob,
    isOwn: boolean,
    known: readonly Feature[],
): Message | null {
    const name = job.Target;
    const version = typeof results.version === 'string' ? results.version : '';
    const features = Array.isArray(results.features) ? results.features.map(String) : [];
    const isForRestart = results.merged === false;
    const later = isForRestart ? _('Active after a restart') : '';
    const versionText = version && fill(_('Version %s'), version);

    if (job.Operation === 'features.update') {
        if (features.length === 0 && !(isOwn && name)) return null;
        const names = features.join(', ') || name;
        return {
            title: _('Extensions updated'),
            body: [names, later].filter(Boolean).join('\n'),
            isForRestart,
        };
    }
    if (!isOwn) return null;

    switch (job.Operation) {
        case 'features.enable':
            return {
                title: later ? fill(_('%s installed'), name) : fill(_('%s is ready'), name),
                body: later || versionText,
                isForRestart,
            };
        case 'features.disable':
            return {title: fill(_('%s removed'), name), body: ''};
        case 'features.rollback':
            return {
                title: fill(_('%s rolled back'), name),
                body: later || versionText,
                isForRestart,
            };
        case 'features.check':
            return describeUpdates(known);
        default:
            return null;
    }
}

export function featureFailureTitle(operation: string, target: string): string {
    switch (operation) {
        case 'features.enable':
            return fill(_('Could not install %s'), target);
        case 'features.disable':
            return fill(_('Could not remove %s'), target);
        case 'features.rollback':
            return fill(_('Could not roll back %s'), target);
        case 'features.update':
            return target
                ? fill(_('Could not update %s'), target)
                : _('Could not update extensions');
        case 'features.check':
            return _('Could not check for updates');
        default:
            return _('Could not change extensions');
    }
}

function describeUpdates(known: readonly Feature[]): Message {
    const names = known.filter(hasUpdate).map(feature => feature.Name);
    if (names.length === 0) return {title: _('Extensions are up to date'), body: ''};
    const title = ngettext('%s update available', '%s updates available', names.length);
    return {title: fill(title, names.length), body: names.join(', ')};
}
