// SPDX-License-Identifier: GPL-2.0-or-later
// What a running job does: its step, a bar, and a button that stops it.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import Pango from 'gi://Pango';
import St from 'gi://St';

import {Spinner} from 'resource:///org/gnome/shell/ui/animation.js';
import {BarLevel} from 'resource:///org/gnome/shell/ui/barLevel.js';

import {percent} from './feature-view.js';
import {DIM_OPACITY} from './paragraph.js';
import type {Job} from './snow-objects.js';
import {fill, gettext as _} from './text.js';

const SPINNER_SIZE = 16;

export class JobBox extends St.BoxLayout {
    static {
        GObject.registerClass({GTypeName: 'SnowControlJobBox'}, this);
    }

    readonly cancelButton: St.Button;
    #job: Job | null = null;
    #spinner: Spinner;
    #step: St.Label;
    #percent: St.Label;
    #bar: BarLevel;

    /** `name` says to assistive technology what it belongs to. */
    constructor(name: string, onCancel: (job: Job) => void) {
        super({styleClass: 'snow-job', visible: false, xExpand: true});

        this.#spinner = new Spinner(SPINNER_SIZE, {animate: false, hideOnStop: true});
        this.#spinner.yAlign = Clutter.ActorAlign.CENTER;
        this.#step = new St.Label({opacity: DIM_OPACITY, xExpand: true});
        this.#step.clutterText.ellipsize = Pango.EllipsizeMode.END;
        this.#percent = new St.Label({opacity: DIM_OPACITY});
        this.#bar = new BarLevel({style_class: 'snow-progress', xExpand: true});
        this.#bar.accessibleName = name;
        this.cancelButton = new St.Button({
            iconName: 'window-close-symbolic',
            styleClass: 'icon-button snow-cancel',
            canFocus: true,
            yAlign: Clutter.ActorAlign.CENTER,
            accessibleName: fill(_('Cancel: %s'), name),
        });
        // A menu that is open takes the keys, and its items see to the arrows and Tab.
        this.cancelButton.connect('key-press-event', (_button, event) =>
            global.focus_manager.navigate_from_event(event),
        );
        this.cancelButton.connect('clicked', () => {
            if (this.#job) onCancel(this.#job);
        });

        const words = new St.BoxLayout({styleClass: 'snow-job-words', xExpand: true});
        words.add_child(this.#step);
        words.add_child(this.#percent);

        const column = new St.BoxLayout({
            orientation: Clutter.Orientation.VERTICAL,
            styleClass: 'snow-job-column',
            xExpand: true,
            yAlign: Clutter.ActorAlign.CENTER,
        });
        column.add_child(words);
        column.add_child(this.#bar);

        this.add_child(this.#spinner);
        this.add_child(column);
        this.add_child(this.cancelButton);
    }

    /** Null hides it. */
    sync(job: Job | null, canCancel: boolean): void {
        this.#job = job;
        this.visible = job !== null;
        const done = job ? percent(job) : null;
        this.#bar.visible = this.#percent.visible = done !== null;
        if (job && done === null) this.#spinner.play();
        else this.#spinner.stop();
        if (!job) return;

        this.#step.text = job.Step;
        this.cancelButton.visible = canCancel;
        if (done !== null) {
            this.#bar.value = done / 100;
            this.#percent.text = fill(_('%s %'), done);
        }
    }
}
