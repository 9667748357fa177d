// SPDX-License-Identifier: GPL-2.0-or-later

/** What a notification says. */
export interface Message {
    readonly title: string;
    readonly body: string;
    /** A restart would finish it: it can be asked for. */
    readonly isForRestart?: boolean;
}
