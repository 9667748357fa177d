// SPDX-License-Identifier: GPL-2.0-or-later
// What can be asked for the features. None rejects: what fails is told by `call-refused` and the view.
import GLib from 'gi://GLib';

import {noOptions} from './service-call.js';
import type {SnowClient} from './snow-client.js';
import {FEATURE, FEATURES, FEATURES_PATH, type Feature} from './snow-objects.js';

export async function switchFeature(
    client: SnowClient,
    feature: Feature,
    isOn: boolean,
): Promise<void> {
    await client.startJob(feature.path, FEATURE, isOn ? 'Enable' : 'Disable', noOptions(), {
        operation: isOn ? 'features.enable' : 'features.disable',
        target: feature.Name,
        isOn,
    });
}

export async function updateFeatures(client: SnowClient): Promise<void> {
    await client.startJob(FEATURES_PATH, FEATURES, 'UpdateAll', noOptions(), {
        operation: 'features.update',
        target: '',
    });
}

export async function checkFeatures(client: SnowClient): Promise<void> {
    await client.startJob(FEATURES_PATH, FEATURES, 'Check', noOptions(), {
        operation: 'features.check',
        target: '',
    });
}

export async function setAutomatic(client: SnowClient, isAutomatic: boolean): Promise<void> {
    const parameters = new GLib.Variant('(ba{sv})', [isAutomatic, {}]);
    await client.startJob(FEATURES_PATH, FEATURES, 'SetAutomatic', parameters, {
        operation: 'features.automatic',
        target: '',
    });
}
