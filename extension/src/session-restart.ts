// SPDX-License-Identifier: GPL-2.0-or-later
// Restarting as GNOME's own system menu does: the session asks the person, and its programs.
import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as SystemActions from 'resource:///org/gnome/shell/misc/systemActions.js';

/** False where an administrator has taken it away, and on the lock screen. */
export function canRestart(): boolean {
    return SystemActions.getDefault().canRestart;
}

export function askToRestart(): void {
    Main.panel.closeQuickSettings();
    // Its types in @girs lack this.
    const actions = SystemActions.getDefault() as unknown as {activateRestart(): void};
    if (canRestart()) actions.activateRestart();
}
