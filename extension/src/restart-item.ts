// SPDX-License-Identifier: GPL-2.0-or-later
// The row that restarts the computer, and says what for.
import GObject from 'gi://GObject';

import {ActionItem} from './action-item.js';
import {restartText} from './image-text.js';
import type {RestartNeed} from './restart-need.js';
import {askToRestart, canRestart} from './session-restart.js';
import {gettext as _} from './text.js';

export class RestartItem extends ActionItem {
    static {
        GObject.registerClass({GTypeName: 'SnowControlRestartItem'}, this);
    }

    constructor() {
        super('system-reboot-symbolic', _('Restart…'));
        this.connect('activate', () => askToRestart());
    }

    sync(need: RestartNeed): void {
        this.visible = need.isNeeded && canRestart();
        this.setDetail(restartText(need));
    }
}
