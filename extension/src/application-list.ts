// SPDX-License-Identifier: GPL-2.0-or-later
// The applications of the container: a click opens one.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import {ActionItem} from './action-item.js';
import type {IntuneApplication, IntuneView} from './intune-view.js';

export class ApplicationList extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlApplicationList'}, this);
    }

    #onOpen: (application: IntuneApplication) => void;
    #followFocus: (widget: St.Widget) => void;
    #items: readonly ActionItem[] = [];
    /** What the items were made of. */
    #shown = '';

    constructor(
        onOpen: (application: IntuneApplication) => void,
        followFocus: (widget: St.Widget) => void,
    ) {
        super({orientation: Clutter.Orientation.VERTICAL, xExpand: true});
        this.#onOpen = onOpen;
        this.#followFocus = followFocus;
    }

    sync({applications, canOpen}: IntuneView): void {
        this.visible = applications.length > 0;
        const wanted = JSON.stringify(applications);
        if (wanted !== this.#shown) {
            this.#shown = wanted;
            this.destroy_all_children();
            this.#items = applications.map(application => this.#addItem(application));
        }
        for (const item of this.#items) item.sensitive = canOpen;
    }

    #addItem(application: IntuneApplication): ActionItem {
        const item = new ActionItem(application.icon, application.name);
        item.connect('activate', () => this.#onOpen(application));
        this.#followFocus(item);
        this.add_child(item);
        return item;
    }
}
