// SPDX-License-Identifier: GPL-2.0-or-later
// A menu item with a switch at its end. The switch shows what is: it only moves when a job for it is
// accepted or under way.
import Atk from 'gi://Atk';
import type Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import type St from 'gi://St';

import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';

const DIM_SWITCH_OPACITY = 128;

export interface SwitchState {
    readonly isOn: boolean;
    /** It is on its way, and cannot be used. */
    readonly isBusy: boolean;
    /** False: it cannot be used, and shows that. */
    readonly canSwitch?: boolean;
}

export class SwitchItem extends PopupMenu.PopupBaseMenuItem {
    static {
        GObject.registerClass(
            {
                GTypeName: 'SnowControlSwitchItem',
                Signals: {'switch-asked': {param_types: [GObject.TYPE_BOOLEAN]}},
            },
            this,
        );
    }

    #switch = new PopupMenu.Switch(false);
    #shown: SwitchState = {isOn: false, isBusy: false};

    constructor(styleClass: string) {
        super({style_class: styleClass});
        this.accessibleRole = Atk.Role.CHECK_MENU_ITEM;
        this.connect('activate', () => {
            if (this.#canUse) this.#switch.toggle();
        });
        this.#switch.connect('notify::state', () => this.#onSwitched());
    }

    /** What is before the switch; `labels` say more than the item's name. */
    protected fill(children: readonly Clutter.Actor[], labels: readonly St.Widget[]): void {
        for (const label of labels) {
            this.get_accessible()?.add_relationship(
                Atk.RelationType.DESCRIBED_BY,
                label.get_accessible() as Atk.Object,
            );
        }
        for (const child of children) this.add_child(child);
        this.add_child(this.#switch);
    }

    protected syncSwitch(state: SwitchState): void {
        this.#shown = state;
        this.#switch.state = state.isOn;
        this.#switch.reactive = state.canSwitch ?? true;
        this.#switch.opacity = this.#canUse ? 255 : DIM_SWITCH_OPACITY;
        if (state.isOn) this.add_accessible_state(Atk.StateType.CHECKED);
        else this.remove_accessible_state(Atk.StateType.CHECKED);
    }

    get #canUse(): boolean {
        return !this.#shown.isBusy && (this.#shown.canSwitch ?? true);
    }

    #onSwitched(): void {
        const {state} = this.#switch;
        if (state === this.#shown.isOn) return;
        if (this.#canUse) this.emit('switch-asked', state);
        else this.#switch.state = this.#shown.isOn;
    }
}
