// SPDX-License-Identifier: GPL-2.0-or-later
import type {OptionName} from '../commands.ts';

/** What the options of the commands for containers say. */
export interface IntuneSettings {
    /** Name or uid; empty: who calls. */
    readonly user: string;
    /** Empty: that of the settings, or of the container. */
    readonly channel: string;
    /** Reference in place of a channel, or empty. */
    readonly image: string;
    /** `-`: standard input; empty: a terminal asks. */
    readonly passwordFile: string;
    readonly isWithoutPassword: boolean;
    /** Whether the container before comes back. */
    readonly isUndone: boolean;
    /** Whether the settings go, too. */
    readonly isEverything: boolean;
    /** Whether what was taken over is removed. */
    readonly isCompleting: boolean;
    /** Whether it is done only where it is to be done at login. */
    readonly isIfConfigured: boolean;
    /** Whether the desktop shows what goes on. */
    readonly isNotifying: boolean;
    /** Whether a program that signs in starts the container. */
    readonly isStartingContainer: boolean;
    /** Whether programs in a sandbox may sign in. */
    readonly isAdmittingSandboxed: boolean;
    /** Whether extensions of browsers may sign in. */
    readonly isForBrowsers: boolean;
}

export function intuneSettingsOf(values: ReadonlyMap<OptionName, string>): IntuneSettings {
    return {
        user: values.get('user') ?? '',
        channel: values.get('channel') ?? '',
        image: values.get('image') ?? '',
        passwordFile: values.get('password-file') ?? '',
        isWithoutPassword: values.has('no-password'),
        isUndone: values.has('undo'),
        isEverything: values.has('all'),
        isCompleting: values.has('complete'),
        isIfConfigured: values.has('if-configured'),
        isNotifying: values.has('notify'),
        isStartingContainer: values.has('start-container'),
        isAdmittingSandboxed: values.has('sandboxed'),
        isForBrowsers: values.has('browsers'),
    };
}
