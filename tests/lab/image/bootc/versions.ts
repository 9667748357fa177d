// SPDX-License-Identifier: GPL-2.0-or-later
// Since when bootc has what.

export function isAtLeast(version: string, wanted: string): boolean {
    const [one, other] = [version, wanted].map(text => text.split('.').map(Number));
    for (const at of [0, 1, 2]) {
        const difference = (one?.[at] ?? 0) - (other?.[at] ?? 0);
        if (difference !== 0) return difference > 0;
    }
    return true;
}

/** Fields of a status document that older versions do not write. */
export const fieldsSince = {
    bootOrder: '0.1.10',
    rollbackQueued: '0.1.10',
    store: '0.1.14',
    otherDeployments: '1.6.0',
    composefs: '1.7.0',
    softRebootCapable: '1.7.0',
    downloadOnly: '1.12.0',
    usrOverlay: '1.14.0',
} as const;

interface Option {
    /** Whether a value follows. */
    readonly takes?: boolean;
    readonly since?: string;
    readonly conflicts?: readonly string[];
}

const progress = {'--progress-fd': {takes: true, since: '1.1.4'}} as const;
const softReboot = {
    '--soft-reboot': {takes: true, since: '1.7.0', conflicts: ['--check']},
} as const;

/** By verb. */
export const options: Readonly<Record<string, Readonly<Record<string, Option>>>> = {
    status: {
        '--json': {},
        '--format': {takes: true},
        '--format-version': {takes: true},
        '--booted': {},
    },
    upgrade: {
        '--quiet': {},
        '--check': {conflicts: ['--apply']},
        '--apply': {},
        '--download-only': {since: '1.12.0', conflicts: ['--check', '--apply']},
        '--from-downloaded': {since: '1.12.0', conflicts: ['--check', '--download-only']},
        '--tag': {takes: true, since: '1.15.0'},
        ...softReboot,
        ...progress,
    },
    switch: {
        '--quiet': {},
        '--apply': {},
        '--transport': {takes: true},
        '--enforce-container-sigpolicy': {},
        '--retain': {},
        ...softReboot,
        ...progress,
    },
    rollback: {
        '--apply': {since: '1.1.0'},
        '--soft-reboot': {takes: true, since: '1.7.0'},
    },
};

/** By verb; the others are as old as bootc. */
export const verbsSince: Readonly<Record<string, string>> = {rollback: '0.1.10'};
