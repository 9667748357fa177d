// SPDX-License-Identifier: GPL-2.0-or-later
// The words for the container.
import type {Question} from './confirmation.js';
import {percent} from './feature-view.js';
import type {DeviceView} from './intune-devices.js';
import type {IntuneState, IntuneView} from './intune-view.js';
import type {Job} from './snow-objects.js';
import {fill, gettext as _} from './text.js';

export const ICON_NAME = 'security-high-symbolic';

/** As few words as fit the toggle. */
export function intuneStateText({state, job}: IntuneView): string {
    if (state === 'working' && job) return jobText(job);
    const texts: Readonly<Record<IntuneState, string>> = {
        absent: _('Not set up'),
        stopped: _('Stopped'),
        starting: _('Starting…'),
        running: _('Running'),
        stopping: _('Stopping…'),
        failed: _('Failed'),
        working: _('Changing'),
    };
    return texts[state];
}

export function devicesText(kinds: readonly string[]): string {
    const names: Readonly<Record<string, string>> = {
        gpu: _('Graphics'),
        nvidia: _('Nvidia Graphics'),
        'smart-cards': _('Smart Cards'),
        'security-key': _('Security Keys'),
        camera: _('Cameras'),
    };
    return kinds.map(kind => names[kind] ?? kind).join(', ');
}

/** What there is to know of a device but its name and its switch; mostly nothing. */
export function deviceNote({state, isBusy, isAmbiguous, node}: DeviceView): string {
    if (state === 'never') return _('The settings keep it from the container');
    if (state === 'elsewhere' && !isBusy) return _('Another user’s session has it');
    return isAmbiguous ? node : '';
}

export function askUpdate(isRunning: boolean): Question {
    return {
        title: _('Update Intune?'),
        paragraphs: [
            _('The container is made anew from the newest image. That takes a few minutes.'),
            isRunning
                ? _('At the end its open applications are closed: save your work before.')
                : '',
            _('Your files and the enrolment of this computer stay.'),
        ].filter(Boolean),
        answer: _('Update'),
    };
}

function jobText(job: Job): string {
    const done = percent(job);
    const percentText = done === null ? '' : fill(_('%s %'), done);
    return [verb(job.Operation), percentText].filter(Boolean).join(' ');
}

function verb(operation: string): string {
    switch (operation) {
        case 'intune.init':
        case 'intune.adopt':
            return _('Setting up');
        case 'intune.recreate':
            return _('Updating');
        case 'intune.restore':
            return _('Restoring');
        case 'intune.destroy':
            return _('Removing');
        default:
            return _('Changing');
    }
}
