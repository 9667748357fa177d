// SPDX-License-Identifier: GPL-2.0-or-later
import {chmod, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {type Running, startProgram} from '../processes.ts';

/** A dbus-daemon with the rules of a session's bus, but that other users may connect. */
export interface SessionBus extends AsyncDisposable {
    readonly socket: string;
    readonly address: string;
    /** What it has printed, and what the services that it started have. */
    readonly daemon: Running;
}

export interface SessionBusOptions {
    /** Commands by the names that the bus starts them for. */
    readonly services?: Readonly<Record<string, readonly string[]>>;
    readonly environment?: Readonly<Record<string, string>>;
}

export async function startSessionBus({
    services = {},
    environment = {},
}: SessionBusOptions = {}): Promise<SessionBus> {
    const directory = await mkdtemp('/tmp/snow-session-');
    await chmod(directory, 0o755);
    const socket = join(directory, 'bus');
    const address = `unix:path=${socket}`;
    for (const [name, command] of Object.entries(services)) {
        const text = `[D-BUS Service]\nName=${name}\nExec=${command.join(' ')}\n`;
        await writeFile(join(directory, `${name}.service`), text);
    }
    const config = join(directory, 'session.conf');
    await writeFile(config, configuration(socket, directory));
    const daemon = startProgram(
        [
            'setpriv',
            '--pdeathsig=KILL',
            'dbus-daemon',
            `--config-file=${config}`,
            '--nofork',
            '--print-address',
        ],
        {env: {...process.env, ...environment, DBUS_SESSION_BUS_ADDRESS: address}},
    );
    await daemon.waitForLine(/^unix:/);
    return {
        socket,
        address,
        daemon,
        async [Symbol.asyncDispose]() {
            // What it has started ends with it, and holds its output until then.
            daemon.child.kill('SIGTERM');
            await daemon.ended;
            await rm(directory, {recursive: true, force: true});
        },
    };
}

/** As session.conf of dbus-daemon. */
function configuration(socket: string, serviceDirectory: string): string {
    return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path=${socket}</listen>
  <servicedir>${serviceDirectory}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  <limit name="max_incoming_bytes">1000000000</limit>
  <limit name="max_outgoing_bytes">1000000000</limit>
  <limit name="max_message_size">1000000000</limit>
  <limit name="reply_timeout">0</limit>
</busconfig>
`;
}
