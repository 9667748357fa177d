// SPDX-License-Identifier: GPL-2.0-or-later
// What can be asked for the user's container. None rejects: what fails is told by `call-refused` and
// the view.
import GLib from 'gi://GLib';

import {type IntuneDevice, deviceSubject} from './intune-devices.js';
import type {IntuneApplication} from './intune-view.js';
import {noOptions} from './service-call.js';
import type {SnowClient} from './snow-client.js';
import {INTUNE, intunePath} from './snow-objects.js';

/** Of the session, for the applications in the container. */
const SESSION_VARIABLES = ['DISPLAY', 'XAUTHORITY', 'WAYLAND_DISPLAY', 'LANG'];

export async function startIntune(client: SnowClient): Promise<void> {
    await call(client, 'Start', new GLib.Variant('(a{sv})', [sessionOptions()]));
}

export async function stopIntune(client: SnowClient): Promise<void> {
    await call(client, 'Stop', noOptions());
}

export async function checkIntune(client: SnowClient): Promise<void> {
    await call(client, 'Check', noOptions());
}

export async function recreateIntune(client: SnowClient): Promise<void> {
    await call(client, 'Recreate', new GLib.Variant('(a{sv})', [sessionOptions()]));
}

/** Starts the container, too, if it does not run. */
export async function openApplication(
    client: SnowClient,
    {id, name}: IntuneApplication,
): Promise<void> {
    await call(client, 'Open', new GLib.Variant('(sa{sv})', [id, sessionOptions()]), name);
}

/** Gives the running container a device, or takes it away. */
export async function switchDevice(
    client: SnowClient,
    {node, name}: IntuneDevice,
    isOn: boolean,
): Promise<void> {
    const path = intunePath(client.uid);
    const parameters = new GLib.Variant('(sa{sv})', [node, {}]);
    await client.startJob(path, INTUNE, isOn ? 'AttachDevice' : 'DetachDevice', parameters, {
        operation: isOn ? 'intune.attach-device' : 'intune.detach-device',
        target: name,
        isOn,
        subject: deviceSubject(client.uid, node),
    });
}

async function call(
    client: SnowClient,
    method: string,
    parameters: GLib.Variant,
    target = '',
): Promise<void> {
    await client.startJob(intunePath(client.uid), INTUNE, method, parameters, {
        operation: `intune.${method.toLowerCase()}`,
        target,
    });
}

function sessionOptions(): Record<string, GLib.Variant> {
    const variables = SESSION_VARIABLES.flatMap(name => {
        const value = GLib.getenv(name);
        return value ? [`${name}=${value}`] : [];
    });
    return {session: new GLib.Variant('as', variables)};
}
