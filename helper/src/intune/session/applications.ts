// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import type {Application} from '../ports.ts';

interface KnownApplication extends Application {
    /** A name is looked for where the container's systemd looks for programs. */
    readonly program: string;
}

const known: readonly KnownApplication[] = [
    {
        id: 'edge',
        name: 'Microsoft Edge',
        icon: 'snow-intune-edge-symbolic',
        program: 'microsoft-edge',
    },
    {
        id: 'portal',
        name: 'Intune Portal',
        icon: 'snow-intune-portal-symbolic',
        program: '/opt/microsoft/intune/bin/intune-portal',
    },
];

export const applicationTable: readonly Application[] = known.map(({id, name, icon}) => ({
    id,
    name,
    icon,
}));

/** The program of an application, or the one that is named. Throws SnowError InvalidArgs. */
export function programOf(application: string): string {
    const found = known.find(({id}) => id === application);
    if (found) return found.program;
    if (/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$/.test(application)) return application;
    if (/^(\/[^/\p{Cc}]{1,255}){1,32}$/u.test(application)) return application;
    throw new SnowError(
        'InvalidArgs',
        `${JSON.stringify(application)} is no application, and no name or absolute path of a program`,
    );
}
