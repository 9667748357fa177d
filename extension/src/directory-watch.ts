// SPDX-License-Identifier: GPL-2.0-or-later
// Follows what is in a directory, by the kernel's own word. One that does not exist is waited for in
// its parent: a monitor of what is not there would poll for it.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

export class DirectoryWatch {
    #directory: Gio.File;
    #onChange: () => void;
    #cancellable = new Gio.Cancellable();
    #monitor: Gio.FileMonitor | null = null;
    #parent: Gio.FileMonitor | null = null;

    /** The directory's parent must exist; `onChange` is told of all in it, and of its coming and going. */
    constructor(path: string, onChange: () => void) {
        this.#directory = Gio.File.new_for_path(path);
        this.#onChange = onChange;
        this.#look();
    }

    destroy(): void {
        this.#cancellable.cancel();
        this.#monitor?.cancel();
        this.#parent?.cancel();
        this.#monitor = this.#parent = null;
    }

    #look(): void {
        this.#directory.query_info_async(
            Gio.FILE_ATTRIBUTE_STANDARD_TYPE,
            Gio.FileQueryInfoFlags.NONE,
            GLib.PRIORITY_LOW,
            this.#cancellable,
            (_file, result) => {
                let isThere = true;
                try {
                    this.#directory.query_info_finish(result);
                } catch {
                    // Not there, or not yet.
                    isThere = false;
                }
                if (this.#cancellable.is_cancelled()) return;
                if (isThere) this.#follow();
                else this.#await();
            },
        );
    }

    #follow(): void {
        this.#parent?.cancel();
        this.#parent = null;
        if (this.#monitor) return;
        this.#monitor = this.#directory.monitor_directory(Gio.FileMonitorFlags.NONE, null);
        this.#monitor.connect('changed', (_monitor, file, _other, event) => {
            if (event === Gio.FileMonitorEvent.DELETED && file.equal(this.#directory)) {
                this.#monitor?.cancel();
                this.#monitor = null;
                this.#look();
            }
            this.#onChange();
        });
    }

    #await(): void {
        const parent = this.#directory.get_parent();
        if (this.#parent || !parent) return;
        this.#parent = parent.monitor_directory(Gio.FileMonitorFlags.NONE, null);
        this.#parent.connect('changed', (_monitor, file, _other, event) => {
            if (event !== Gio.FileMonitorEvent.CREATED || !file.equal(this.#directory)) return;
            this.#follow();
            this.#onChange();
        });
        // It may have come between the look and the monitor.
        this.#look();
    }
}
