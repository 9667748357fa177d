// SPDX-License-Identifier: GPL-2.0-or-later
// The extension's texts: gettext in its own domain, in the shell and in the preferences alike.
import GLib from 'gi://GLib';

const DOMAIN = 'snow-control';

export function gettext(text: string): string {
    return GLib.dgettext(DOMAIN, text);
}

export function ngettext(one: string, many: string, count: number): string {
    return GLib.dngettext(DOMAIN, one, many, count);
}

/** Puts the values where the text says %s, one after the other. */
export function fill(text: string, ...values: readonly (string | number)[]): string {
    let next = 0;
    return text.replace(/%s/g, () => String(values[next++] ?? ''));
}
