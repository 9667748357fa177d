// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, readFile, readdir, realpath, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import type {Systemd} from '../../../helper/src/host/host.ts';
import {writeTree} from '../../lab/definitions.ts';

/** How systemd-sysext goes about it. */
export interface SysextManner {
    /** Leaves these out without a word. */
    ignored: Set<string>;
    /** Says where the images came from, as systemd 258 and later do. */
    tellsOrigin: boolean;
}

/**
 * What `systemd-sysext refresh` leaves to be read: the names, the loop devices, and since systemd
 * 258 where the images came from.
 */
export async function refreshTree(
    root: string,
    {ignored, tellsOrigin}: SysextManner,
): Promise<void> {
    const links = join(root, 'var/lib/extensions');
    const extensions: Record<string, {path: string}> = {};
    for (const file of (await readdir(links).catch(() => [])).sort()) {
        const name = /^([^.].*)\.raw$/.exec(file)?.[1];
        const image = await realpath(join(links, file)).catch(() => null);
        if (name === undefined || image === null || ignored.has(name)) continue;
        extensions[name] = {path: image.slice((await realpath(root)).length)};
    }
    const state = join(root, 'usr/.systemd-sysext');
    await rm(state, {recursive: true, force: true});
    await rm(join(root, 'sys'), {recursive: true, force: true});
    await mkdir(join(root, 'run'), {recursive: true});
    await writeFile(join(root, 'run/merged-images'), JSON.stringify(extensions));
    if (Object.keys(extensions).length === 0) return;
    await mkdir(state, {recursive: true});
    await writeFile(join(state, 'extensions'), Object.keys(extensions).join('\n') + '\n');
    if (tellsOrigin) await writeFile(join(state, 'origin'), JSON.stringify({extensions}));
    for (const [index, {path}] of Object.values(extensions).entries())
        await writeTree(root, {[`/sys/block/loop${index}/loop/backing_file`]: `${path}\n`});
}

export async function readMergedImages(root: string): Promise<Readonly<Record<string, string>>> {
    const text = await readFile(join(root, 'run/merged-images'), 'utf8').catch(() => '{}');
    const extensions = JSON.parse(text) as Record<string, {path: string}>;
    return Object.fromEntries(Object.entries(extensions).map(([name, {path}]) => [name, path]));
}

/** What the features do not ask of systemd, or not here. */
export const noUnits: Omit<Systemd, 'runUnit'> = {
    startUnit: () => Promise.reject(new Error('no units are started here')),
    waitForUnit: () => Promise.resolve(),
    stopUnit: () => Promise.resolve(),
    activeState: () => Promise.resolve('inactive'),
    isUnitEnabled: () => Promise.resolve(false),
    setUnitEnabled: () => Promise.resolve(),
};
