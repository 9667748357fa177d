// SPDX-License-Identifier: GPL-2.0-or-later
import {chmod, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {join, resolve} from 'node:path';

import {type Running, startProgram} from './processes.ts';

const POLICIES = [
    '/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf',
    resolve(import.meta.dirname, '../../../data/dbus/org.frostyard.Snow1.conf'),
];

/** A dbus-daemon with the rules of a system bus, ours and polkit's included. */
export interface PrivateBus extends AsyncDisposable {
    readonly address: string;
    readonly socket: string;
    /** World-readable, removed with the bus. */
    readonly directory: string;
    readonly daemon: Running;
}

export interface ActivatableService {
    readonly name: string;
    readonly exec: string;
}

export interface BusOptions {
    /** A service that the bus starts when it is called. */
    readonly describeService?: (directory: string) => ActivatableService;
    /** Whether it delivers replies that nobody asked for, which a system bus does not. */
    readonly isLax?: boolean;
}

export async function startPrivateBus({
    describeService,
    isLax = false,
}: BusOptions = {}): Promise<PrivateBus> {
    const directory = await mkdtemp('/tmp/snow-bus-');
    await chmod(directory, 0o755);
    const socket = join(directory, 'bus');
    const service = describeService?.(directory) ?? null;
    if (service) {
        const text = `[D-BUS Service]\nName=${service.name}\nExec=${service.exec}\n`;
        await writeFile(join(directory, `${service.name}.service`), text);
    }
    const config = join(directory, 'bus.conf');
    await writeFile(config, configuration(socket, service ? directory : null, isLax));
    const daemon = startProgram(
        // Killed along with a test run that is killed; snowd and polkitd follow their bus.
        [
            'setpriv',
            '--pdeathsig=KILL',
            'dbus-daemon',
            `--config-file=${config}`,
            '--nofork',
            '--print-address',
        ],
        {
            env: {
                ...process.env,
                DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${socket}`,
                TMPDIR: directory,
            },
        },
    );
    await daemon.waitForLine(/^unix:/);
    return {
        address: `unix:path=${socket}`,
        socket,
        directory,
        daemon,
        async [Symbol.asyncDispose]() {
            await daemon[Symbol.asyncDispose]();
            await rm(directory, {recursive: true, force: true});
        },
    };
}

/** As system.conf of dbus-daemon, but for who runs it; only type session starts services itself. */
function configuration(socket: string, serviceDirectory: string | null, isLax: boolean): string {
    return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>${serviceDirectory === null ? 'system' : 'session'}</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path=${socket}</listen>
  ${serviceDirectory === null ? '' : `<servicedir>${serviceDirectory}</servicedir>`}
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="${!isLax}" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_requested_reply="${!isLax}" receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.login1"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.login1"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
  </policy>
  ${POLICIES.map(path => `<include>${path}</include>`).join('\n  ')}
</busconfig>
`;
}
