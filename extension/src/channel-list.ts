// SPDX-License-Identifier: GPL-2.0-or-later
// The channel that is followed, and when it is clicked those that can be switched to.
import Atk from 'gi://Atk';
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';

import {ActionItem} from './action-item.js';
import type {Channel} from './image-deployment.js';
import type {ImageView} from './image-view.js';
import {DIM_OPACITY, Paragraph} from './paragraph.js';
import {gettext as _} from './text.js';

class ChannelItem extends PopupMenu.PopupBaseMenuItem {
    static {
        GObject.registerClass({GTypeName: 'SnowControlChannelItem'}, this);
    }

    constructor({title, description, isFollowed}: Channel) {
        super({style_class: 'snow-channel'});
        this.accessibleRole = Atk.Role.RADIO_MENU_ITEM;
        this.setOrnament(isFollowed ? PopupMenu.Ornament.CHECK : PopupMenu.Ornament.NONE);

        const name = new St.Label({text: title, styleClass: 'snow-name'});
        const text = new Paragraph({
            text: description,
            styleClass: 'snow-detail',
            opacity: DIM_OPACITY,
            visible: description !== '',
        });
        this.labelActor = name;
        this.get_accessible()?.add_relationship(
            Atk.RelationType.DESCRIBED_BY,
            text.get_accessible() as Atk.Object,
        );
        const column = new St.BoxLayout({
            orientation: Clutter.Orientation.VERTICAL,
            xExpand: true,
        });
        column.add_child(name);
        column.add_child(text);
        this.add_child(column);
    }
}

export class ChannelList extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlChannelList'}, this);
    }

    #onSwitch: (channel: Channel) => void;
    #followFocus: (widget: St.Widget) => void;
    #head = new ActionItem('media-playlist-consecutive-symbolic');
    #arrow = new St.Icon({styleClass: 'popup-menu-arrow'});
    #canSwitch = false;
    #box = new St.BoxLayout({orientation: Clutter.Orientation.VERTICAL, visible: false});
    /** What the items were made of. */
    #shown = '';

    constructor(onSwitch: (channel: Channel) => void, followFocus: (widget: St.Widget) => void) {
        super({orientation: Clutter.Orientation.VERTICAL, xExpand: true});
        this.#onSwitch = onSwitch;
        this.#followFocus = followFocus;
        this.#head.add_child(this.#arrow);
        this.#head.connect('activate', () => this.#expand(this.#canSwitch && !this.#box.visible));
        followFocus(this.#head);
        this.add_child(this.#head);
        this.add_child(this.#box);
        this.collapse();
    }

    collapse(): void {
        this.#expand(false);
    }

    sync({channels, followed, canSwitch, isBusy}: ImageView): void {
        this.visible = canSwitch || followed !== '';
        this.#head.setLabel(canSwitch ? _('Switch Channel') : _('Channel'));
        this.#head.setDetail(followed);
        this.#head.sensitive = !isBusy;
        this.#arrow.visible = this.#canSwitch = canSwitch;
        if (canSwitch) this.#head.add_accessible_state(Atk.StateType.EXPANDABLE);
        else this.#head.remove_accessible_state(Atk.StateType.EXPANDABLE);
        if (!canSwitch || isBusy) this.collapse();

        const wanted = JSON.stringify(channels);
        if (wanted === this.#shown) return;
        this.#shown = wanted;
        this.#box.destroy_all_children();
        for (const channel of channels) {
            const item = new ChannelItem(channel);
            item.connect('activate', () => {
                if (channel.isFollowed) this.collapse();
                else this.#onSwitch(channel);
            });
            this.#followFocus(item);
            this.#box.add_child(item);
        }
    }

    #expand(isExpanded: boolean): void {
        this.#box.visible = isExpanded;
        this.#arrow.iconName = isExpanded ? 'pan-down-symbolic' : 'pan-end-symbolic';
        if (isExpanded) this.#head.add_accessible_state(Atk.StateType.EXPANDED);
        else this.#head.remove_accessible_state(Atk.StateType.EXPANDED);
    }
}
