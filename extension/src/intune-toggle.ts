// SPDX-License-Identifier: GPL-2.0-or-later
// The toggle "Intune" of Quick Settings: the user's container.
import type Gio from 'gi://Gio';
import GObject from 'gi://GObject';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import {QuickMenuToggle} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {startIntune, stopIntune} from './intune-calls.js';
import {IntuneMenu} from './intune-menu.js';
import {ICON_NAME, intuneStateText} from './intune-text.js';
import {type IntuneView, viewIntune} from './intune-view.js';
import type {EndedJob, SnowClient} from './snow-client.js';
import {intunePath} from './snow-objects.js';
import {gettext as _} from './text.js';
import {ToggleMenu} from './toggle-menu.js';

const PROBLEM_ICON_NAME = 'dialog-warning-symbolic';

export class IntuneToggle extends QuickMenuToggle {
    static {
        GObject.registerClass({GTypeName: 'SnowControlIntuneToggle'}, this);
    }

    #client: SnowClient;
    #settings: Gio.Settings;
    #menu: ToggleMenu<IntuneMenu>;

    constructor(client: SnowClient, settings: Gio.Settings, openPreferences: () => void) {
        super({title: _('Intune'), iconName: ICON_NAME, visible: false});
        this.#client = client;
        this.#settings = settings;
        this.#menu = new ToggleMenu(
            this,
            () => new IntuneMenu(client, openPreferences),
            () => this.#onOpen(),
            () => this.#switch(),
        );

        const handlers = [
            client.connect('changed', () => this.#sync()),
            client.connect('job-ended', (_client, ended: EndedJob) => this.#onEnded(ended)),
        ];
        const settingsId = settings.connect('changed::show-intune', () => this.#sync());
        this.connect('destroy', () => {
            for (const id of handlers) client.disconnect(id);
            settings.disconnect(settingsId);
        });
        this.#sync();
    }

    override destroy(): void {
        this.#menu.destroy();
        super.destroy();
    }

    get #view(): IntuneView | null {
        const {intune, uid} = this.#client;
        if (!intune) return null;
        const path = intunePath(uid);
        return viewIntune(intune, {
            jobs: this.#client.jobsOf('intune'),
            isAsking: this.#client.isAsking(path),
            refusal: this.#client.refusalOf(path),
        });
    }

    #sync(): void {
        const {intune, isAvailable} = this.#client;
        const view = this.#view;
        this.visible = isAvailable && view !== null && this.#settings.get_boolean('show-intune');
        if (!intune || !view) return;

        this.checked = view.isOn;
        this.iconName = view.problem || view.state === 'failed' ? PROBLEM_ICON_NAME : ICON_NAME;
        this.subtitle = intuneStateText(view);
        const {content} = this.#menu;
        if (!content) return;
        this.menu.setHeader(this.iconName, _('Intune'), this.subtitle ?? '');
        content.sync(intune, view);
    }

    #switch(): boolean {
        const click = this.#view?.click ?? null;
        if (click === 'start') void startIntune(this.#client);
        else if (click === 'stop') void stopIntune(this.#client);
        return click !== null;
    }

    /** The application's window comes: the menu makes room for it. */
    #onEnded({job}: EndedJob): void {
        const isOwn = job.StartedByUID === this.#client.uid;
        if (isOwn && job.Operation === 'intune.open' && job.State === 'done' && this.menu.isOpen)
            Main.panel.closeQuickSettings();
    }

    #onOpen(): void {
        this.#client.forgetRefusals(intunePath(this.#client.uid));
        this.#sync();
        void this.#client.refresh();
    }
}
