// SPDX-License-Identifier: GPL-2.0-or-later
import type {Guest} from './guest.ts';

/** One message of a user's program to the journal. */
export interface LogEntry {
    /** As syslog has it: 4 is a warning, less is worse. */
    readonly priority: number;
    /** GLib's log domain: `GNOME Shell` is what extensions say, `Gjs` what goes wrong in them. */
    readonly domain: string;
    readonly program: string;
    readonly message: string;
    readonly cursor: string;
}

/** What a shell warns of because the guest is not a whole desktop. */
const harmless = [
    /^AT-SPI: Error retrieving accessibility bus address/,
    /^Failed to launch ibus-daemon/,
    // of a default setting of Debian's that GNOME 50 does not know any more
    /^Unknown experimental feature/,
    /^Failed to start evolution-source-registry/,
    // of mutter itself, when a program's first window opens
    /^surface_state_changed: assertion 'wl_window->has_last_sent_configuration' failed/,
    /Unable to acquire the address of the accessibility bus/,
];

/** In the text of programs that write to standard error, where there is no priority. */
const alarming =
    /JS ERROR|JS WARNING|-(WARNING|CRITICAL) \*\*|snow-control@frostyard\.org\/\S*\.js/;

/** The journal of a user's programs, from after the cursor. */
export async function readLog(guest: Guest, uid: number, after = ''): Promise<LogEntry[]> {
    await guest.check(['journalctl', '--sync']);
    const text = await guest.check([
        ...['journalctl', '--no-pager', '--output=json', '--all', `_UID=${uid}`],
        ...(after ? [`--after-cursor=${after}`] : []),
    ]);
    return text.split('\n').filter(Boolean).map(parseEntry);
}

function parseEntry(line: string): LogEntry {
    const fields = JSON.parse(line) as Record<string, string | number[] | null>;
    const field = (name: string) => {
        const value = fields[name] ?? '';
        return typeof value === 'string' ? value : Buffer.from(value).toString();
    };
    return {
        priority: Number(field('PRIORITY') || 6),
        domain: field('GLIB_DOMAIN'),
        program: field('_COMM') || field('SYSLOG_IDENTIFIER'),
        message: field('MESSAGE'),
        cursor: field('__CURSOR'),
    };
}

/** Whether this is a warning or worse of the shell, of our extension or of its preferences. */
export function isWarning({priority, domain, program, message}: LogEntry): boolean {
    if (harmless.some(pattern => pattern.test(message))) return false;
    const isOfTheShell =
        domain !== '' && ['gnome-shell', 'gjs', 'gjs-console', ''].includes(program);
    return (isOfTheShell && priority <= 4) || alarming.test(message);
}

export function formatEntry({priority, domain, program, message}: LogEntry) {
    return `<${priority}> ${domain || program}: ${message}`;
}
