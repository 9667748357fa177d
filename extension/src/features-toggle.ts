// SPDX-License-Identifier: GPL-2.0-or-later
// The toggle "Extensions" of Quick Settings.
import type Gio from 'gi://Gio';
import GObject from 'gi://GObject';
import St from 'gi://St';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import {QuickMenuToggle} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {type Summary, percent, summarize} from './feature-view.js';
import {FeaturesMenu} from './features-menu.js';
import type {SnowClient} from './snow-client.js';
import type {Job} from './snow-objects.js';
import {fill, gettext as _, ngettext} from './text.js';

export const ICON_NAME = 'application-x-addon-symbolic';

/** Logical pixels between the menu and the edge of the screen. */
const SCREEN_MARGIN = 12;

export class FeaturesToggle extends QuickMenuToggle {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeaturesToggle'}, this);
    }

    #client: SnowClient;
    #settings: Gio.Settings;
    #openPreferences: () => void;
    /** Made when the menu first opens. */
    #content: FeaturesMenu | null = null;

    constructor(client: SnowClient, settings: Gio.Settings, openPreferences: () => void) {
        super({title: _('Extensions'), iconName: ICON_NAME, visible: false});
        this.#client = client;
        this.#settings = settings;
        this.#openPreferences = openPreferences;

        // There is no one thing to toggle.
        this.connect('clicked', () => this.menu.open());
        this.menu.actor.connect('notify::visible', () => {
            if (this.menu.actor.visible) this.#onMenuShown();
        });
        this.menu.actor.connect('notify::allocation', () => this.#keepOnScreen());

        const changedId = client.connect('changed', () => this.#sync());
        const settingsId = settings.connect('changed::show-features', () => this.#sync());
        this.connect('destroy', () => {
            client.disconnect(changedId);
            settings.disconnect(settingsId);
        });
        this.#sync();
    }

    override destroy(): void {
        // The shell leaves the menu of a toggle behind.
        this.menu.destroy();
        super.destroy();
    }

    #sync(): void {
        const summary = summarize(this.#client.features, this.#client.surroundings.jobs);
        this.visible = this.#client.isAvailable && this.#settings.get_boolean('show-features');
        this.checked = summary.activeCount > 0;
        this.subtitle = subtitle(summary);
        if (!this.menu.actor.visible) return;
        this.menu.setHeader(ICON_NAME, _('System Extensions'), updatesText(summary.updateCount));
        this.#content?.sync(summary);
    }

    /** Just before the menu measures itself to open. */
    #onMenuShown(): void {
        if (!this.#content) {
            this.#content = new FeaturesMenu(this.#client, this.#openPreferences);
            this.menu.box.add_child(this.#content);
        }
        this.#client.forgetRefusals();
        this.#content.fit(this.menu);
        this.#sync();
        void this.#client.refresh();
    }

    /** Where there is not enough room below the toggle, the menu covers the toggles above, too. */
    #keepOnScreen(): void {
        const {actor} = this.menu;
        const {y, height} = Main.layoutManager.getWorkAreaForMonitor(
            Main.layoutManager.primaryIndex,
        );
        const {scaleFactor} = St.ThemeContext.get_for_stage(global.stage);
        const [, top] = this.get_transformed_position();
        const bottom = top + this.height + actor.height;
        actor.translationY = Math.min(0, y + height - SCREEN_MARGIN * scaleFactor - bottom);
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
