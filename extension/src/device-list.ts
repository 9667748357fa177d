// SPDX-License-Identifier: GPL-2.0-or-later
// The devices that are plugged in, each with a switch for whether the container has it.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import {Spinner} from 'resource:///org/gnome/shell/ui/animation.js';

import type {DeviceView, IntuneDevice} from './intune-devices.js';
import {deviceNote} from './intune-text.js';
import {Notice} from './notice.js';
import {Paragraph} from './paragraph.js';
import {SwitchItem} from './switch-item.js';

const SPINNER_SIZE = 16;

class DeviceItem extends SwitchItem {
    static {
        GObject.registerClass({GTypeName: 'SnowControlDeviceItem'}, this);
    }

    #name = new Paragraph({});
    #notice = new Notice();
    #spinner = new Spinner(SPINNER_SIZE, {animate: false, hideOnStop: true});

    constructor() {
        super('snow-device');
        this.labelActor = this.#name;
        this.#notice.add_style_class_name('snow-detail');
        this.#spinner.yAlign = Clutter.ActorAlign.CENTER;
        const column = new St.BoxLayout({
            orientation: Clutter.Orientation.VERTICAL,
            xExpand: true,
            yAlign: Clutter.ActorAlign.CENTER,
        });
        column.add_child(this.#name);
        column.add_child(this.#notice);
        this.fill([column, this.#spinner], [this.#notice.label]);
    }

    sync(view: DeviceView): void {
        this.accessibleName = this.#name.text = view.name;
        this.#notice.sync(view.problem, deviceNote(view));
        if (view.isBusy) this.#spinner.play();
        else this.#spinner.stop();
        this.syncSwitch(view);
    }
}

export class DeviceList extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlDeviceList'}, this);
    }

    #onSwitch: (device: IntuneDevice, isOn: boolean) => void;
    #followFocus: (widget: St.Widget) => void;
    #items = new Map<string, DeviceItem>();
    #shown: readonly DeviceView[] = [];

    constructor(
        onSwitch: (device: IntuneDevice, isOn: boolean) => void,
        followFocus: (widget: St.Widget) => void,
    ) {
        super({orientation: Clutter.Orientation.VERTICAL, xExpand: true, visible: false});
        this.#onSwitch = onSwitch;
        this.#followFocus = followFocus;
    }

    /** Keeps the items of what is still there: one of them may have the focus. */
    sync(views: readonly DeviceView[]): void {
        this.#shown = views;
        this.visible = views.length > 0;
        for (const [id, item] of [...this.#items]) {
            if (views.some(view => view.id === id)) continue;
            this.#items.delete(id);
            item.destroy();
        }
        views.forEach((view, index) => {
            const item = this.#items.get(view.id) ?? this.#addItem(view.id);
            if (this.get_child_at_index(index) !== item) this.set_child_at_index(item, index);
            item.sync(view);
        });
    }

    #addItem(id: string): DeviceItem {
        const item = new DeviceItem();
        item.connect('switch-asked', (_item, isOn: boolean) => {
            const device = this.#shown.find(view => view.id === id);
            if (device) this.#onSwitch(device, isOn);
        });
        this.#followFocus(item);
        this.#items.set(id, item);
        this.add_child(item);
        return item;
    }
}
