// SPDX-License-Identifier: GPL-2.0-or-later
// What of a user's session the container is given. Only where it is: who binds it looks at what it is.

import {HOME} from '../home.ts';
import type {ContainerRecord, SessionEnvironment, Settings} from '../model.ts';
import type {OpenedType} from '../../host/safe-open.ts';
import type {BindMapping} from './nspawn-settings.ts';

export interface Source {
    readonly kind: string;
    readonly path: string;
    readonly type: OpenedType;
    readonly target: string;
    readonly mapping: BindMapping;
    readonly isReadOnly: boolean;
    /** Whether the container cannot be without it. */
    readonly isNeeded: boolean;
}

/** Of each kind at most one; those that are not there are left out by who binds them. */
export function sessionSources(
    {owner}: ContainerRecord,
    settings: Settings,
    session: SessionEnvironment,
): readonly Source[] {
    const runtime = `/run/user/${owner.uid}`;
    const optional = {isNeeded: false, isReadOnly: false, mapping: 'idmap'} as const;
    const display = session.WAYLAND_DISPLAY ?? 'wayland-0';
    const cookie = session.XAUTHORITY ?? `${owner.home}/.Xauthority`;
    const screen = /^:(\d+)/.exec(session.DISPLAY ?? '')?.[1];
    return [
        {
            kind: 'home',
            path: `${owner.home}/${HOME}`,
            type: 'directory',
            target: `/home/${owner.name}`,
            mapping: 'owneridmap',
            isReadOnly: false,
            isNeeded: true,
        },
        {
            ...optional,
            kind: 'wayland',
            path: display.startsWith('/') ? display : `${runtime}/${display}`,
            type: 'socket',
            target: '/run/host-wayland',
        },
        ...(settings.audio
            ? [
                  {
                      ...optional,
                      kind: 'pipewire',
                      path: `${runtime}/pipewire-0`,
                      type: 'socket' as const,
                      target: '/run/host-pipewire',
                  },
                  {
                      ...optional,
                      kind: 'pulse',
                      path: `${runtime}/pulse/native`,
                      type: 'socket' as const,
                      target: '/run/host-pulse',
                  },
              ]
            : []),
        ...(settings.x11 && screen !== undefined
            ? [
                  {
                      ...optional,
                      kind: 'x11',
                      path: `/tmp/.X11-unix/X${screen}`,
                      type: 'socket' as const,
                      target: `/tmp/.X11-unix/X${screen}`,
                  },
                  {
                      ...optional,
                      kind: 'xauthority',
                      path: cookie,
                      type: 'file' as const,
                      target: '/run/host-xauthority',
                      isReadOnly: true,
                  },
              ]
            : []),
    ];
}
