// SPDX-License-Identifier: GPL-2.0-or-later
// A question in the middle of the screen, before something that is not easily taken back.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';

import {MessageDialogContent} from 'resource:///org/gnome/shell/ui/dialog.js';
import {ModalDialog} from 'resource:///org/gnome/shell/ui/modalDialog.js';

import {gettext as _} from './text.js';

export interface Question {
    readonly title: string;
    readonly paragraphs: readonly string[];
    /** On the button that says yes. */
    readonly answer: string;
}

export class Confirmation extends ModalDialog {
    static {
        GObject.registerClass({GTypeName: 'SnowControlConfirmation'}, this);
    }

    constructor({title, paragraphs, answer}: Question, onConfirm: () => void) {
        super({styleClass: 'snow-confirmation'});
        this.accessibleName = title;
        this.contentLayout.add_child(
            new MessageDialogContent({title, description: paragraphs.join('\n\n')}),
        );
        const cancel = this.addButton({
            label: _('Cancel'),
            action: () => this.close(),
            key: Clutter.KEY_Escape,
        });
        this.addButton({
            label: answer,
            action: () => {
                this.close();
                onConfirm();
            },
        });
        this.setInitialKeyFocus(cancel);
    }
}
