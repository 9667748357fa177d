// SPDX-License-Identifier: GPL-2.0-or-later
// What the menu of the toggle "System" consists of, below its header.
import GObject from 'gi://GObject';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';
import type {QuickToggleMenu} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {ActionItem} from './action-item.js';
import {ChannelList} from './channel-list.js';
import {Confirmation, type Question} from './confirmation.js';
import type {ImageProperties} from './generated/dbus.js';
import {callImage, switchImage} from './image-calls.js';
import {type Channel, nameOf, readDeployment} from './image-deployment.js';
import {askRollback, askSwitch} from './image-questions.js';
import {ImageItem} from './image-row.js';
import {lastCheckText, undoText} from './image-text.js';
import {type ImageAction, type ImageView, type RowKind, offeredImage} from './image-view.js';
import {JobBox} from './job-box.js';
import {MenuContent} from './menu-content.js';
import {Notice} from './notice.js';
import {OutlookList} from './outlook-list.js';
import {RestartItem} from './restart-item.js';
import type {RestartNeed} from './restart-need.js';
import {ScrollBox} from './scroll-box.js';
import {type SnowClient, canCancel} from './snow-client.js';
import {fill, gettext as _} from './text.js';

/** What of the screen's height may be below the header. */
const SCREEN_SHARE = 0.75;
const ROWS: readonly RowKind[] = ['running', 'next', 'available', 'downloaded', 'rollback'];

export class SystemMenu extends MenuContent {
    static {
        GObject.registerClass({GTypeName: 'SnowControlSystemMenu'}, this);
    }

    #client: SnowClient;
    #scroll = new ScrollBox();
    #problem = new Notice();
    #job: JobBox;
    #rows = new Map(ROWS.map(kind => [kind, new ImageItem(kind)]));
    #outlooks: OutlookList;
    #restartItem = new RestartItem();
    #actions: ReadonlyMap<ImageAction, ActionItem>;
    #channels: ChannelList;
    #confirmation: Confirmation | null = null;

    constructor(client: SnowClient, openPreferences: () => void) {
        super();
        this.#client = client;
        this.#problem.add_style_class_name('snow-menu-notice');
        this.#job = new JobBox(_('System'), job => void client.cancel(job));
        const followFocus = this.#scroll.followFocus.bind(this.#scroll);
        this.#outlooks = new OutlookList(followFocus);
        this.#channels = new ChannelList(channel => this.#askSwitch(channel), followFocus);
        this.#actions = new Map<ImageAction, ActionItem>([
            ['update', new ActionItem('software-update-available-symbolic')],
            ['download', new ActionItem('folder-download-symbolic', _('Download for Later'))],
            ['check', new ActionItem('view-refresh-symbolic', _('Check for Updates'))],
            ['rollback', new ActionItem('document-open-recent-symbolic', _('Roll Back…'))],
            ['unstage', new ActionItem('edit-undo-symbolic')],
        ]);
        for (const [action, item] of this.#actions) {
            item.connect('activate', () => {
                if (action === 'rollback') this.#askRollback();
                else void callImage(client, action);
            });
        }
        const settingsItem = new ActionItem('cog-wheel-symbolic', _('Update Settings'));
        settingsItem.connect('activate', () => {
            Main.panel.closeQuickSettings();
            openPreferences();
        });
        this.connect('destroy', () => this.#confirmation?.destroy());

        // Not by the menu's addMenuItem(): it stays open to show what they do.
        const items = [this.#restartItem, ...this.#actions.values()];
        this.#scroll.box.add_child(this.#problem);
        this.#scroll.box.add_child(this.#job);
        for (const row of this.#rows.values()) this.#scroll.box.add_child(row);
        this.#scroll.box.add_child(this.#outlooks);
        this.#scroll.box.add_child(new PopupMenu.PopupSeparatorMenuItem());
        for (const item of items) this.#scroll.box.add_child(item);
        this.#scroll.box.add_child(this.#channels);
        this.#scroll.box.add_child(settingsItem);
        this.add_child(this.#scroll);
        for (const widget of [...this.#rows.values(), ...items, settingsItem]) followFocus(widget);
        followFocus(this.#job.cancelButton);
    }

    sync(image: ImageProperties, view: ImageView, restart: RestartNeed): void {
        const {job, problem, rows, actions, isBusy} = view;
        this.#problem.sync(this.#client.problem || problem, heldText(image));
        this.#job.sync(job, job !== null && canCancel(this.#client, job));
        for (const [kind, item] of this.#rows) item.sync(rows.find(row => row.kind === kind));
        this.#outlooks.sync(view.outlooks);
        this.#restartItem.sync(restart);
        this.#restartItem.sensitive = !isBusy;
        for (const [action, item] of this.#actions) {
            item.visible = actions.has(action);
            item.sensitive = !isBusy;
        }
        const next = offeredImage(image) ?? readDeployment(image.Downloaded);
        this.#actions
            .get('update')
            ?.setLabel(next ? fill(_('Update to %s'), nameOf(next)) : _('Update'));
        this.#actions.get('check')?.setDetail(lastCheckText(image.LastCheck));
        this.#actions.get('unstage')?.setLabel(undoText(view.undo));
        this.#channels.sync(view);
    }

    override fit(menu: QuickToggleMenu): void {
        super.fit(menu);
        this.#scroll.fit(SCREEN_SHARE);
        this.#channels.collapse();
    }

    #askSwitch(channel: Channel): void {
        const {image, features} = this.#client;
        if (!image) return;
        const enabled = features.filter(feature => feature.Enabled).length;
        this.#ask(
            askSwitch(image, channel, enabled),
            () => void switchImage(this.#client, channel.name),
        );
    }

    #askRollback(): void {
        const {image} = this.#client;
        const rollback = image && readDeployment(image.Rollback);
        if (!rollback) return;
        this.#ask(askRollback(image, rollback), () => void callImage(this.#client, 'rollback'));
    }

    /** Quick Settings closes for it. */
    #ask(question: Question, onConfirm: () => void): void {
        const confirmation = new Confirmation(question, onConfirm);
        this.#confirmation?.destroy();
        this.#confirmation = confirmation;
        confirmation.connect('destroy', () => {
            if (this.#confirmation === confirmation) this.#confirmation = null;
        });
        if (!confirmation.open()) confirmation.destroy();
    }
}

function heldText({LastOutcome}: ImageProperties): string {
    return LastOutcome === 'held-rollback'
        ? _('The newest version is here, and was set aside')
        : '';
}
