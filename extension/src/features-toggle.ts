// SPDX-License-Identifier: GPL-2.0-or-later
// The toggle "Extensions" of Quick Settings, with a menu of all features.
import type Gio from 'gi://Gio';
import GObject from 'gi://GObject';
import St from 'gi://St';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';
import {QuickMenuToggle} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {FeatureList} from './feature-list.js';
import {type Summary, percent, summarize} from './feature-view.js';
import {JobBox} from './job-box.js';
import {MenuBody} from './menu-body.js';
import {Notice} from './notice.js';
import {DIM_OPACITY, Paragraph} from './paragraph.js';
import {type SnowClient, canCancel} from './snow-client.js';
import type {Job} from './snow-objects.js';
import {fill, gettext as _, ngettext} from './text.js';

export const ICON_NAME = 'application-x-addon-symbolic';

/** What of the screen's height the list may take; the rest of its menu needs the remainder. */
const LIST_SHARE = 0.45;

/** Logical pixels between the menu and the edge of the screen. */
const SCREEN_MARGIN = 12;

export class FeaturesToggle extends QuickMenuToggle {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeaturesToggle'}, this);
    }

    #client: SnowClient;
    #settings: Gio.Settings;
    #body = new MenuBody();
    #notice = new Notice();
    #jobBox: JobBox;
    #list: FeatureList;
    #placeholder: Paragraph;
    #updateItem: PopupMenu.PopupImageMenuItem;
    #checkItem: PopupMenu.PopupImageMenuItem;

    constructor(client: SnowClient, settings: Gio.Settings, openPreferences: () => void) {
        super({title: _('Extensions'), iconName: ICON_NAME, visible: false});
        this.#client = client;
        this.#settings = settings;

        this.#notice.add_style_class_name('snow-menu-notice');
        this.#jobBox = new JobBox(_('Extensions'), () => {
            const {commonJob} = this.#summary();
            if (commonJob) void this.#client.cancel(commonJob);
        });
        this.#list = new FeatureList(client);
        this.#placeholder = new Paragraph({
            text: _('No extensions are available for this system'),
            styleClass: 'snow-placeholder',
            opacity: DIM_OPACITY,
        });
        this.#updateItem = new PopupMenu.PopupImageMenuItem(
            _('Update All'),
            'software-update-available-symbolic',
        );
        this.#checkItem = new PopupMenu.PopupImageMenuItem(
            _('Check for Updates'),
            'view-refresh-symbolic',
        );
        const settingsItem = new PopupMenu.PopupImageMenuItem(
            _('Extension Settings'),
            'cog-wheel-symbolic',
        );

        // Not as the menu's own items: it stays open to show what they do.
        this.#body.add_child(this.#notice);
        this.#body.add_child(this.#jobBox);
        this.#body.add_child(this.#list);
        this.#body.add_child(this.#placeholder);
        this.#body.add_child(new PopupMenu.PopupSeparatorMenuItem());
        this.#body.add_child(this.#updateItem);
        this.#body.add_child(this.#checkItem);
        this.#body.add_child(settingsItem);
        this.menu.box.add_child(this.#body);

        this.#updateItem.connect('activate', () => void client.updateAll());
        this.#checkItem.connect('activate', () => void client.check());
        settingsItem.connect('activate', () => {
            Main.panel.closeQuickSettings();
            openPreferences();
        });
        this.connect('clicked', () => this.menu.open());
        this.menu.actor.connect('notify::visible', () => this.#onMenuShown());
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

    #summary(): Summary {
        return summarize(this.#client.features, this.#client.surroundings.jobs);
    }

    #sync(): void {
        const summary = this.#summary();
        this.visible = this.#client.isAvailable && this.#settings.get_boolean('show-features');
        this.checked = summary.activeCount > 0;
        this.subtitle = subtitle(summary);
        if (this.menu.isOpen) this.#syncMenu(summary);
    }

    #syncMenu(summary: Summary): void {
        const {features, problem, surroundings} = this.#client;
        const {commonJob, commonProblem, updateCount} = summary;
        this.menu.setHeader(ICON_NAME, _('System Extensions'), updatesText(updateCount));
        this.#notice.sync(problem || commonProblem || this.#client.summary?.Problem || '');
        this.#jobBox.sync(commonJob, commonJob !== null && canCancel(this.#client, commonJob));
        this.#list.sync();
        this.#list.visible = features.length > 0;
        this.#placeholder.visible = features.length === 0 && problem === '';
        this.#updateItem.visible = updateCount > 0;
        const isBusy = surroundings.jobs.some(job => job.State === 'running');
        this.#updateItem.sensitive = this.#checkItem.sensitive = !isBusy;
    }

    /** Before the menu measures itself to open. */
    #onMenuShown(): void {
        if (!this.menu.actor.visible) return;
        const {height} = Main.layoutManager.getWorkAreaForMonitor(Main.layoutManager.primaryIndex);
        const {scaleFactor} = St.ThemeContext.get_for_stage(global.stage);
        this.#list.style = `max-height: ${Math.round((height * LIST_SHARE) / scaleFactor)}px;`;
        this.#body.expectWidth(this.menu);
        this.#syncMenu(this.#summary());
        this.#client.forgetRefusals();
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
