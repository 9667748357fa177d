// SPDX-License-Identifier: GPL-2.0-or-later
// Has the devices of the user's container read anew when one came or went. What gives devices to it leaves a
// file for each that it has, and for each that its user is to be asked about, as long as it runs.
import GLib from 'gi://GLib';

import {DirectoryWatch} from './directory-watch.js';
import type {SnowClient} from './snow-client.js';

const RUNTIME = '/run/snow-control/intune';
const DIRECTORIES = ['devices', 'waiting'];
/** A device has several nodes, and each of them several changes. */
const DELAY_MS = 100;

export class DeviceWatch {
    #client: SnowClient;
    #changedId: number;
    #watches: readonly DirectoryWatch[] = [];
    #delayId = 0;

    constructor(client: SnowClient) {
        this.#client = client;
        this.#changedId = client.connect('changed', () => this.#sync());
        this.#sync();
    }

    destroy(): void {
        this.#client.disconnect(this.#changedId);
        this.#stop();
    }

    #sync(): void {
        const isWanted = this.#client.intune?.State === 'running';
        if (isWanted === this.#watches.length > 0) return;
        if (isWanted) this.#start();
        else this.#stop();
    }

    #start(): void {
        const directory = `${RUNTIME}/u${this.#client.uid}`;
        this.#watches = DIRECTORIES.map(
            name => new DirectoryWatch(`${directory}/${name}`, () => this.#readSoon()),
        );
        // For what came between the answer that it runs and the monitors.
        this.#readSoon();
    }

    #stop(): void {
        for (const watch of this.#watches) watch.destroy();
        this.#watches = [];
        if (this.#delayId) GLib.source_remove(this.#delayId);
        this.#delayId = 0;
    }

    #readSoon(): void {
        this.#delayId ||= GLib.timeout_add(GLib.PRIORITY_DEFAULT, DELAY_MS, () => {
            this.#delayId = 0;
            void this.#client.refreshDevices();
            return GLib.SOURCE_REMOVE;
        });
    }
}
