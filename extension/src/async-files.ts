// SPDX-License-Identifier: GPL-2.0-or-later
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

/** Empty, where there is no such file. */
export async function readText(file: Gio.File, cancellable: Gio.Cancellable): Promise<string> {
    const result = await new Promise<Gio.AsyncResult>(resolve => {
        file.load_contents_async(cancellable, (_file, loaded) => resolve(loaded));
    });
    try {
        const [, contents] = file.load_contents_finish(result);
        return new TextDecoder().decode(contents);
    } catch (error) {
        if (isIOError(error, Gio.IOErrorEnum.NOT_FOUND)) return '';
        throw error;
    }
}

/** Writes the whole file, and makes the directories that it needs. */
export async function writeText(
    file: Gio.File,
    text: string,
    cancellable: Gio.Cancellable,
): Promise<void> {
    const parent = file.get_parent();
    if (parent) await makeDirectories(parent, cancellable);
    const result = await new Promise<Gio.AsyncResult>(resolve => {
        file.replace_contents_bytes_async(
            new GLib.Bytes(new TextEncoder().encode(text)),
            null,
            false,
            Gio.FileCreateFlags.REPLACE_DESTINATION,
            cancellable,
            (_file, written) => resolve(written),
        );
    });
    file.replace_contents_finish(result);
}

async function makeDirectories(directory: Gio.File, cancellable: Gio.Cancellable): Promise<void> {
    const result = await new Promise<Gio.AsyncResult>(resolve => {
        directory.make_directory_async(GLib.PRIORITY_LOW, cancellable, (_file, made) =>
            resolve(made),
        );
    });
    try {
        directory.make_directory_finish(result);
    } catch (error) {
        if (isIOError(error, Gio.IOErrorEnum.EXISTS)) return;
        const parent = directory.get_parent();
        if (!parent || !isIOError(error, Gio.IOErrorEnum.NOT_FOUND)) throw error;
        await makeDirectories(parent, cancellable);
        await makeDirectories(directory, cancellable);
    }
}

export function isIOError(error: unknown, code: number): boolean {
    return error instanceof GLib.Error && error.matches(Gio.io_error_quark(), code);
}
