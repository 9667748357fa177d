// SPDX-License-Identifier: GPL-2.0-or-later
// The sign in the panel while a job runs; it brings the toggles into Quick Settings.
import GObject from 'gi://GObject';
import type St from 'gi://St';

import {
    type QuickSettingsItem,
    SystemIndicator,
} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {ICON_NAME} from './features-toggle.js';
import type {SnowClient} from './snow-client.js';
import {isRunning} from './snow-objects.js';
import {gettext as _} from './text.js';

export class JobIndicator extends SystemIndicator {
    static {
        GObject.registerClass({GTypeName: 'SnowControlJobIndicator'}, this);
    }

    #client: SnowClient;
    #icon: St.Icon;

    constructor(client: SnowClient, toggles: readonly QuickSettingsItem[]) {
        super();
        this.#client = client;
        this.#icon = this._addIndicator();
        this.#icon.iconName = ICON_NAME;
        this.#icon.accessibleName = _('Extensions are being changed');
        this.quickSettingsItems.push(...toggles);
        const changedId = client.connect('changed', () => this.#sync());
        this.connect('destroy', () => client.disconnect(changedId));
        this.#sync();
    }

    #sync(): void {
        this.#icon.visible = this.#client.surroundings.jobs.some(isRunning);
    }
}
