// SPDX-License-Identifier: GPL-2.0-or-later
// The toggle "System" of Quick Settings: the OS image.
import type Gio from 'gi://Gio';
import GObject from 'gi://GObject';

import {QuickMenuToggle} from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {type ImageState, viewImage} from './image-view.js';
import {stateText} from './image-text.js';
import {restartNeed} from './restart-need.js';
import type {SnowClient} from './snow-client.js';
import {IMAGE_PATH} from './snow-objects.js';
import {SystemMenu} from './system-menu.js';
import {gettext as _} from './text.js';
import {ToggleMenu} from './toggle-menu.js';

export const ICON_NAME = 'computer-symbolic';

const ICON_NAMES: Readonly<Partial<Record<ImageState, string>>> = {
    problem: 'software-update-urgent-symbolic',
    restart: 'system-reboot-symbolic',
    available: 'software-update-available-symbolic',
};

/** What waits for the person. */
const CHECKED: readonly ImageState[] = ['restart', 'available'];

export class SystemToggle extends QuickMenuToggle {
    static {
        GObject.registerClass({GTypeName: 'SnowControlSystemToggle'}, this);
    }

    #client: SnowClient;
    #settings: Gio.Settings;
    #menu: ToggleMenu<SystemMenu>;

    constructor(client: SnowClient, settings: Gio.Settings, openPreferences: () => void) {
        super({title: _('System'), iconName: ICON_NAME, visible: false});
        this.#client = client;
        this.#settings = settings;
        this.#menu = new ToggleMenu(
            this,
            () => new SystemMenu(client, openPreferences),
            () => this.#onOpen(),
        );

        const changedId = client.connect('changed', () => this.#sync());
        const settingsId = settings.connect('changed::show-system', () => this.#sync());
        this.connect('destroy', () => {
            client.disconnect(changedId);
            settings.disconnect(settingsId);
        });
        this.#sync();
    }

    override destroy(): void {
        this.#menu.destroy();
        super.destroy();
    }

    #sync(): void {
        const {image, summary, features, isAvailable} = this.#client;
        this.visible = isAvailable && image !== null && this.#settings.get_boolean('show-system');
        if (!image) return;

        const restart = restartNeed(image, summary, features);
        const view = viewImage(image, {
            jobs: this.#client.jobsOf('image'),
            isAsking: this.#client.isAsking(IMAGE_PATH),
            refusal: this.#client.refusalOf(IMAGE_PATH),
            restart,
        });
        this.checked = CHECKED.includes(view.state);
        this.iconName = ICON_NAMES[view.state] ?? ICON_NAME;
        this.subtitle = stateText(view);
        const {content} = this.#menu;
        if (!content) return;
        this.menu.setHeader(this.iconName, _('System'), this.subtitle ?? '');
        content.sync(image, view, restart);
    }

    #onOpen(): void {
        this.#client.forgetRefusals(IMAGE_PATH);
        this.#sync();
        void this.#client.refresh();
    }
}
