// SPDX-License-Identifier: GPL-2.0-or-later
// Tells once of each update that waits for a restart. Snow's own bootc-update-notify does the same: who
// was first writes the update's identity to a file of the user, and the other one keeps quiet.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {isIOError, readText, writeText} from './async-files.js';
import type {SnowClient} from './snow-client.js';
import {ACKNOWLEDGED, UPDATE_STAGED, stagedIdentity} from './staged-identity.js';

/** Snow's own notification starts at the same instant: by then it has told, or there is none. */
const PATIENCE_MS = 3000;

export class StagedNotice {
    #client: SnowClient;
    #tell: (identity: string) => boolean;
    #cancellable = new Gio.Cancellable();
    #changedId: number;
    #timeoutId = 0;
    #staged = Gio.File.new_for_path(UPDATE_STAGED);
    #acknowledged = Gio.File.new_for_path(`${GLib.get_user_state_dir()}/${ACKNOWLEDGED}`);

    /** `tell` says whether the user knows of it now. */
    constructor(client: SnowClient, tell: (identity: string) => boolean) {
        this.#client = client;
        this.#tell = tell;
        this.#changedId = client.connect('snosi-changed', () => this.#lookSoon());
    }

    destroy(): void {
        this.#client.disconnect(this.#changedId);
        this.#cancellable.cancel();
        if (this.#timeoutId) GLib.source_remove(this.#timeoutId);
        this.#timeoutId = 0;
    }

    #lookSoon(): void {
        if (this.#timeoutId) GLib.source_remove(this.#timeoutId);
        this.#timeoutId = GLib.timeout_add(GLib.PRIORITY_LOW, PATIENCE_MS, () => {
            this.#timeoutId = 0;
            this.#look().catch((error: unknown) => {
                if (!isIOError(error, Gio.IOErrorEnum.CANCELLED)) console.error(error);
            });
            return GLib.SOURCE_REMOVE;
        });
    }

    async #look(): Promise<void> {
        const cancellable = this.#cancellable;
        const identity = stagedIdentity(await readText(this.#staged, cancellable));
        if (!identity) return;
        const told = (await readText(this.#acknowledged, cancellable)).trim();
        if (identity === told || cancellable.is_cancelled()) return;
        if (this.#tell(identity)) await writeText(this.#acknowledged, `${identity}\n`, cancellable);
    }
}
