// SPDX-License-Identifier: GPL-2.0-or-later
// One feature in the list: a menu item with a switch, and below it what its job does.
import Atk from 'gi://Atk';
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import Pango from 'gi://Pango';
import St from 'gi://St';

import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';

import type {FeatureView, Pending} from './feature-view.js';
import {JobBox} from './job-box.js';
import {Notice} from './notice.js';
import type {Job} from './snow-objects.js';
import {DIM_OPACITY, Paragraph} from './paragraph.js';
import {gettext as _} from './text.js';

const BUSY_OPACITY = 128;

class FeatureItem extends PopupMenu.PopupBaseMenuItem {
    static {
        GObject.registerClass(
            {
                GTypeName: 'SnowControlFeatureItem',
                Signals: {'switch-asked': {param_types: [GObject.TYPE_BOOLEAN]}},
            },
            this,
        );
    }

    #name = new St.Label({styleClass: 'snow-name'});
    #version = new St.Label({opacity: DIM_OPACITY, xExpand: true});
    #description = new Paragraph({styleClass: 'snow-description', opacity: DIM_OPACITY});
    #notice = new Notice();
    #switch = new PopupMenu.Switch(false);
    #isOn = false;
    #isBusy = false;

    constructor() {
        super({style_class: 'snow-feature'});
        this.accessibleRole = Atk.Role.CHECK_MENU_ITEM;
        this.labelActor = this.#name;
        const accessible = this.get_accessible();
        for (const label of [this.#version, this.#description, this.#notice.label]) {
            accessible?.add_relationship(
                Atk.RelationType.DESCRIBED_BY,
                label.get_accessible() as Atk.Object,
            );
        }

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
        this.add_child(column);
        this.add_child(this.#switch);

        this.connect('activate', () => this.#switch.toggle());
        this.#switch.connect('notify::state', () => this.#onSwitched());
    }

    sync(view: FeatureView): void {
        this.accessibleName = this.#name.text = view.name;
        this.#version.text = view.version;
        this.#version.visible = view.version !== '';
        this.#description.text = view.description;
        this.#description.visible = view.description !== '';
        this.#notice.sync(view.problem, pendingText(view.pending));
        this.#isOn = view.isOn;
        this.#isBusy = view.isBusy;
        this.#switch.state = view.isOn;
        this.#switch.opacity = view.isBusy ? BUSY_OPACITY : 255;
        if (view.isOn) this.add_accessible_state(Atk.StateType.CHECKED);
        else this.remove_accessible_state(Atk.StateType.CHECKED);
    }

    /** The switch shows what is, so it only moves when a job for it is accepted or under way. */
    #onSwitched(): void {
        const {state} = this.#switch;
        if (state === this.#isOn) return;
        if (this.#isBusy) this.#switch.state = this.#isOn;
        else this.emit('switch-asked', state);
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
