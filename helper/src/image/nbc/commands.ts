// SPDX-License-Identifier: GPL-2.0-or-later
// nbc(1), v0.17. With --json it asks nothing, and its standard input is closed in any case.

import type {Command} from '../driver.ts';

/** Asks the registry each time, and goes on without an answer. */
export const statusCommand: Command = ['nbc', 'status', '--json'];

export const checkCommand: Command = ['nbc', 'update', '--check', '--json'];

export const updateCommand: Command = ['nbc', 'update', '--json'];

/** Writes what was downloaded. */
export const applyDownloadCommand: Command = ['nbc', 'update', '--local-image', '--json'];

export const downloadCommand: Command = ['nbc', 'download', '--for-update', '--json'];

/**
 * Without --force, an image with the digest of the installed one is not written, and then its
 * reference is not followed either.
 */
export function switchCommand(reference: string): Command {
    return ['nbc', 'update', `--image=${reference}`, '--force', '--json'];
}

/** Has systemd-boot start an entry from now on, whatever its own configuration says. */
export function setDefaultEntryCommand(entry: string): Command {
    return ['bootctl', 'set-default', entry];
}

export function unmountCommand(mountPoint: string): Command {
    return ['umount', '--', mountPoint];
}

/** Prints a file of a file system that is not mounted. */
export function readFromImageCommand(image: string, path: string): Command {
    return ['systemd-dissect', '--copy-from', image, path, '-'];
}

export function removeTreeCommand(path: string): Command {
    return ['rm', '-rf', '--one-file-system', '--', path];
}
