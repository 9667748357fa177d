// SPDX-License-Identifier: GPL-2.0-or-later
// What the menu of the toggle "Intune" consists of, below its header.
import GObject from 'gi://GObject';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';
import type {QuickToggleMenu} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {ActionItem} from './action-item.js';
import {ApplicationList} from './application-list.js';
import {Confirmation} from './confirmation.js';
import {DeviceList} from './device-list.js';
import type {IntuneProperties} from './generated/dbus.js';
import {lastCheckText} from './image-text.js';
import {checkIntune, openApplication, recreateIntune, switchDevice} from './intune-calls.js';
import type {DeviceView} from './intune-devices.js';
import {askUpdate, devicesText} from './intune-text.js';
import type {IntuneView} from './intune-view.js';
import {JobBox} from './job-box.js';
import {MenuContent} from './menu-content.js';
import {Notice} from './notice.js';
import {ScrollBox} from './scroll-box.js';
import {type SnowClient, canCancel} from './snow-client.js';
import {intunePath} from './snow-objects.js';
import {runInTerminal, thenWait} from './terminal.js';
import {gettext as _} from './text.js';

/** What of the screen's height may be below the header. */
const SCREEN_SHARE = 0.75;

export class IntuneMenu extends MenuContent {
    static {
        GObject.registerClass({GTypeName: 'SnowControlIntuneMenu'}, this);
    }

    #client: SnowClient;
    #scroll = new ScrollBox();
    #problem = new Notice();
    #job: JobBox;
    #applications: ApplicationList;
    #devices = new ActionItem('drive-removable-media-symbolic', _('Devices'), false);
    #plugged: DeviceList;
    #shell = new ActionItem('utilities-terminal-symbolic', _('Shell'));
    #setUp = new ActionItem('list-add-symbolic', _('Set Up…'));
    #update = new ActionItem('software-update-available-symbolic', _('Update…'));
    #check = new ActionItem('view-refresh-symbolic', _('Check for Updates'));
    #confirmation: Confirmation | null = null;

    constructor(client: SnowClient, openPreferences: () => void) {
        super();
        this.#client = client;
        this.#problem.add_style_class_name('snow-menu-notice');
        this.#job = new JobBox(_('Intune'), job => void client.cancel(job));
        const followFocus = this.#scroll.followFocus.bind(this.#scroll);
        this.#applications = new ApplicationList(
            application => void openApplication(client, application),
            followFocus,
        );
        this.#plugged = new DeviceList(
            (device, isOn) => void switchDevice(client, device, isOn),
            followFocus,
        );
        this.#shell.connect('activate', () => this.#runSnowctl('shell'));
        this.#setUp.setDetail(_('Fetches the container, in a terminal'));
        this.#setUp.connect('activate', () => this.#runSnowctl('init'));
        this.#update.connect('activate', () => this.#askUpdate());
        this.#check.connect('activate', () => void checkIntune(client));
        const settings = new ActionItem('cog-wheel-symbolic', _('Intune Settings'));
        settings.connect('activate', () => {
            Main.panel.closeQuickSettings();
            openPreferences();
        });
        this.connect('destroy', () => this.#confirmation?.destroy());

        // Not by the menu's addMenuItem(): it stays open to show what they do.
        const above = [this.#setUp, this.#shell, this.#devices];
        const below = [this.#update, this.#check, settings];
        this.#scroll.box.add_child(this.#problem);
        this.#scroll.box.add_child(this.#job);
        this.#scroll.box.add_child(this.#applications);
        for (const item of above) this.#scroll.box.add_child(item);
        this.#scroll.box.add_child(this.#plugged);
        this.#scroll.box.add_child(new PopupMenu.PopupSeparatorMenuItem());
        for (const item of below) this.#scroll.box.add_child(item);
        this.add_child(this.#scroll);
        for (const item of [...above, ...below]) followFocus(item);
        followFocus(this.#job.cancelButton);
    }

    sync(intune: IntuneProperties, view: IntuneView, plugged: readonly DeviceView[]): void {
        const {job, problem, exists, devices, canOpen, canUpdate, isBusy} = view;
        this.#problem.sync(this.#client.problem || problem);
        this.#job.sync(job, job !== null && canCancel(this.#client, job));
        this.#applications.sync(view);
        this.#devices.visible = devices.length > 0 || plugged.length > 0;
        this.#devices.setDetail(devicesText(devices));
        this.#plugged.sync(plugged);
        this.#shell.visible = exists;
        this.#shell.sensitive = canOpen;
        this.#setUp.visible = !exists;
        this.#update.visible = canUpdate;
        this.#check.visible = exists;
        this.#check.setDetail(lastCheckText(intune.LastCheck));
        for (const item of [this.#setUp, this.#update, this.#check]) item.sensitive = !isBusy;
    }

    override fit(menu: QuickToggleMenu): void {
        super.fit(menu);
        this.#scroll.fit(SCREEN_SHARE);
    }

    #runSnowctl(verb: 'init' | 'shell'): void {
        Main.panel.closeQuickSettings();
        const command = ['snowctl', 'intune', verb];
        const hint = _('You can close this window now.');
        try {
            runInTerminal(verb === 'init' ? thenWait(command, hint) : command);
        } catch (error) {
            const operation = verb === 'init' ? 'intune.init' : 'intune.run';
            this.#client.refuse(intunePath(this.#client.uid), operation, '', error);
        }
    }

    /** Quick Settings closes for it. */
    #askUpdate(): void {
        const confirmation = new Confirmation(
            askUpdate(this.#client.intune?.State === 'running'),
            () => void recreateIntune(this.#client),
        );
        this.#confirmation?.destroy();
        this.#confirmation = confirmation;
        confirmation.connect('destroy', () => {
            if (this.#confirmation === confirmation) this.#confirmation = null;
        });
        if (!confirmation.open()) confirmation.destroy();
    }
}
