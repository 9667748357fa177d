// SPDX-License-Identifier: GPL-2.0-or-later
// Every state of an OS image that the toggle shows.
import type {ImageProperties} from '../../helper/src/generated/dbus.ts';

const DAY = 24 * 60 * 60;
const REFERENCE = 'ghcr.io/frostyard/snow:latest';

export const booted = deployment('20261105', {timestamp: time('2026-11-05')});
export const newer = deployment('20261110', {timestamp: time('2026-11-10')});
export const older = deployment('20261029', {timestamp: time('2026-10-29')});

export function deployment(
    version: string,
    values: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
    return {
        version,
        image: REFERENCE,
        transport: 'registry',
        digest: `sha256:${version.repeat(8)}`,
        pinned: false,
        'soft-reboot': false,
        ...values,
    };
}

const channels = [
    ['snow', 'Snow', 'GNOME desktop'],
    [
        'snowloaded',
        'Snow Loaded',
        'GNOME desktop with Edge, VS Code, Incus and Docker in the image',
    ],
    ['snowfield', 'Snowfield', 'GNOME desktop for Microsoft Surface computers'],
    [
        'snowfieldloaded',
        'Snowfield Loaded',
        'GNOME desktop for Microsoft Surface computers, with Edge, VS Code, Incus and Docker in the image',
    ],
].map(([name, title, description]) => ({
    name,
    title,
    description,
    image: `ghcr.io/frostyard/${name}:latest`,
    followed: name === 'snow',
}));

/** Nothing to be done. */
export const current: ImageProperties = {
    Driver: 'bootc',
    Followed: REFERENCE,
    Booted: booted,
    Staged: {},
    Rollback: older,
    RollbackQueued: false,
    Downloaded: {},
    Available: {},
    Channels: channels as ImageProperties['Channels'],
    Capabilities: ['check', 'update', 'download-only', 'switch', 'rollback', 'unstage'],
    Extensions: [],
    RestartNeeded: false,
    LastCheck: time('2026-11-20') + DAY / 2,
    LastOutcome: 'current',
    Problem: '',
};

export const available: ImageProperties = {
    ...current,
    Available: {...newer, size: 1_288_490_188},
    LastOutcome: 'available',
};

export const staged: ImageProperties = {
    ...current,
    Staged: newer,
    RestartNeeded: true,
    LastOutcome: 'staged',
};

export const incomplete: ImageProperties = {
    ...staged,
    Extensions: [
        {feature: 'podman', state: 'ready', version: '5.5.0', text: ''},
        {
            feature: 'docker',
            state: 'missing',
            version: '',
            text: 'docker has no version for Debian 14',
        },
        {
            feature: 'incus',
            state: 'unknown',
            version: '6.0',
            text: 'incus 6.0 does not say for which system it is',
        },
    ],
};

export const rollbackQueued: ImageProperties = {
    ...current,
    RollbackQueued: true,
    RestartNeeded: true,
};

export const switched: ImageProperties = {
    ...current,
    Followed: 'ghcr.io/frostyard/snowloaded:latest',
    Staged: deployment('20261109', {
        image: 'ghcr.io/frostyard/snowloaded:latest',
        timestamp: time('2026-11-09'),
    }),
    Channels: current.Channels.map(channel => ({
        ...channel,
        followed: channel.name === 'snowloaded',
    })),
    RestartNeeded: true,
};

export const downloaded: ImageProperties = {...available, Downloaded: newer};

export const held: ImageProperties = {
    ...current,
    Rollback: newer,
    Available: newer,
    LastOutcome: 'held-rollback',
};

export const broken: ImageProperties = {
    ...current,
    LastOutcome: 'failed',
    Problem:
        'The signature policy in /etc/containers/policy.json refuses ghcr.io/frostyard/snow:latest: ask your administrator',
};

function time(day: string): number {
    return Date.parse(`${day}T12:00:00Z`) / 1000;
}
