// SPDX-License-Identifier: GPL-2.0-or-later
// The toggle "Extensions" of Quick Settings.
import type Gio from 'gi://Gio';
import GObject from 'gi://GObject';

import {QuickMenuToggle} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {type Summary, percent, summarize} from './feature-view.js';
import {FeaturesMenu} from './features-menu.js';
import type {SnowClient} from './snow-client.js';
import {FEATURES_PATH, type Job} from './snow-objects.js';
import {ToggleMenu} from './toggle-menu.js';
import {fill, gettext as _, ngettext} from './text.js';

export const ICON_NAME = 'application-x-addon-symbolic';

export class FeaturesToggle extends QuickMenuToggle {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeaturesToggle'}, this);
    }

    #client: SnowClient;
    #settings: Gio.Settings;
    #menu: ToggleMenu<FeaturesMenu>;

    constructor(client: SnowClient, settings: Gio.Settings, openPreferences: () => void) {
        super({title: _('Extensions'), iconName: ICON_NAME, visible: false});
        this.#client = client;
        this.#settings = settings;
        this.#menu = new ToggleMenu(
            this,
            () => new FeaturesMenu(client, openPreferences),
            () => this.#onOpen(),
        );

        const changedId = client.connect('changed', () => this.#sync());
        const settingsId = settings.connect('changed::show-features', () => this.#sync());
        this.connect('destroy', () => {
            client.disconnect(changedId);
            settings.disconnect(settingsId);
        });
        this.#sync();
    }

    override destroy(): void {
        this.#menu.destroy();
        super.destroy();
    }

    #sync(): void {
        const summary = summarize(this.#client.features, this.#client.surroundings.jobs);
        this.visible = this.#client.isAvailable && this.#settings.get_boolean('show-features');
        this.checked = summary.activeCount > 0;
        this.subtitle = subtitle(summary);
        const {content} = this.#menu;
        if (!content) return;
        this.menu.setHeader(ICON_NAME, _('System Extensions'), updatesText(summary.updateCount));
        content.sync(summary);
    }

    #onOpen(): void {
        this.#client.forgetRefusals(FEATURES_PATH);
        this.#sync();
        void this.#client.refresh();
    }
}

/** As few words as fit the toggle. */
function subtitle({job, activeCount}: Summary): string | null {
    if (job) return [jobText(job), percentText(job)].filter(Boolean).join(' ');
    if (activeCount === 0) return null;
    return fill(ngettext('%s active', '%s active', activeCount), activeCount);
}

function jobText({Operation}: Job): string {
    switch (Operation) {
        case 'features.enable':
            return _('Installing');
        case 'features.disable':
            return _('Removing');
        case 'features.update':
            return _('Updating');
        case 'features.check':
            return _('Checking');
        default:
            return _('Changing');
    }
}

function percentText(job: Job): string {
    const done = percent(job);
    return done === null ? '' : fill(_('%s %'), done);
}

function updatesText(count: number): string {
    if (count === 0) return '';
    return fill(ngettext('%s update available', '%s updates available', count), count);
}
