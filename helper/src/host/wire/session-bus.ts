// SPDX-License-Identifier: GPL-2.0-or-later
import {connect} from 'node:net';

import {BusError} from '../bus-error.ts';
import {WireConnection, type WireOptions} from './connection.ts';

/** Connects to the bus of the user's session. Throws BusError. */
export async function connectToSessionBus(
    options: WireOptions,
    environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<WireConnection> {
    const socket = connect(sessionBusSocket(environment));
    return WireConnection.open({input: socket, output: socket}, options);
}

/**
 * Path of the socket of DBUS_SESSION_BUS_ADDRESS, else the one of systemd's user bus; an abstract one
 * begins with NUL. Throws BusError.
 */
export function sessionBusSocket(
    environment: Readonly<Record<string, string | undefined>>,
): string {
    const {DBUS_SESSION_BUS_ADDRESS: addresses, XDG_RUNTIME_DIR: runtime} = environment;
    for (const address of addresses?.split(';') ?? []) {
        const parameters = new Map(
            address
                .replace(/^unix:/, '')
                .split(',')
                .map(pair => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]),
        );
        const path = parameters.get('path');
        const abstract = parameters.get('abstract');
        if (!address.startsWith('unix:')) continue;
        if (path !== undefined) return unescaped(path);
        if (abstract !== undefined) return `\0${unescaped(abstract)}`;
    }
    if (addresses || !runtime)
        throw new BusError(
            'org.freedesktop.DBus.Error.BadAddress',
            'The session has no bus that can be reached',
        );
    return `${runtime}/bus`;
}

function unescaped(value: string): string {
    return value.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
        String.fromCharCode(parseInt(hex, 16)),
    );
}
