// SPDX-License-Identifier: GPL-2.0-or-later
// What a toggle's menu consists of, below its header.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import type {QuickToggleMenu} from 'resource:///org/gnome/shell/ui/quickSettings.js';

export class MenuContent extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlMenuContent'}, this);
    }

    #width = -1;

    constructor() {
        super({orientation: Clutter.Orientation.VERTICAL, xExpand: true});
    }

    /** Takes from the menu around it the width there is to fill. To be called before it opens. */
    fit(menu: QuickToggleMenu): void {
        const overlay = menu.actor.get_parent();
        if (this.#width >= 0 || !overlay) return;
        const node = menu.box.get_theme_node();
        const margins = node.get_margin(St.Side.LEFT) + node.get_margin(St.Side.RIGHT);
        this.#width = Math.max(0, node.adjust_for_width(overlay.width - margins));
    }

    /** Quick Settings asks for a menu's height without telling its width, which text that wraps needs. */
    override vfunc_get_preferred_height(width: number): [number, number] {
        return super.vfunc_get_preferred_height(width < 0 ? this.#width : width);
    }

    override vfunc_allocate(box: Clutter.ActorBox): void {
        this.#width = box.get_width();
        super.vfunc_allocate(box);
    }
}
