// SPDX-License-Identifier: GPL-2.0-or-later
// Programs in the terminal that the user has chosen, or in one that is there.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GnomeDesktop from 'gi://GnomeDesktop?version=4.0';

import {gettext as _} from './text.js';

/** What comes before the command; in the order in which they are tried. */
const TERMINALS: readonly (readonly string[])[] = [
    ['xdg-terminal-exec'],
    ['kgx', '--'],
    ['gnome-terminal', '--'],
    ['ptyxis', '--new-window', '--'],
    ['xterm', '-e'],
];

/**
 * Starts a command in a new window of a terminal.
 *
 * @throws Error when there is none; GLib.Error of one that cannot be started
 */
export function runInTerminal(command: readonly string[]): void {
    if (!TERMINALS.some(terminal => spawn([...terminal, ...command])))
        throw new Error(_('There is no terminal: install one, such as GNOME Console'));
}

/** A command that leaves the window open until the person has read what it said. */
export function thenWait(command: readonly string[], hint: string): readonly string[] {
    const script = 'hint=$1; shift; "$@"; printf "\\n%s" "$hint"; read -r _';
    return ['sh', '-c', script, 'sh', hint, ...command];
}

/** False: there is no such program. */
function spawn(argv: readonly string[]): boolean {
    const [program = ''] = argv;
    // Another version of Gio's types in @girs.
    const context = global.create_app_launch_context(0, -1) as unknown as Gio.AppLaunchContext;
    const token = startupToken(context, program);
    let pid: number | null;
    try {
        [, pid] = GLib.spawn_async(
            null,
            [...argv],
            environment(context, token),
            GLib.SpawnFlags.SEARCH_PATH_FROM_ENVP | GLib.SpawnFlags.SEARCH_PATH,
            null,
        );
    } catch (error) {
        if (token) context.launch_failed(token);
        if (
            error instanceof GLib.Error &&
            error.matches(GLib.spawn_error_quark(), GLib.SpawnError.NOENT)
        )
            return false;
        throw error;
    }
    // As the shell does for what it starts: it ends with the session, not with the shell.
    if (pid !== null) GnomeDesktop.start_systemd_scope(program, pid, null, null, null, null);
    return true;
}

/** Lets the window come to the front. */
function startupToken(context: Gio.AppLaunchContext, program: string): string | null {
    const app = Gio.AppInfo.create_from_commandline(
        program,
        null,
        Gio.AppInfoCreateFlags.SUPPORTS_STARTUP_NOTIFICATION,
    );
    return context.get_startup_notify_id(app, []);
}

function environment(context: Gio.AppLaunchContext, token: string | null): string[] {
    const own = context.get_environment();
    if (!token) return own;
    return ['XDG_ACTIVATION_TOKEN', 'DESKTOP_STARTUP_ID'].reduce(
        (variables, name) => GLib.environ_setenv(variables, name, token, true),
        own,
    );
}
