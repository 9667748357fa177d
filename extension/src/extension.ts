// SPDX-License-Identifier: GPL-2.0-or-later
import type Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {Extension} from 'resource:///org/gnome/shell/extensions/extension.js';
import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import type {SystemIndicator} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {FeaturesToggle} from './features-toggle.js';
import {IntuneToggle} from './intune-toggle.js';
import {JobIndicator} from './job-indicator.js';
import {Notifications} from './notifications.js';
import {SnowClient} from './snow-client.js';
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

        const intune = new IntuneToggle(client, settings, openPreferences);
        this.#undo.push(() => intune.destroy());

        const indicator = new JobIndicator(client, [system, features, intune]);
        this.#undo.push(() => indicator.destroy());
        // Its type in @girs asks for a panel button, its code for an indicator.
        const quickSettings = Main.panel.statusArea.quickSettings as unknown as {
            addExternalIndicator(indicator: SystemIndicator): void;
        };
        quickSettings.addExternalIndicator(indicator);
        // At a login the shell takes them in the reverse order.
        system.get_parent()?.set_child_above_sibling(features, system);
        system.get_parent()?.set_child_above_sibling(intune, features);

        const toggles = {features, image: system, intune};
        const notifications = new Notifications(
            client,
            settings,
            domain => toggles[domain].menu.isOpen,
        );
        this.#undo.push(() => notifications.destroy());
    }

    override disable(): void {
        for (const undo of this.#undo.splice(0).reverse()) undo();
    }
}
