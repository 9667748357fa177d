// SPDX-License-Identifier: GPL-2.0-or-later
import type Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {Extension} from 'resource:///org/gnome/shell/extensions/extension.js';
import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import type {QuickMenuToggle} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {DeviceQuestions} from './device-questions.js';
import {DeviceWatch} from './device-watch.js';
import {FeaturesToggle} from './features-toggle.js';
import {IntuneToggle} from './intune-toggle.js';
import {JobIndicator} from './job-indicator.js';
import {Notifications} from './notifications.js';
import {SnowClient} from './snow-client.js';
import type {Domain} from './snow-objects.js';
import {SystemToggle} from './system-toggle.js';

export default class SnowControlExtension extends Extension {
    /** What disable() has to do, filled as things are made. */
    #undo: (() => void)[] = [];

    override enable(): void {
        const settings = this.getSettings();

        const client = new SnowClient();
        this.#undo.push(() => client.destroy());

        // Nothing is to be seen before the service has answered: not while the desktop still starts.
        let startId = GLib.idle_add(GLib.PRIORITY_LOW, () => {
            startId = 0;
            this.#show(client, settings);
            client.start().catch((error: unknown) => console.error(error));
            return GLib.SOURCE_REMOVE;
        });
        this.#undo.push(() => {
            if (startId) GLib.Source.remove(startId);
        });
    }

    #show(client: SnowClient, settings: Gio.Settings): void {
        const openPreferences = () => this.openPreferences();
        const features = new FeaturesToggle(client, settings, openPreferences);
        this.#undo.push(() => features.destroy());

        const system = new SystemToggle(client, settings, openPreferences);
        this.#undo.push(() => system.destroy());

        this.#addToQuickSettings(
            new JobIndicator(client, [
                ['image', system],
                ['features', features],
            ]),
        );
        // At a login the shell takes them in the reverse order.
        system.get_parent()?.set_child_above_sibling(features, system);

        const toggles = new Map<Domain, QuickMenuToggle>([
            ['features', features],
            ['image', system],
        ]);
        // Only who can have a container pays for its toggle.
        let changedId = client.connect('changed', () => {
            if (!client.intune) return;
            client.disconnect(changedId);
            changedId = 0;
            const intune = new IntuneToggle(client, settings, openPreferences);
            this.#undo.push(() => intune.destroy());
            this.#addToQuickSettings(new JobIndicator(client, [['intune', intune]]));
            toggles.set('intune', intune);
            const watch = new DeviceWatch(client);
            this.#undo.push(() => watch.destroy());
            const questions = new DeviceQuestions(client, settings);
            this.#undo.push(() => questions.destroy());
        });
        this.#undo.push(() => {
            if (changedId) client.disconnect(changedId);
        });

        const notifications = new Notifications(
            client,
            settings,
            domain => toggles.get(domain)?.menu.isOpen ?? false,
        );
        this.#undo.push(() => notifications.destroy());
    }

    #addToQuickSettings(indicator: JobIndicator): void {
        this.#undo.push(() => indicator.destroy());
        // Its type in @girs asks for a panel button, its code for an indicator.
        const quickSettings = Main.panel.statusArea.quickSettings as unknown as {
            addExternalIndicator(indicator: JobIndicator): void;
        };
        quickSettings.addExternalIndicator(indicator);
    }

    override disable(): void {
        for (const undo of this.#undo.splice(0).reverse()) undo();
    }
}
