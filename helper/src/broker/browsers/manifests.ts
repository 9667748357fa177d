// SPDX-License-Identifier: GPL-2.0-or-later
// Where browsers look for the programs that their extensions may start, of one user.

import type {Files} from '../../host/host.ts';

/** What extensions ask for. */
const NAME = 'linux_entra_sso';
const PROGRAM = '/usr/lib/snow-control/snow-sso-host';

const shared = {
    name: NAME,
    description: 'Single sign-on with the Intune container',
    path: PROGRAM,
    type: 'stdio',
};
const chromium = {
    ...shared,
    allowed_origins: ['chrome-extension://jlnfnnolkbjieggibinobhkjdfbpcohn/'],
};
const mozilla = {...shared, allowed_extensions: ['linux-entra-sso@example.com']};

interface Browser {
    readonly name: string;
    /** Below the home directory; one that is there is used. */
    readonly profile: string;
    readonly directory: string;
    readonly manifest: Readonly<Record<string, unknown>>;
}

const browsers: readonly Browser[] = [
    {
        name: 'Firefox',
        profile: '.mozilla',
        directory: '.mozilla/native-messaging-hosts',
        manifest: mozilla,
    },
    ...[
        ['Chrome', 'google-chrome'],
        ['Chromium', 'chromium'],
        ['Edge', 'microsoft-edge'],
    ].map(([name = '', profile = '']) => ({
        name,
        profile: `.config/${profile}`,
        directory: `.config/${profile}/NativeMessagingHosts`,
        manifest: chromium,
    })),
];

export interface ManifestChanges {
    /** Browsers whose extensions may use it now. */
    readonly installed: readonly string[];
    /** Files of others under the same name, which stay. */
    readonly foreign: readonly string[];
}

/** Lets the extensions of the browsers that the user has start our program. */
export async function installManifests(files: Files, home: string): Promise<ManifestChanges> {
    const installed: string[] = [];
    const foreign: string[] = [];
    for (const {name, profile, directory, manifest} of browsers) {
        if ((await files.status(`${home}/${profile}`))?.type !== 'directory') continue;
        const path = `${home}/${directory}/${NAME}.json`;
        if (await isForeign(files, path)) {
            foreign.push(path);
            continue;
        }
        await files.writeWhole(path, `${JSON.stringify(manifest, null, 2)}\n`);
        installed.push(name);
    }
    return {installed, foreign};
}

/** Takes away what installManifests() made. */
export async function removeManifests(files: Files, home: string): Promise<void> {
    for (const {directory} of browsers) {
        const path = `${home}/${directory}/${NAME}.json`;
        if (!(await isForeign(files, path))) await files.remove(path);
    }
}

async function isForeign(files: Files, path: string): Promise<boolean> {
    if ((await files.status(path)) === null) return false;
    const text = await files.readText(path);
    return !(text ?? '').includes(JSON.stringify(PROGRAM));
}
