// SPDX-License-Identifier: GPL-2.0-or-later
// The applications of a container in its user's desktop: links below a directory that the session's
// XDG_DATA_DIRS has, while there is a container.

import {directoriesOf} from '../host/directories.ts';
import type {Host} from '../host/host.ts';
import {stateDirectory} from './model.ts';

const APPLICATIONS = '/usr/share/snow-control/applications';

function shareDirectory(uid: number): string {
    return `${stateDirectory(uid)}/share`;
}

export async function showShortcuts(host: Host, uid: number): Promise<void> {
    for (const name of await host.files.list(APPLICATIONS)) {
        if (!name.endsWith('.desktop')) continue;
        const link = `${shareDirectory(uid)}/applications/${name}`;
        await host.files.linkWhole(link, `${APPLICATIONS}/${name}`);
    }
}

export async function hideShortcuts(host: Host, uid: number): Promise<void> {
    await directoriesOf(host).removeTree(shareDirectory(uid));
}
