// SPDX-License-Identifier: GPL-2.0-or-later
import {FeaturesInterface, ImageInterface} from '../../generated/dbus.ts';
import {connectToService, type ServiceClient} from '../client.ts';
import type {Context} from '../context.ts';
import {imageState, type ImageState} from './state.ts';

/** Has the service started, too: everything here needs it. Throws SnowError. */
export function connect({settings, canAskOnTerminal}: Context): Promise<ServiceClient> {
    const {mayAskPassword} = settings;
    return connectToService({mayAskPassword, hasTerminal: canAskOnTerminal, startsService: true});
}

/** Throws SnowError. */
export async function readImageState(client: ServiceClient): Promise<ImageState> {
    return imageState(await client.readProperties('Image', ImageInterface.name));
}

/** Whether a restart would make other versions of extensions active. Throws SnowError. */
export async function readFeaturesRestart(client: ServiceClient): Promise<boolean> {
    const properties = await client.readProperties('Features', FeaturesInterface.name);
    return properties['RestartNeeded'] === true;
}
