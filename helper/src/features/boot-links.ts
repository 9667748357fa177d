// SPDX-License-Identifier: GPL-2.0-or-later
// At boot, the links of the extensions are made to lead to what fits the system that was booted.
// This also runs where little else does yet, so it reads no definitions, and looks into no image.
import {dirname, relative, resolve} from 'node:path/posix';

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {type Release, readOsRelease} from '../host/os-release.ts';
import {compareVersions} from '../host/versions.ts';
import {architectureOf, incompatibility} from './compatibility.ts';
import {
    type NextBootRecord,
    type RecordedExtension,
    afterBoot,
    essentialRelease,
    findSystem,
    isSameSystem,
    readNextBootRecord,
    withCurrent,
    withImages,
    writeNextBootRecord,
} from './next-boot-record.ts';

/** What was done. */
export interface Followed {
    readonly record: NextBootRecord;
    /** Names of extensions whose links were changed. */
    readonly changed: readonly string[];
}

/**
 * Makes every recorded extension's links lead to its image for the running system, and remembers
 * what they led to on the system before it. A change that is interrupted is done by the next call,
 * on whichever system that is. What has no image for this system is left as it is: systemd-sysext
 * leaves it out. The lock must be held; null: there is no record, so nothing is to be done.
 *
 * @param isBoot whether the system was booted just now
 * Throws SnowError WrongState when the record or the system's os-release(5) cannot be understood.
 */
export async function followRunningSystem(host: Host, isBoot: boolean): Promise<Followed | null> {
    const before = await readNextBootRecord(host);
    if (!before) return null;
    const running = await readOsRelease(host);
    if (!running['ID']) throw new SnowError('WrongState', 'This system has no name in os-release');
    // A boot at which this was not run counts when this is run next.
    const isNew = isBoot || !isSameSystem(before.current, running);
    const {record, changed} = await switchLinks(host, before, running);
    const after = isNew ? afterBoot(record, running) : withCurrent(record, running);
    await writeNextBootRecord(host, after);
    return {record: after, changed};
}

async function switchLinks(
    host: Host,
    before: NextBootRecord,
    running: Release,
): Promise<Followed> {
    const {current, switchingTo, extensions} = before;
    if (switchingTo === null && isSameSystem(current, running))
        return {record: before, changed: []};
    // Halfway, the links tell nothing; what they were was written down when that change began.
    const left =
        switchingTo === null
            ? withImages(before, current, await linkedImages(host, extensions))
            : before;
    const record = {...left, switchingTo: essentialRelease(running)};
    await writeNextBootRecord(host, record);
    if (switchingTo !== null) await removeUnfinished(host, extensions);
    const changed: string[] = [];
    for (const extension of extensions)
        if (await relink(host, record, extension, running)) changed.push(extension.name);
    return {record, changed};
}

/** Links under the temporary names that an interrupted change left. */
async function removeUnfinished(
    host: Host,
    extensions: readonly RecordedExtension[],
): Promise<void> {
    const paths = extensions.flatMap(({links}) => links);
    for (const directory of new Set(paths.map(path => dirname(path))))
        await host.files.removePending(directory);
}

/** What the links lead to, by the name of the extension. */
export async function linkedImages(
    host: Host,
    extensions: readonly RecordedExtension[],
): Promise<Readonly<Record<string, string>>> {
    const images: Record<string, string> = {};
    for (const {name, links} of extensions) {
        const [path = ''] = links;
        const target = path === '' ? null : await host.files.readLink(path);
        if (target !== null) images[name] = resolve(dirname(path), target);
    }
    return images;
}

/** Returns whether something was changed. */
async function relink(
    host: Host,
    record: NextBootRecord,
    extension: RecordedExtension,
    running: Release,
): Promise<boolean> {
    const chosen = findSystem(record, running)?.images[extension.name];
    const isThere = chosen !== undefined && (await host.files.resolve(chosen)) !== null;
    const image = isThere ? chosen : await newestFitting(host, extension, running);
    if (image === null) return false;
    let isChanged = false;
    for (const path of extension.links) {
        const status = await host.files.status(path);
        // Somebody's own file; or turned off by somebody.
        if (status ? status.type !== 'symlink' : !isThere) continue;
        const target = relative(dirname(path), image);
        if ((await host.files.readLink(path)) === target) continue;
        await host.files.linkWhole(path, target);
        isChanged = true;
    }
    return isChanged;
}

async function newestFitting(
    host: Host,
    {images}: RecordedExtension,
    running: Release,
): Promise<string | null> {
    const fitting = images
        .filter(({release}) => incompatibility(release, running, architectureOf(host)) === null)
        .sort((a, b) => compareVersions(b.version, a.version));
    for (const {path} of fitting) if ((await host.files.resolve(path)) !== null) return path;
    return null;
}
