// SPDX-License-Identifier: GPL-2.0-or-later
import {basename, dirname} from 'node:path/posix';

import {SnowError} from '../host/error.ts';
import type {Host, ProgramResult, Systemd} from '../host/host.ts';

/** Links that systemd-sysext(8) follows; ours are all here. */
export const LINK_DIRECTORY = '/var/lib/extensions';

/** Where systemd-sysext(8) merges from: every image in these is an extension of its own. */
export const SEARCH_PATH = [
    '/etc/extensions',
    '/run/extensions',
    '/var/lib/extensions',
    '/usr/local/lib/extensions',
    '/usr/lib/extensions',
];

/** What is merged is told by these files inside the merged trees, which anybody may read. */
const HIERARCHIES = ['/usr', '/opt'];

/** One at a time; the name also keeps two refreshes apart. */
const REFRESH_UNIT = 'snow-control-sysext-refresh';
const REFRESH_TIMEOUT = 120_000;
const RETRY_DELAY = 100;

/** Whether systemd-sysext merges every image in a directory by itself. */
export function isSearched(directory: string): boolean {
    const plain = directory.replace(/\/+$/, '').replace(/\/[^/]+\.raw\.v$/, '');
    return SEARCH_PATH.includes(plain);
}

/** What is merged into the running system. */
export interface Merged {
    /** Names of the merged extensions. */
    readonly names: ReadonlySet<string>;
    /** Seconds since 1970 of the last merge; 0 when nothing is merged. */
    readonly since: number;
    /** Image of an extension, where systemd-sysext says it (since 258). */
    readonly origins: ReadonlyMap<string, string>;
    /** Images that the kernel has open in a loop device. */
    readonly openImages: ReadonlySet<string>;
}

const nothingMerged: Merged = {
    names: new Set(),
    since: 0,
    origins: new Map(),
    openImages: new Set(),
};

/** Reads what is merged now; nothing in an offline tree. */
export async function readMerged(host: Host): Promise<Merged> {
    if (!host.systemd) return nothingMerged;
    const view = await systemView(host);
    const names = new Set<string>();
    const origins = new Map<string, string>();
    let since = 0;
    for (const hierarchy of HIERARCHIES) {
        const directory = `${view}${hierarchy}/.systemd-sysext`;
        const list = await host.files.readText(`${directory}/extensions`);
        if (list === null) continue;
        for (const name of list.split('\n').filter(Boolean)) names.add(name);
        since = Math.max(since, (await host.files.status(`${directory}/extensions`))?.mtime ?? 0);
        const origin = await host.files.readText(`${directory}/origin`);
        for (const [name, path] of parseOrigin(origin ?? '')) origins.set(name, path);
    }
    return {names, since, origins, openImages: await readOpenImages(host)};
}

/**
 * A service with ProtectSystem= sees its own /usr and not what was merged after its start; process 1
 * sees the system's. Others than root may not look there, and have no such view of their own.
 */
async function systemView(host: Host): Promise<string> {
    const view = '/proc/1/root';
    try {
        return (await host.files.status(`${view}/usr`)) ? view : '';
    } catch (error) {
        if (error instanceof SnowError && error.code === 'NotAuthorized') return '';
        throw error;
    }
}

function parseOrigin(text: string): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    try {
        const origin: unknown = JSON.parse(text);
        for (const [name, entry] of Object.entries(record(record(origin)['extensions']))) {
            const path = record(entry)['path'];
            if (typeof path === 'string') found.set(name, path);
        }
    } catch {
        // Older versions write none; a newer one may write another, and the loop devices tell as much.
    }
    return found;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
    return typeof value === 'object' && value !== null ? {...value} : {};
}

async function readOpenImages(host: Host): Promise<ReadonlySet<string>> {
    const devices = (await host.files.list('/sys/block')).filter(name => name.startsWith('loop'));
    const backing = await Promise.all(
        devices.map(name => host.files.readText(`/sys/block/${name}/loop/backing_file`)),
    );
    return new Set(backing.filter(path => path !== null).map(path => path.replace(/\n$/, '')));
}

