// SPDX-License-Identifier: GPL-2.0-or-later
// What is told of the ends of jobs of the container.
import type {IntuneProperties} from './generated/dbus.js';
import type {Message} from './message.js';
import type {Job} from './snow-objects.js';
import {gettext as _} from './text.js';

/** Null: nothing worth a word, or what others did. */
export function describeIntune(
    {Operation}: Job,
    isOwn: boolean,
    intune: IntuneProperties | null,
): Message | null {
    if (!isOwn || !intune) return null;
    switch (Operation) {
        case 'intune.init':
        case 'intune.adopt':
            return {
                title: _('Intune is set up'),
                body: _('Its applications are in the overview'),
            };
        case 'intune.recreate':
            return {title: _('Intune updated'), body: ''};
        case 'intune.restore':
            return {title: _('Intune is as before the update'), body: ''};
        case 'intune.check':
            return intune.NewestDigest && intune.NewestDigest !== intune.Digest
                ? {title: _('Intune update available'), body: ''}
                : {title: _('Intune is up to date'), body: ''};
        default:
            return null;
    }
}

export function intuneFailureTitle(operation: string): string {
    switch (operation) {
        case 'intune.init':
        case 'intune.adopt':
            return _('Could not set up Intune');
        case 'intune.start':
        case 'intune.restart':
            return _('Could not start Intune');
        case 'intune.stop':
            return _('Could not stop Intune');
        case 'intune.open':
            return _('Could not open the application');
        case 'intune.run':
            return _('Could not open a shell');
        case 'intune.attach-device':
            return _('Could not attach the device');
        case 'intune.detach-device':
            return _('Could not detach the device');
        case 'intune.check':
            return _('Could not check for an update of Intune');
        case 'intune.recreate':
            return _('Could not update Intune');
        case 'intune.restore':
            return _('Could not restore Intune');
        case 'intune.destroy':
            return _('Could not remove Intune');
        default:
            return _('Could not change Intune');
    }
}
