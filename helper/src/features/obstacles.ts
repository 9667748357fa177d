// SPDX-License-Identifier: GPL-2.0-or-later
// What keeps systemd-sysext from merging an image that is linked; it says nothing by itself.
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {readOsRelease} from '../host/os-release.ts';
import {architectureOf, incompatibility} from './compatibility.ts';
import {imageReleasesOf} from './image-releases.ts';
import type {TransferState} from './instances.ts';
import {LINK_DIRECTORY, SEARCH_PATH} from './sysext.ts';

/** An extension of the same name in a directory that systemd-sysext looks into first; null: none. */
export async function findHiding(host: Host, name: string): Promise<string | null> {
    for (const directory of SEARCH_PATH.slice(0, SEARCH_PATH.indexOf(LINK_DIRECTORY)))
        for (const path of [`${directory}/${name}`, `${directory}/${name}.raw`])
            if (await host.files.status(path)) return path;
    return null;
}

/** Why not even a restart would merge what is linked, in one line; null: nothing is known that would keep it from that. */
export async function findObstacle(
    host: Host,
    {extension, linked}: TransferState,
): Promise<string | null> {
    if (!linked) return null;
    const label = `${extension} ${linked.version}`;
    const hiding = await findHiding(host, extension);
    if (hiding !== null) return `${hiding} is merged instead of ${label}`;
    try {
        const release = await imageReleasesOf(host).read(linked.path, extension);
        if (!release) return null;
        const problem = incompatibility(release, await readOsRelease(host), architectureOf(host));
        return problem === null ? null : `${label} ${problem}`;
    } catch (error) {
        // Not everybody may look into it.
        if (error instanceof SnowError) return null;
        throw error;
    }
}
