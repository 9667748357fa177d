// SPDX-License-Identifier: GPL-2.0-or-later
// Something in a menu that is there to be read. It does nothing, and yet takes the focus: so that the
// keyboard scrolls to it, and it is read out.
import GObject from 'gi://GObject';

import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';

export class InfoItem extends PopupMenu.PopupBaseMenuItem {
    static {
        GObject.registerClass({GTypeName: 'SnowControlInfoItem'}, this);
    }

    constructor(styleClass: string) {
        super({activate: false, hover: false, style_class: styleClass});
        this.trackHover = false;
    }
}
