// SPDX-License-Identifier: GPL-2.0-or-later
// What the worker, which may look into the image of the next boot, leaves for those who may not: its
// os-release, which the extensions are compared with.

import type {StagedSystem} from '../host/domain.ts';
import type {Host} from '../host/host.ts';
import {type Release, parseRelease} from '../host/os-release.ts';
import {importJson, nullable, object, string} from '../host/importer.ts';
import {type Deployment, isSameImage} from './model.ts';

const DIRECTORY = '/run/snow-control/next-system';
const OS_RELEASE = `${DIRECTORY}/os-release`;
/** Which image it is of, and where that is mounted. */
const IMAGE = `${DIRECTORY}/image.json`;

/** Keeps it; null: the next boot starts nothing new, or nobody can look into it. */
export async function recordNextSystem(
    host: Host,
    deployment: Deployment | null,
    system: StagedSystem | null,
): Promise<void> {
    // In an order in which what is there is never of another image.
    await host.files.remove(IMAGE);
    if (!deployment || !system) {
        await host.files.remove(OS_RELEASE);
        return;
    }
    const {digest, version} = deployment;
    await host.files.writeWhole(OS_RELEASE, formatRelease(system.release));
    await host.files.writeWhole(IMAGE, `${JSON.stringify({digest, version, tree: system.tree})}\n`);
}

/** What was kept of this very image; null: nothing. Throws SnowError when it cannot be read. */
export async function readNextSystem(
    host: Host,
    deployment: Deployment,
): Promise<StagedSystem | null> {
    const [image, release] = await Promise.all([
        host.files.readText(IMAGE),
        host.files.readText(OS_RELEASE),
    ]);
    if (image === null || release === null) return null;
    const of = importJson(IMAGE, image, nextImage);
    if (!isSameImage(of, deployment)) return null;
    return {release: parseRelease(release), tree: of.tree};
}

function formatRelease(release: Release): string {
    return Object.entries(release)
        .map(([key, value]) => `${key}="${value.replace(/["$`\\]/g, '\\$&')}"\n`)
        .join('');
}

const nextImage = object({
    digest: nullable(string),
    version: nullable(string),
    tree: nullable(string),
});
