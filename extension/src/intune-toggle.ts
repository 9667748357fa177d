// SPDX-License-Identifier: GPL-2.0-or-later
// The toggle "Intune" of Quick Settings: the user's container.
import type Gio from 'gi://Gio';
import GObject from 'gi://GObject';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import {QuickMenuToggle} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import type {IntuneProperties} from './generated/dbus.js';
import {startIntune, stopIntune} from './intune-calls.js';
import {type DeviceView, deviceSubject, readDevices, viewDevices} from './intune-devices.js';
import {IntuneMenu} from './intune-menu.js';
import {ICON_NAME, intuneStateText} from './intune-text.js';
import {type IntuneView, viewIntune} from './intune-view.js';
import type {EndedJob, SnowClient} from './snow-client.js';
import {attaches, intunePath, isOfUser} from './snow-objects.js';
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
    /** By node: what could not be done for a device since the menu was opened. */
    #deviceFailures = new Map<string, string>();

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
            jobs: this.#client.jobsOf('intune').filter(job => attaches(job) === null),
            isAsking: this.#client.isAsking(path),
            refusal: this.#client.refusalOf(path),
        });
    }

    #viewDevices(intune: IntuneProperties): readonly DeviceView[] {
        const client = this.#client;
        const nodes = readDevices(intune).flatMap(device => device.nodes);
        // What is plugged in next under the same name is another one.
        for (const node of this.#deviceFailures.keys())
            if (!nodes.includes(node)) this.#deviceFailures.delete(node);
        return viewDevices(intune, {
            jobs: client.jobsOf('intune'),
            askedOf: node => client.askedOf(deviceSubject(client.uid, node)),
            refusalOf: node => client.refusalOf(deviceSubject(client.uid, node)),
            failures: this.#deviceFailures,
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
        content.sync(intune, view, this.#viewDevices(intune));
    }

    #switch(): boolean {
        const click = this.#view?.click ?? null;
        if (click === 'start') void startIntune(this.#client);
        else if (click === 'stop') void stopIntune(this.#client);
        return click !== null;
    }

    #onEnded({job}: EndedJob): void {
        if (!isOfUser(job, this.#client.uid)) return;
        if (attaches(job) !== null) {
            const [, message] = job.Error;
            if (job.State === 'failed') this.#deviceFailures.set(job.Target, message);
            else this.#deviceFailures.delete(job.Target);
        }
        // The application's window comes: the menu makes room for it.
        const isOwn = job.StartedByUID === this.#client.uid;
        if (isOwn && job.Operation === 'intune.open' && job.State === 'done' && this.menu.isOpen)
            Main.panel.closeQuickSettings();
    }

    #onOpen(): void {
        this.#deviceFailures.clear();
        this.#client.forgetRefusals(intunePath(this.#client.uid));
        this.#sync();
        void this.#client.refresh();
    }
}
