// SPDX-License-Identifier: GPL-2.0-or-later
import {basename, dirname, join, relative, resolve} from 'node:path/posix';

import type {Host} from '../host/host.ts';
import type {InstalledInstance, Transfer} from './model.ts';
import {formatPattern, imageTargetPattern, matchPatterns} from './patterns.ts';
import {LINK_DIRECTORY, type Merged, isSearched, mergedImage} from './sysext.ts';
import {compareVersions} from '../host/versions.ts';

/** What a transfer has on disk, as it is now. */
export interface TransferState {
    readonly transfer: Transfer;
    /** Name of the extension for systemd-sysext: of the link, and of the extension-release file in the image. */
    readonly extension: string;
    /** Newest first; of two files of one version the usable one. */
    readonly installed: readonly InstalledInstance[];
    readonly link: LinkState;
    /** A second link, by CurrentSymlink=, that systemd-sysext does not see. */
    readonly mirror: LinkState | null;
    /** The instance that the link leads to. */
    readonly linked: InstalledInstance | null;
    readonly isMerged: boolean;
    /** The instance that is merged. */
    readonly active: InstalledInstance | null;
}

export interface LinkState {
    readonly path: string;
    /** As written in the link; null: there is none. */
    readonly target: string | null;
    /** Something else than a symbolic link has its name. */
    readonly isBlocked: boolean;
    /** The link leads nowhere. */
    readonly isDangling: boolean;
}

/** The name that systemd-sysext knows an image by. */
export function extensionName({name, target}: Transfer): string {
    const link = basename(target.currentSymlink);
    return link.endsWith('.raw') && link.length > '.raw'.length ? basename(link, '.raw') : name;
}

/** The link that chooses the version to be merged. */
export function linkPath(transfer: Transfer): string {
    return `${LINK_DIRECTORY}/${extensionName(transfer)}.raw`;
}

/**
 * CurrentSymlink= (relative to the directory of the images) where it is a second link that
 * systemd-sysext does not see; null: there is none to be kept.
 */
export function currentSymlinkPath({target}: Transfer): string | null {
    if (target.currentSymlink === '') return null;
    const path = resolve(target.path, target.currentSymlink);
    return isSearched(dirname(path)) ? null : path;
}

/** Name under which a version is installed. */
export function imagePath(
    transfer: Transfer,
    version: string,
    fields: Readonly<Record<string, string>> = {},
): string {
    const pattern = imageTargetPattern(transfer.target.patterns);
    return join(transfer.target.path, formatPattern(pattern, {...fields, v: version}));
}

/** What a link at `from` says to lead to `to`. */
export function linkTarget(from: string, to: string): string {
    return relative(dirname(from), to);
}

/** Reads what a transfer has on disk. */
export async function readTransferState(
    host: Host,
    transfer: Transfer,
    merged: Merged,
): Promise<TransferState> {
    const extension = extensionName(transfer);
    const path = linkPath(transfer);
    const mirrorPath = currentSymlinkPath(transfer);
    const [installed, status, link, mirror] = await Promise.all([
        readInstalled(host, transfer),
        host.files.status(path),
        readLink(host, path),
        mirrorPath === null ? null : readLink(host, mirrorPath),
    ]);
    const leadsTo = link.target === null ? null : await host.files.resolve(path);
    const linked = await findInstance(host, installed, leadsTo);
    const image = mergedImage(
        merged,
        extension,
        installed.map(instance => instance.path),
        linked && status ? {target: linked.path, since: status.mtime} : null,
    );
    return {
        transfer,
        extension,
        installed,
        link,
        mirror,
        linked,
        isMerged: merged.names.has(extension),
        active: installed.find(instance => instance.path === image) ?? null,
    };
}

async function readLink(host: Host, path: string): Promise<LinkState> {
    const [status, target] = await Promise.all([
        host.files.status(path),
        host.files.readLink(path),
    ]);
    return {
        path,
        target,
        isBlocked: status !== null && status.type !== 'symlink',
        isDangling: target !== null && (await host.files.resolve(path)) === null,
    };
}

/** The directory of the images may itself be behind a link (/var/lib on some systems). */
async function findInstance(
    host: Host,
    installed: readonly InstalledInstance[],
    leadsTo: string | null,
): Promise<InstalledInstance | null> {
    if (leadsTo === null) return null;
    for (const instance of installed) {
        if (instance.path === leadsTo || (await host.files.resolve(instance.path)) === leadsTo)
            return instance;
    }
    return null;
}

async function readInstalled(
    host: Host,
    transfer: Transfer,
): Promise<readonly InstalledInstance[]> {
    const {path: directory, patterns} = transfer.target;
    const found = new Map<string, InstalledInstance>();
    for (const name of await host.files.list(directory)) {
        const match = matchPatterns(patterns, name);
        if (!match) continue;
        const path = join(directory, name);
        if ((await host.files.status(path))?.type !== 'file') continue;
        const instance = {version: match.version, path, usable: await isUsable(host, path)};
        const other = found.get(match.version);
        if (!other || isBetter(instance, other)) found.set(match.version, instance);
    }
    return [...found.values()].sort((a, b) => compareVersions(b.version, a.version));
}

/** Usable before unusable, then .raw before the .raw.zst that systemd-sysupdate wrote a plain image to. */
function isBetter(a: InstalledInstance, b: InstalledInstance): boolean {
    if (a.usable !== b.usable) return a.usable;
    return a.path.endsWith('.raw') && !b.path.endsWith('.raw');
}

/** First bytes of what is compressed: zst, xz, gz, bz2. */
const compressedStarts = ['28b52ffd', 'fd377a58', '1f8b', '425a68'];

/** A name ending in .zst says nothing: systemd-sysupdate unpacks into the name of its first pattern. */
async function isUsable(host: Host, path: string): Promise<boolean> {
    if (path.endsWith('.raw')) return true;
    const start = (await host.files.readStart(path, 4))?.toString('hex') ?? '';
    return start !== '' && !compressedStarts.some(magic => start.startsWith(magic));
}
