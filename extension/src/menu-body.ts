// SPDX-License-Identifier: GPL-2.0-or-later
// What a Quick Settings menu consists of, where some of it wraps.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import type {QuickToggleMenu} from 'resource:///org/gnome/shell/ui/quickSettings.js';

/** Quick Settings asks for a menu's height without telling its width, which text that wraps needs. */
export class MenuBody extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlMenuBody'}, this);
    }

    #width = -1;

    constructor() {
        super({orientation: Clutter.Orientation.VERTICAL, xExpand: true});
    }

    /** Before the first allocation: the width that the menu is going to give. */
    expectWidth(menu: QuickToggleMenu): void {
        const overlay = menu.actor.get_parent();
        const node = menu.box.get_theme_node();
        if (this.#width >= 0 || !overlay) return;
        const margins = node.get_margin(St.Side.LEFT) + node.get_margin(St.Side.RIGHT);
        this.#width = Math.max(0, node.adjust_for_width(overlay.width - margins));
    }

    override vfunc_get_preferred_height(width: number): [number, number] {
        return super.vfunc_get_preferred_height(width < 0 ? this.#width : width);
    }

    override vfunc_allocate(box: Clutter.ActorBox): void {
        this.#width = box.get_width();
        super.vfunc_allocate(box);
    }
}
