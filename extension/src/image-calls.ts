// SPDX-License-Identifier: GPL-2.0-or-later
// What can be asked for the OS image.
import GLib from 'gi://GLib';

import type {ImageAction} from './image-view.js';
import {noOptions} from './service-call.js';
import type {SnowClient} from './snow-client.js';
import {IMAGE, IMAGE_PATH} from './snow-objects.js';

const METHODS: Readonly<Record<ImageAction, string>> = {
    check: 'Check',
    update: 'Update',
    download: 'Update',
    rollback: 'Rollback',
    unstage: 'Unstage',
};

export async function callImage(client: SnowClient, action: ImageAction): Promise<void> {
    const parameters =
        action === 'download'
            ? new GLib.Variant('(a{sv})', [{'download-only': GLib.Variant.new_boolean(true)}])
            : noOptions();
    await client.startJob(IMAGE_PATH, IMAGE, METHODS[action], parameters, {
        operation: `image.${action}`,
        target: '',
    });
}

/** `channel` is its name in Channels. */
export async function switchImage(client: SnowClient, channel: string): Promise<void> {
    const parameters = new GLib.Variant('(sa{sv})', [channel, {}]);
    await client.startJob(IMAGE_PATH, IMAGE, 'Switch', parameters, {
        operation: 'image.switch',
        target: channel,
    });
}
