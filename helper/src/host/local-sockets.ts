// SPDX-License-Identifier: GPL-2.0-or-later
import {type Server, type Socket, createConnection, createServer} from 'node:net';

/** The first that a service manager passes; see sd_listen_fds(3). */
const FIRST = 3;

/** The one socket that the service manager listens on for this process. Throws where there is none. */
export function passedServer(): Server {
    if (process.env['LISTEN_PID'] !== String(process.pid) || process.env['LISTEN_FDS'] !== '1')
        throw new Error('It is started by its socket unit');
    return createServer().listen({fd: FIRST});
}

export function connectToSocket(path: string): Socket {
    return createConnection(path);
}
