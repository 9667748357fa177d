// SPDX-License-Identifier: GPL-2.0-or-later
// Asks whether the container is to have a device that was plugged in, where the settings want that.
import Gio from 'gi://Gio';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as MessageTray from 'resource:///org/gnome/shell/ui/messageTray.js';

import {switchDevice} from './intune-calls.js';
import {type IntuneDevice, readDevices} from './intune-devices.js';
import {ICON_NAME} from './intune-text.js';
import type {SnowClient} from './snow-client.js';
import {fill, gettext as _} from './text.js';

const SETTING = 'notify-devices';

export class DeviceQuestions {
    #client: SnowClient;
    #settings: Gio.Settings;
    #changedId: number;
    #settingId: number;
    /** By device, as long as it waits for an answer; null: its question was answered, or put aside. */
    #questions = new Map<string, MessageTray.Source | null>();

    constructor(client: SnowClient, settings: Gio.Settings) {
        this.#client = client;
        this.#settings = settings;
        this.#changedId = client.connect('changed', () => this.#sync());
        this.#settingId = settings.connect(`changed::${SETTING}`, () => this.#sync());
        this.#sync();
    }

    destroy(): void {
        this.#client.disconnect(this.#changedId);
        this.#settings.disconnect(this.#settingId);
        this.#withdraw([]);
    }

    #sync(): void {
        const {intune} = this.#client;
        const devices = intune && this.#settings.get_boolean(SETTING) ? readDevices(intune) : [];
        const waiting = devices.filter(({state}) => state === 'asked');
        this.#withdraw(waiting.map(({id}) => id));
        for (const device of waiting)
            if (!this.#questions.has(device.id)) this.#questions.set(device.id, this.#ask(device));
    }

    #withdraw(but: readonly string[]): void {
        for (const [id, source] of [...this.#questions]) {
            if (but.includes(id)) continue;
            this.#questions.delete(id);
            source?.destroy(MessageTray.NotificationDestroyedReason.SOURCE_CLOSED);
        }
    }

    /** Each from a source of its own: the shell keeps no more than three of one. */
    #ask(device: IntuneDevice): MessageTray.Source {
        const icon = new Gio.ThemedIcon({name: ICON_NAME});
        const source = new MessageTray.Source({title: _('Intune'), icon});
        source.connect('destroy', () => {
            if (this.#questions.get(device.id) === source) this.#questions.set(device.id, null);
        });
        Main.messageTray.add(source);

        const notification = new MessageTray.Notification({
            source,
            title: fill(_('%s was plugged in'), device.name),
            body: _('Give it to the Intune container?'),
            gicon: icon,
            privacyScope: MessageTray.PrivacyScope.USER,
        });
        const answer = (isOn: boolean) => void switchDevice(this.#client, device, isOn);
        notification.addAction(_('Attach'), () => answer(true));
        notification.addAction(_('Not Now'), () => answer(false));
        source.addNotification(notification);
        return source;
    }
}
