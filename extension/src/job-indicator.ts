// SPDX-License-Identifier: GPL-2.0-or-later
// The signs in the panel while jobs run; it brings the toggles into Quick Settings.
import GObject from 'gi://GObject';

import {
    type QuickSettingsItem,
    SystemIndicator,
} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {ICON_NAME as FEATURES_ICON_NAME} from './features-toggle.js';
import {ICON_NAME as INTUNE_ICON_NAME} from './intune-text.js';
import type {SnowClient} from './snow-client.js';
import {type Domain, type Job, attaches, isRunning} from './snow-objects.js';
import {ICON_NAME as SYSTEM_ICON_NAME} from './system-toggle.js';
import {gettext as _} from './text.js';

export class JobIndicator extends SystemIndicator {
    static {
        GObject.registerClass({GTypeName: 'SnowControlJobIndicator'}, this);
    }

    constructor(
        client: SnowClient,
        toggles: readonly (readonly [domain: Domain, toggle: QuickSettingsItem])[],
    ) {
        super();
        const signs = toggles.map(([domain, toggle]) => {
            this.quickSettingsItems.push(toggle);
            return {domain, icon: Object.assign(this._addIndicator(), looksOf(domain))};
        });
        const sync = () => {
            for (const {domain, icon} of signs)
                icon.visible = client.jobsOf(domain).some(job => isRunning(job) && !isBrief(job));
        };
        const changedId = client.connect('changed', sync);
        this.connect('destroy', () => client.disconnect(changedId));
        sync();
    }
}

/** A sign that is gone at once only moves the others. */
function isBrief(job: Job): boolean {
    return attaches(job) !== null;
}

function looksOf(domain: Domain): {iconName: string; accessibleName: string} {
    const looks = {
        features: {
            iconName: FEATURES_ICON_NAME,
            accessibleName: _('Extensions are being changed'),
        },
        image: {
            iconName: SYSTEM_ICON_NAME,
            accessibleName: _('The system is being changed'),
        },
        intune: {
            iconName: INTUNE_ICON_NAME,
            accessibleName: _('The Intune container is being changed'),
        },
    };
    return looks[domain];
}
