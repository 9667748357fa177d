// SPDX-License-Identifier: GPL-2.0-or-later
// How the service manager of a running container is asked to run a program as the user: it does so in
// the container, and the host's root executes nothing of it.

import type {ContainerRecord} from '../model.ts';
import {machineName} from '../model.ts';

/** What the user's programs have that no session of the host has a say in. */
function environment({owner}: ContainerRecord): Readonly<Record<string, string>> {
    const runtime = `/run/user/${owner.uid}`;
    return {
        XDG_RUNTIME_DIR: runtime,
        DBUS_SESSION_BUS_ADDRESS: `unix:path=${runtime}/bus`,
        PATH: '/opt/microsoft/intune/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        NO_AT_BRIDGE: '1',
        GTK_A11Y: 'none',
    };
}

export interface InsideRun {
    readonly command: readonly [string, ...string[]];
    /** Of the container's. */
    readonly unit: string;
    /** How its standard streams are those of systemd-run(1). */
    readonly streams: 'pipe' | 'pty';
    readonly variables?: Readonly<Record<string, string>>;
}

/** A command of the host, which ends with the program, and with its exit status. */
export function commandInside(
    record: ContainerRecord,
    {command, unit, streams, variables = {}}: InsideRun,
): readonly [string, ...string[]] {
    const {uid, name} = record.owner;
    return [
        'systemd-run',
        `--machine=${machineName(uid)}`,
        '--wait',
        '--quiet',
        '--collect',
        '--service-type=exec',
        '--expand-environment=no',
        ...(streams === 'pty' ? ['--pty', '--background='] : ['--pipe']),
        `--unit=${unit}`,
        `--slice=user-${uid}.slice`,
        `--property=User=${name}`,
        '--property=WorkingDirectory=~',
        '--property=EnvironmentFile=-/run/snow-control/session.env',
        ...Object.entries({...environment(record), ...variables}).map(
            ([variable, value]) => `--setenv=${variable}=${value}`,
        ),
        '--',
        ...command,
    ];
}

/** Stops a unit of the container, and waits for its end. */
export function stopInside({owner}: ContainerRecord, unit: string): readonly [string, ...string[]] {
    return ['systemctl', `--machine=${machineName(owner.uid)}`, 'stop', '--', `${unit}.service`];
}
