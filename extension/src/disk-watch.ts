// SPDX-License-Identifier: GPL-2.0-or-later
// Follows what the service shows and others may change, too.
import GLib from 'gi://GLib';

import {DirectoryWatch} from './directory-watch.js';

/** Where systemd-sysext looks for what it merges. */
const EXTENSION_DIRECTORIES = ['/var/lib/extensions', '/run/extensions'];
/** Where snow's own scripts, and the service, say what they did to the OS image. */
const SNOSI_DIRECTORY = '/run/snosi';
const DELAY_MS = 500;

export class DiskWatch {
    #onChange: () => void;
    #watches: readonly DirectoryWatch[];
    #delayId = 0;

    /** `onChange` is told once of many changes, `onSnosi` of each and at the start: what was staged before counts, too. */
    constructor(onChange: () => void, onSnosi: () => void) {
        this.#onChange = onChange;
        const onSnosiChange = () => {
            onSnosi();
            this.#tellSoon();
        };
        this.#watches = [
            ...EXTENSION_DIRECTORIES.map(path => new DirectoryWatch(path, () => this.#tellSoon())),
            new DirectoryWatch(SNOSI_DIRECTORY, onSnosiChange),
        ];
        onSnosi();
    }

    destroy(): void {
        for (const watch of this.#watches) watch.destroy();
        if (this.#delayId) GLib.source_remove(this.#delayId);
        this.#delayId = 0;
    }

    #tellSoon(): void {
        if (this.#delayId) GLib.source_remove(this.#delayId);
        this.#delayId = GLib.timeout_add(GLib.PRIORITY_LOW, DELAY_MS, () => {
            this.#delayId = 0;
            this.#onChange();
            return GLib.SOURCE_REMOVE;
        });
    }
}
