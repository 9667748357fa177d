// SPDX-License-Identifier: GPL-2.0-or-later
// What the menu of the toggle "Extensions" consists of, below its header.
import GObject from 'gi://GObject';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';
import type {QuickToggleMenu} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {checkFeatures, updateFeatures} from './feature-calls.js';
import {FeatureList} from './feature-list.js';
import type {Summary} from './feature-view.js';
import {JobBox} from './job-box.js';
import {MenuContent} from './menu-content.js';
import {Notice} from './notice.js';
import {DIM_OPACITY, Paragraph} from './paragraph.js';
import {RestartItem} from './restart-item.js';
import {restartNeed} from './restart-need.js';
import {type SnowClient, canCancel} from './snow-client.js';
import {isRunning} from './snow-objects.js';
import {gettext as _} from './text.js';

/** What of the screen's height the list may take; the rest of the menu needs the remainder. */
const LIST_SHARE = 0.45;

export class FeaturesMenu extends MenuContent {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeaturesMenu'}, this);
    }

    #client: SnowClient;
    #commonProblem = new Notice();
    #commonJob: JobBox;
    #list: FeatureList;
    #placeholder: Paragraph;
    #restartItem = new RestartItem();
    #updateItem: PopupMenu.PopupImageMenuItem;
    #checkItem: PopupMenu.PopupImageMenuItem;

    constructor(client: SnowClient, openPreferences: () => void) {
        super();
        this.#client = client;

        this.#commonProblem.add_style_class_name('snow-menu-notice');
        this.#commonJob = new JobBox(_('Extensions'), job => void client.cancel(job));
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

        this.#updateItem.connect('activate', () => void updateFeatures(client));
        this.#checkItem.connect('activate', () => void checkFeatures(client));
        settingsItem.connect('activate', () => {
            Main.panel.closeQuickSettings();
            openPreferences();
        });

        // Not by the menu's addMenuItem(): it stays open to show what they do.
        this.add_child(this.#commonProblem);
        this.add_child(this.#commonJob);
        this.add_child(this.#list);
        this.add_child(this.#placeholder);
        this.add_child(new PopupMenu.PopupSeparatorMenuItem());
        this.add_child(this.#restartItem);
        this.add_child(this.#updateItem);
        this.add_child(this.#checkItem);
        this.add_child(settingsItem);
    }

    sync({commonJob, commonProblem, updateCount}: Summary): void {
        const {features, problem, summary, surroundings} = this.#client;
        this.#commonProblem.sync(problem || commonProblem || summary?.Problem || '');
        this.#commonJob.sync(commonJob, commonJob !== null && canCancel(this.#client, commonJob));
        this.#list.sync();
        this.#list.visible = features.length > 0;
        this.#placeholder.visible = features.length === 0 && problem === '';
        this.#updateItem.visible = updateCount > 0;
        this.#restartItem.sync(restartNeed(null, summary, features));
        const isBusy = surroundings.jobs.some(isRunning);
        this.#updateItem.sensitive = this.#checkItem.sensitive = !isBusy;
    }

    override fit(menu: QuickToggleMenu): void {
        super.fit(menu);
        this.#list.fit(LIST_SHARE);
    }
}