/**
 * Which of the images of an extension is merged; null: none, or one that is not among them.
 * An older image may stay open for as long as a program uses it, so that open images alone do not tell.
 */
export function mergedImage(
    merged: Merged,
    name: string,
    images: readonly string[],
    link: {readonly target: string; readonly since: number} | null,
): string | null {
    if (!merged.names.has(name)) return null;
    const origin = merged.origins.get(name);
    if (origin !== undefined) return images.includes(origin) ? origin : null;
    if (link && link.since <= merged.since && images.includes(link.target)) return link.target;
    const open = images.filter(path => merged.openImages.has(path));
    return open.find(path => path !== link?.target) ?? open[0] ?? null;
}

/** A link that leads again to what it led to before an operation. */
export interface RestoredLink {
    readonly path: string;
    /** What it led to until now; null: nothing. */
    readonly wasImage: string | null;
    /** Whether it had to be changed; else an earlier try did, which may have ended before its refresh. */
    readonly isChanged: boolean;
}

/**
 * Whether something else is merged than what links lead to again. Where the operation did not come
 * as far as merging, everybody's extensions are better left alone.
 */
export async function needsRefresh(host: Host, links: readonly RestoredLink[]): Promise<boolean> {
    const merged = await readMerged(host);
    for (const {path, wasImage, isChanged} of links) {
        if (dirname(path) !== LINK_DIRECTORY) continue;
        const name = basename(path, '.raw');
        const [link, image] = await Promise.all([
            host.files.status(path),
            host.files.resolve(path),
        ]);
        if (merged.names.has(name) !== (image !== null)) return true;
        if (image === null) continue;
        const origin = merged.origins.get(name);
        if (origin !== undefined) {
            if (origin !== image) return true;
            continue;
        }
        const isSeen = link !== null && link.mtime <= merged.since;
        const isOpen =
            merged.openImages.has(image) && (wasImage === null || !merged.openImages.has(wasImage));
        if (!isSeen && !(isChanged && isOpen)) return true;
    }
    return false;
}

/** Makes the connection to systemd that refresh() will need. */
export function prepareRefresh(host: Host): void {
    host.systemd?.activeState(REFRESH_UNIT).catch(() => {
        // refresh() will say what is wrong.
    });
}

/**
 * `systemd-sysext refresh` in a unit of its own, since a merge in this service's mount namespace
 * would be seen by nobody else. Its exit status is no proof: the caller reads readMerged() afterwards.
 */
export async function refresh(host: Host, signal?: AbortSignal): Promise<void> {
    if (!host.systemd) return;
    const {exitCode, signal: killer, stderr} = await runRefresh(host.systemd, signal);
    if (exitCode === 0) return;
    const [reason] = stderr.trim().split('\n').slice(-1);
    throw new SnowError(
        'Failed',
        `systemd-sysext refresh failed: ${reason || killer || `exit status ${exitCode}`}`,
    );
}

/** The unit of a process that was killed goes on to its end; so ours comes after it. */
async function runRefresh(systemd: Systemd, signal?: AbortSignal): Promise<ProgramResult> {
    const command = ['systemd-sysext', 'refresh'] as const;
    const options = {timeout: REFRESH_TIMEOUT, ...(signal ? {signal} : {})};
    const deadline = Date.now() + REFRESH_TIMEOUT;
    for (;;) {
        try {
            return await systemd.runUnit(REFRESH_UNIT, command, options);
        } catch (error) {
            const isBusy = error instanceof SnowError && error.code === 'Busy';
            if (!isBusy || Date.now() > deadline) throw error;
            await systemd.waitForUnit(REFRESH_UNIT, signal);
            // What has ended may still be held by somebody.
            await new Promise(resolve => setTimeout(resolve, RETRY_DELAY));
        }
    }
}
