// SPDX-License-Identifier: GPL-2.0-or-later
// What scrolls when the screen is too low for it.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import {ensureActorVisibleInScrollView} from 'resource:///org/gnome/shell/misc/animationUtils.js';
import * as Main from 'resource:///org/gnome/shell/ui/main.js';

export class ScrollBox extends St.ScrollView {
    static {
        GObject.registerClass({GTypeName: 'SnowControlScrollBox'}, this);
    }

    /** What is put in here scrolls. */
    readonly box: St.BoxLayout;

    constructor() {
        const box = new St.BoxLayout({
            orientation: Clutter.Orientation.VERTICAL,
            xExpand: true,
        });
        super({
            styleClass: 'snow-scroll-box vfade',
            hscrollbarPolicy: St.PolicyType.NEVER,
            vscrollbarPolicy: St.PolicyType.AUTOMATIC,
            overlayScrollbars: true,
            xExpand: true,
            child: box,
        });
        this.box = box;
    }

    /** Back to the top, and no higher than this share of the screen. */
    fit(share: number): void {
        const {height} = Main.layoutManager.getWorkAreaForMonitor(Main.layoutManager.primaryIndex);
        const {scaleFactor} = St.ThemeContext.get_for_stage(global.stage);
        this.vadjustment.value = 0;
        this.style = `max-height: ${Math.round((height * share) / scaleFactor)}px;`;
    }

    /** Brings it into view when the keyboard goes to it. */
    followFocus(widget: St.Widget): void {
        widget.connect('key-focus-in', () => {
            // Only for a key: under the pointer the list would run away from it.
            if (Clutter.get_current_event()?.type() === Clutter.EventType.KEY_PRESS)
                ensureActorVisibleInScrollView(this, widget);
        });
    }
}
