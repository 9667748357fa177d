// SPDX-License-Identifier: GPL-2.0-or-later
// Something to do in a menu: an icon, what it does, and below it a line that says more.
import Atk from 'gi://Atk';
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';

import {DIM_OPACITY, Paragraph} from './paragraph.js';

export class ActionItem extends PopupMenu.PopupBaseMenuItem {
    static {
        GObject.registerClass({GTypeName: 'SnowControlActionItem'}, this);
    }

    #label: St.Label;
    #detail = new Paragraph({styleClass: 'snow-detail', opacity: DIM_OPACITY});

    /** `activate`: false for what is there to be read. */
    constructor(iconName: string, label = '', activate = true) {
        super({activate, hover: activate});
        this.trackHover = activate;
        this.#label = new St.Label({text: label});
        this.labelActor = this.#label;
        this.get_accessible()?.add_relationship(
            Atk.RelationType.DESCRIBED_BY,
            this.#detail.get_accessible() as Atk.Object,
        );
        const column = new St.BoxLayout({
            orientation: Clutter.Orientation.VERTICAL,
            xExpand: true,
            yAlign: Clutter.ActorAlign.CENTER,
        });
        column.add_child(this.#label);
        column.add_child(this.#detail);
        const fallbackIconName = 'application-x-executable-symbolic';
        this.add_child(new St.Icon({styleClass: 'popup-menu-icon', iconName, fallbackIconName}));
        this.add_child(column);
        this.setDetail('');
    }

    setLabel(label: string): void {
        this.#label.text = label;
    }

    /** Empty: nothing more to say. */
    setDetail(detail: string): void {
        this.#detail.text = detail;
        this.#detail.visible = detail !== '';
    }
}
