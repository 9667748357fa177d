// SPDX-License-Identifier: GPL-2.0-or-later
// What of a user's session the container is given. Only where it is: who binds it looks at what it is.

import {basename, dirname} from 'node:path/posix';

import type {Host} from '../../host/host.ts';
import {type OpenedType, listSafely} from '../../host/safe-open.ts';
import {HOME} from '../home.ts';
import type {ContainerRecord, Owner, SessionEnvironment, Settings} from '../model.ts';
import type {BindMapping} from './nspawn-settings.ts';

export interface Source {
    readonly kind: string;
    /** The first that is there is bound. */
    readonly paths: readonly string[];
    readonly type: OpenedType;
    /** Whether it may be root's, not only the user's. */
    readonly mayBeRoots: boolean;
    readonly target: string;
    readonly mapping: BindMapping;
    readonly isReadOnly: boolean;
    /** Whether the container cannot be without it. */
    readonly isNeeded: boolean;
    /** What programs in the container have to know to find it. */
    readonly environment: Readonly<Record<string, string>>;
}

/** Where the session has something that has no fixed name. */
export interface Findings {
    /** Path of the home directory, with no link above it. */
    readonly home: string;
    /** Xauthority files, the best first. */
    readonly cookies: readonly string[];
}

/** What Xwayland of mutter, and other display servers, call the file of their cookie. */
const COOKIE = /^(\.mutter-Xwaylandauth\.[A-Za-z0-9]{1,32}|xauth_[A-Za-z0-9]{1,32})$/;

function runtime({uid}: Owner): string {
    return `/run/user/${uid}`;
}

export async function findSession(host: Host, owner: Owner): Promise<Findings> {
    const above = await host.files.resolve(dirname(owner.home));
    const cookies = await listSafely(runtime(owner), owner.uid, COOKIE);
    return {
        home: above === null ? owner.home : `${above}/${basename(owner.home)}`,
        cookies: cookies.map(name => `${runtime(owner)}/${name}`),
    };
}

/** Of each kind at most one; those that are not there are left out by who binds them. */
export function sessionSources(
    {owner}: ContainerRecord,
    settings: Settings,
    session: SessionEnvironment,
    {home, cookies}: Findings,
): readonly Source[] {
    const sources: Source[] = [
        {
            kind: 'home',
            paths: [`${home}/${HOME}`],
            type: 'directory',
            mayBeRoots: false,
            target: `/home/${owner.name}`,
            mapping: 'owneridmap',
            isReadOnly: false,
            isNeeded: true,
            environment: {},
        },
    ];
    const socket = (kind: string, path: string, target: string, variable: string): Source => ({
        ...optional,
        kind,
        paths: [path],
        target,
        environment: {[variable]: target},
    });
    const display = session.WAYLAND_DISPLAY ?? 'wayland-0';
    const wayland = display.startsWith('/') ? display : `${runtime(owner)}/${display}`;
    sources.push(socket('wayland', wayland, '/run/host-wayland', 'WAYLAND_DISPLAY'));
    if (settings.audio) {
        const [pipewire, pulse] = [
            `${runtime(owner)}/pipewire-0`,
            `${runtime(owner)}/pulse/native`,
        ];
        sources.push(socket('pipewire', pipewire, '/run/host-pipewire', 'PIPEWIRE_REMOTE'), {
            ...socket('pulse', pulse, '/run/host-pulse', ''),
            environment: {PULSE_SERVER: 'unix:/run/host-pulse'},
        });
    }
    if (settings.x11) {
        const screen = /^:(\d+)/.exec(session.DISPLAY ?? ':0')?.[1] ?? '0';
        const path = `/tmp/.X11-unix/X${screen}`;
        const own = [...cookies, `${runtime(owner)}/gdm/Xauthority`, `${home}/.Xauthority`];
        const named = session.XAUTHORITY;
        const moved = named?.startsWith(`${owner.home}/`)
            ? `${home}${named.slice(owner.home.length)}`
            : named;
        sources.push(
            {
                ...socket('x11', path, path, ''),
                // Xorg's is root's; that of number 0 alone need not be of this user's session.
                mayBeRoots: session.DISPLAY !== undefined,
                environment: {DISPLAY: `:${screen}`},
            },
            {
                ...socket('xauthority', '', '/run/host-xauthority', 'XAUTHORITY'),
                paths: moved === undefined ? own : [moved],
                type: 'file',
                isReadOnly: true,
            },
        );
    }
    // Not pcscd's own: it asks polkit who it talks to, which knows no session of a container's user.
    if (settings.smartCards)
        sources.push(
            socket(
                'smart-cards',
                `${runtime(owner)}/snow-smart-cards`,
                '/run/host-pcscd',
                'PCSCLITE_CSOCK_NAME',
            ),
        );
    return sources;
}

const optional = {
    type: 'socket',
    mayBeRoots: false,
    mapping: 'idmap',
    isReadOnly: false,
    isNeeded: false,
} as const;
