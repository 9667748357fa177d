// SPDX-License-Identifier: GPL-2.0-or-later
// One OS image in the menu: what it is to this system, its version and its date.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import Pango from 'gi://Pango';
import St from 'gi://St';

import {nameOf} from './image-deployment.js';
import {deploymentText, rowTitle} from './image-text.js';
import type {ImageRow, RowKind} from './image-view.js';
import {InfoItem} from './info-item.js';
import {DIM_OPACITY} from './paragraph.js';

const ICON_NAMES: Readonly<Record<RowKind, string>> = {
    running: 'computer-symbolic',
    next: 'go-next-symbolic',
    available: 'software-update-available-symbolic',
    downloaded: 'folder-download-symbolic',
    rollback: 'document-open-recent-symbolic',
};

export class ImageItem extends InfoItem {
    static {
        GObject.registerClass({GTypeName: 'SnowControlImageItem'}, this);
    }

    #version = new St.Label({xExpand: true, opacity: DIM_OPACITY});
    #date = new St.Label({styleClass: 'snow-detail', opacity: DIM_OPACITY});
    #image = new St.Label({styleClass: 'snow-detail', opacity: DIM_OPACITY});
    #title: string;

    constructor(kind: RowKind) {
        super('snow-image');
        this.#title = rowTitle(kind);
        for (const label of [this.#version, this.#date])
            label.clutterText.ellipsize = Pango.EllipsizeMode.END;
        // The end of a reference tells it from others.
        this.#image.clutterText.ellipsize = Pango.EllipsizeMode.MIDDLE;

        const head = new St.BoxLayout({styleClass: 'snow-title'});
        head.add_child(new St.Label({text: this.#title, styleClass: 'snow-name'}));
        head.add_child(this.#version);
        const column = new St.BoxLayout({
            orientation: Clutter.Orientation.VERTICAL,
            xExpand: true,
            yAlign: Clutter.ActorAlign.CENTER,
        });
        for (const line of [head, this.#date, this.#image]) column.add_child(line);
        this.add_child(new St.Icon({styleClass: 'popup-menu-icon', iconName: ICON_NAMES[kind]}));
        this.add_child(column);
    }

    /** Undefined hides it. */
    sync(row: ImageRow | undefined): void {
        this.visible = row !== undefined;
        if (!row) return;
        const {deployment, isOther} = row;
        this.#version.text = nameOf(deployment);
        this.#date.text = deploymentText(deployment);
        this.#image.text = isOther ? deployment.image : '';
        for (const label of [this.#date, this.#image]) label.visible = label.text !== '';
        this.accessibleName = [this.#title, this.#version.text, this.#date.text, this.#image.text]
            .filter(Boolean)
            .join(', ');
    }
}
