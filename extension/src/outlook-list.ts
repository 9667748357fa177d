// SPDX-License-Identifier: GPL-2.0-or-later
// What the next boot means for extensions: those that it will not have, or may not.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import type {Outlook} from './image-deployment.js';
import {InfoItem} from './info-item.js';
import {Notice} from './notice.js';
import {fill, gettext as _} from './text.js';

export class OutlookList extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlOutlookList'}, this);
    }

    #followFocus: (widget: St.Widget) => void;
    #box = new St.BoxLayout({orientation: Clutter.Orientation.VERTICAL});
    /** What the items were made of. */
    #shown = '';

    constructor(followFocus: (widget: St.Widget) => void) {
        super({orientation: Clutter.Orientation.VERTICAL, xExpand: true});
        this.#followFocus = followFocus;
        this.add_child(
            new St.Label({
                text: _('Extensions after the restart'),
                styleClass: 'snow-name snow-heading',
            }),
        );
        this.add_child(this.#box);
    }

    sync(outlooks: readonly Outlook[]): void {
        this.visible = outlooks.length > 0;
        const wanted = JSON.stringify(outlooks);
        if (wanted === this.#shown) return;
        this.#shown = wanted;
        this.#box.destroy_all_children();
        for (const outlook of outlooks) {
            const text = textOf(outlook);
            const notice = new Notice();
            if (outlook.state === 'missing') notice.sync(text);
            else notice.sync('', text);
            const item = new InfoItem('snow-outlook');
            item.accessibleName = text;
            item.add_child(notice);
            this.#followFocus(item);
            this.#box.add_child(item);
        }
    }
}

function textOf({feature, state, text}: Outlook): string {
    if (text) return text;
    return fill(
        state === 'missing' ? _('%s will not be there') : _('%s may not be there'),
        feature,
    );
}
