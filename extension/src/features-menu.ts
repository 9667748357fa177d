// SPDX-License-Identifier: GPL-2.0-or-later
// What the menu of the toggle "Extensions" consists of, below its header.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';
import type {QuickToggleMenu} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {FeatureList} from './feature-list.js';
import type {Summary} from './feature-view.js';
import {JobBox} from './job-box.js';
import {Notice} from './notice.js';
import {DIM_OPACITY, Paragraph} from './paragraph.js';
import {type SnowClient, canCancel} from './snow-client.js';
import {isRunning} from './snow-objects.js';
import {gettext as _} from './text.js';

/** What of the screen's height the list may take; the rest of the menu needs the remainder. */
const LIST_SHARE = 0.45;

export class FeaturesMenu extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeaturesMenu'}, this);
    }

    #client: SnowClient;
    #width = -1;
    #commonProblem = new Notice();
    #commonJob: JobBox;
    #list: FeatureList;
    #placeholder: Paragraph;
    #updateItem: PopupMenu.PopupImageMenuItem;
    #checkItem: PopupMenu.PopupImageMenuItem;

    constructor(client: SnowClient, openPreferences: () => void) {
        super({orientation: Clutter.Orientation.VERTICAL, xExpand: true});
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

        this.#updateItem.connect('activate', () => void client.updateAll());
        this.#checkItem.connect('activate', () => void client.check());
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
        const isBusy = surroundings.jobs.some(isRunning);
        this.#updateItem.sensitive = this.#checkItem.sensitive = !isBusy;
    }

    /** Takes from the screen and the menu around it what there is to fill. To be called before it opens. */
    fit(menu: QuickToggleMenu): void {
        const {height} = Main.layoutManager.getWorkAreaForMonitor(Main.layoutManager.primaryIndex);
        const {scaleFactor} = St.ThemeContext.get_for_stage(global.stage);
        this.#list.vadjustment.value = 0;
        this.#list.style = `max-height: ${Math.round((height * LIST_SHARE) / scaleFactor)}px;`;

        const overlay = menu.actor.get_parent();
        if (this.#width >= 0 || !overlay) return;
        const node = menu.box.get_theme_node();
        const margins = node.get_margin(St.Side.LEFT) + node.get_margin(St.Side.RIGHT);
        this.#width = Math.max(0, node.adjust_for_width(overlay.width - margins));
    }

    /** Quick Settings asks for a menu's height without telling its width, which text that wraps needs. */
    override vfunc_get_preferred_height(width: number): [number, number] {
        return super.vfunc_get_preferred_height(width < 0 ? this.#width : width);
    }

    override vfunc_allocate(box: Clutter.ActorBox): void {
        this.#width = box.get_width();
        super.vfunc_allocate(box);
    }
}
