// SPDX-License-Identifier: GPL-2.0-or-later
// One feature in the list: a menu item with a switch, and below it what its job does.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import Pango from 'gi://Pango';
import St from 'gi://St';

import type {FeatureView, Pending} from './feature-view.js';
import {JobBox} from './job-box.js';
import {Notice} from './notice.js';
import type {Job} from './snow-objects.js';
import {DIM_OPACITY, Paragraph} from './paragraph.js';
import {SwitchItem} from './switch-item.js';
import {gettext as _} from './text.js';

class FeatureItem extends SwitchItem {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeatureItem'}, this);
    }

    #name = new St.Label({styleClass: 'snow-name'});
    #version = new St.Label({opacity: DIM_OPACITY, xExpand: true});
    #description = new Paragraph({styleClass: 'snow-description', opacity: DIM_OPACITY});
    #notice = new Notice();

    constructor() {
        super('snow-feature');
        this.labelActor = this.#name;
        this.#name.clutterText.ellipsize = Pango.EllipsizeMode.END;
        this.#version.clutterText.ellipsize = Pango.EllipsizeMode.END;

        const title = new St.BoxLayout({styleClass: 'snow-title'});
        title.add_child(this.#name);
        title.add_child(this.#version);

        const column = new St.BoxLayout({
            orientation: Clutter.Orientation.VERTICAL,
            xExpand: true,
            yAlign: Clutter.ActorAlign.CENTER,
        });
        column.add_child(title);
        column.add_child(this.#description);
        column.add_child(this.#notice);
        this.fill([column], [this.#version, this.#description, this.#notice.label]);
    }

    sync(view: FeatureView): void {
        this.accessibleName = this.#name.text = view.name;
        this.#version.text = view.version;
        this.#version.visible = view.version !== '';
        this.#description.text = view.description;
        this.#description.visible = view.description !== '';
        this.#notice.sync(view.problem, pendingText(view.pending));
        this.syncSwitch(view);
    }
}

export class FeatureRow extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeatureRow'}, this);
    }

    /** What the keyboard goes to, from top to bottom. */
    readonly focusable: readonly St.Widget[];
    #item = new FeatureItem();
    #jobBox: JobBox;

    constructor(name: string, onSwitch: (isOn: boolean) => void, onCancel: (job: Job) => void) {
        super({orientation: Clutter.Orientation.VERTICAL, xExpand: true});
        this.#item.connect('switch-asked', (_item, isOn: boolean) => onSwitch(isOn));
        this.#jobBox = new JobBox(name, onCancel);
        this.add_child(this.#item);
        this.add_child(this.#jobBox);
        this.focusable = [this.#item, this.#jobBox.cancelButton];
    }

    sync(view: FeatureView, canCancel: boolean): void {
        this.#item.sync(view);
        this.#jobBox.sync(view.job, canCancel);
    }
}

function pendingText(pending: Pending): string {
    switch (pending) {
        case 'merged-at-boot':
            return _('Active after a restart');
        case 'unmerged-at-boot':
            return _('Active until the next restart');
        default:
            return '';
    }
}
