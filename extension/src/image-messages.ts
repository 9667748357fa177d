// SPDX-License-Identifier: GPL-2.0-or-later
// What is told of the OS image: the ends of its jobs, and an update that waits for a restart.
import type {ImageProperties} from './generated/dbus.js';
import {nameOf, nextDeployment, readDeployment, readOutlooks} from './image-deployment.js';
import {offeredImage} from './image-view.js';
import type {Message} from './message.js';
import type {Job} from './snow-objects.js';
import {fill, gettext as _} from './text.js';

/** Null: nothing worth a word, or what is staged is told anyway. What others did is theirs. */
export function describeImage(
    job: Job,
    isOwn: boolean,
    image: ImageProperties | null,
): Message | null {
    if (!isOwn || !image) return null;
    switch (job.Operation) {
        case 'image.check':
            return describeCheck(image);
        case 'image.download': {
            const downloaded = readDeployment(image.Downloaded);
            return {
                title: _('System update downloaded'),
                body: downloaded ? fill(_('Version %s'), nameOf(downloaded)) : '',
            };
        }
        case 'image.rollback': {
            const next = nextDeployment(image);
            return {
                title: _('Ready to roll back'),
                body: next ? fill(_('Version %s starts with the next restart'), nameOf(next)) : '',
                isForRestart: true,
            };
        }
        case 'image.unstage': {
            const booted = readDeployment(image.Booted);
            return {
                title: _('The system stays as it is'),
                body: booted ? fill(_('The next restart starts version %s'), nameOf(booted)) : '',
            };
        }
        default:
            return null;
    }
}

/** `identity`: digest or version of what is staged. */
export function describeStaged(identity: string, image: ImageProperties): Message {
    const staged = readDeployment(image.Staged);
    const isKnown = staged?.digest === identity || staged?.version === identity;
    const version =
        isKnown && staged ? nameOf(staged) : identity.replace(/^sha256:/, '').slice(0, 14);
    const missing = readOutlooks(image).filter(({state}) => state === 'missing');
    const sentences = [
        fill(_('Version %s starts with the next restart'), version),
        ...missing.map(({text}) => text),
    ];
    return {
        title: _('System update ready'),
        body: sentences.filter(Boolean).join('. '),
        isForRestart: true,
    };
}

export function imageFailureTitle(operation: string, target: string): string {
    switch (operation) {
        case 'image.check':
            return _('Could not check for system updates');
        case 'image.update':
            return _('Could not update the system');
        case 'image.download':
            return _('Could not download the system update');
        case 'image.switch':
            return target ? fill(_('Could not switch to %s'), target) : _('Could not switch');
        case 'image.rollback':
            return _('Could not roll back the system');
        default:
            return _('Could not change the system');
    }
}

function describeCheck(image: ImageProperties): Message {
    const offered = offeredImage(image);
    if (!offered) return {title: _('The system is up to date'), body: ''};
    return {title: _('System update available'), body: fill(_('Version %s'), nameOf(offered))};
}
