// SPDX-License-Identifier: GPL-2.0-or-later
// A line or more about what is wrong, with a warning sign, or about what is to come.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import {DIM_OPACITY, Paragraph} from './paragraph.js';

export class Notice extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlNotice'}, this);
    }

    #icon = new St.Icon({styleClass: 'snow-notice-icon', iconName: 'dialog-warning-symbolic'});
    readonly label = new Paragraph({xExpand: true});

    constructor() {
        super({styleClass: 'snow-notice', visible: false, xExpand: true});
        this.#icon.yAlign = Clutter.ActorAlign.START;
        this.add_child(this.#icon);
        this.add_child(this.label);
    }

    /** A problem comes before a note; with neither it is hidden. */
    sync(problem: string, note = ''): void {
        this.label.text = problem || note;
        this.#icon.visible = problem !== '';
        this.visible = this.label.text !== '';
        this.label.opacity = problem ? 255 : DIM_OPACITY;
    }
}
