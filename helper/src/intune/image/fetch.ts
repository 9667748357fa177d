// SPDX-License-Identifier: GPL-2.0-or-later
// Gets the root directory of a container from a registry.
//
// The tag is looked up once, and what is fetched is fetched by the digest that came of it. All that is
// temporary lies beside the root directory that is made, on the same disk, in a directory of root's
// whose name follows from it, so that the next run finds what a killed one left.

import {basename, dirname} from 'node:path';

import {directoriesOf} from '../../host/directories.ts';
import type {Progress} from '../../host/domain.ts';
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {formatReference, parseReference} from '../../host/image-reference.ts';
import {stopConfined} from './confined.ts';
import {docker} from './docker.ts';
import {podman} from './podman.ts';
import {askRegistry, canAsk} from './registry.ts';
import {skopeo} from './skopeo.ts';
import type {Source} from './source.ts';

export interface FetchRequest {
    /** OCI reference without a transport: ghcr.io/frostyard/ubuntu-intune:latest. */
    readonly reference: string;
    /** Absolute path of the directory that is made, in one of mode 0700; nothing may be there. */
    readonly destination: string;
    /** Milliseconds without a byte after which a registry is given up; default two minutes. */
    readonly stallLimit?: number;
}

const STALL_LIMIT = 120_000;
/** Milliseconds until all is on the disk. */
const SYNC_TIMEOUT = 30 * 60_000;

/** The first that is installed is used. */
const sources: Readonly<Record<string, Source>> = {'skopeo and umoci': skopeo, podman, docker};

/**
 * Fetches an image and unpacks it to a new directory, which root owns, with mode 0755, and which is
 * on the disk when this returns. Whatever happens, nothing but that directory is left, and on an error not
 * even that. The digest is that of the manifest for this machine.
 *
 * Throws SnowError InvalidArgs, WrongState, NotSupported, Network, NotFound, NoSpace,
 * VerificationFailed, Cancelled, Failed.
 */
export async function fetchRootfs(
    host: Host,
    {reference: text, destination, stallLimit = STALL_LIMIT}: FetchRequest,
    progress: Progress,
    signal: AbortSignal,
): Promise<{readonly digest: string}> {
    const reference = parseReference(text);
    const name = formatReference(reference);
    const rootfs = checkedPath(destination);
    const source = await chooseSource(host);
    await refuseOpenParent(host, rootfs);
    if (await host.files.status(rootfs))
        throw new SnowError('WrongState', `${rootfs} is there already`);

    progress.step(`Asking for ${name}`);
    const directories = directoriesOf(host);
    const work = workDirectory(rootfs);
    await abandonFetch(host, rootfs);
    try {
        await directories.make(work, 0o700);
        await directories.make(rootfs, 0o755);
        const digest = await source.fetch({
            host,
            reference,
            work,
            rootfs,
            unit: unitPrefix(rootfs),
            signal,
            stallLimit,
            downloading: () => progress.step(`Downloading ${name}`),
            unpacking: () => progress.step('Unpacking the image'),
            bytes: (done, total) => progress.bytes(done, total),
            // How many it will be, nobody knows.
            unpacked: done => progress.bytes(done, 0),
        });
        await finish(host, rootfs, signal);
        progress.bytes(0, 0);
        await directories.removeTree(work);
        return {digest};
    } catch (error) {
        await abandonFetch(host, rootfs);
        await directories.removeTree(rootfs);
        if (signal.aborted) throw new SnowError('Cancelled', 'Fetching the image was stopped');
        throw error;
    }
}

/**
 * Stops what a fetch for a destination that was killed left running, and removes what lies beside it;
 * the destination itself is its caller's. To be used under the caller's lock.
 */
export async function abandonFetch(host: Host, destination: string): Promise<void> {
    const rootfs = checkedPath(destination);
    const unit = unitPrefix(rootfs);
    for (const source of Object.values(sources)) {
        await stopConfined(host, ...source.units.map(step => `${unit}-${step}`));
        await source.clean?.(host, unit);
    }
    await directoriesOf(host).removeTree(workDirectory(rootfs));
}

/** Digest that a tag has in its registry now, for this machine. Throws SnowError as fetchRootfs(). */
export async function newestDigest(
    host: Host,
    reference: string,
    signal: AbortSignal,
): Promise<string> {
    if (!(await canAsk(host)))
        throw new SnowError('NotSupported', 'To look for newer images, install skopeo');
    return (await askRegistry(host, parseReference(reference), signal)).digest;
}

async function chooseSource(host: Host): Promise<Source> {
    for (const source of Object.values(sources)) if (await source.isInstalled(host)) return source;
    throw new SnowError('NotSupported', 'To fetch an image, install skopeo and umoci');
}

/** Throws SnowError InvalidArgs for what does not go into a unit's properties as it is. */
function checkedPath(path: string): string {
    if (!/^(\/[A-Za-z0-9._-]{1,128}){2,}$/.test(path) || /\/\.{1,2}(\/|$)/.test(path))
        throw new SnowError('InvalidArgs', `${JSON.stringify(path)} is no place for an image`);
    return path;
}

function workDirectory(rootfs: string): string {
    return `${dirname(rootfs)}/.${basename(rootfs).replace(/^\.+/, '')}.fetch`;
}

function unitPrefix(rootfs: string): string {
    return `snow-intune-image-${basename(rootfs).replace(/^\.+/, '')}`;
}

/** There will be setuid programs in it. */
async function refuseOpenParent({files}: Host, rootfs: string): Promise<void> {
    const parent = await files.status(dirname(rootfs));
    if (parent?.type !== 'directory' || parent.uid !== 0 || (parent.mode & 0o077) !== 0)
        throw new SnowError(
            'WrongState',
            `${dirname(rootfs)} has to be root's alone: chmod 700 ${dirname(rootfs)}`,
        );
}

/** The image may say anything of its root directory. */
async function finish(host: Host, rootfs: string, signal: AbortSignal): Promise<void> {
    const {files, programs} = host;
    if (
        (await files.status(rootfs))?.type !== 'directory' ||
        (await files.list(rootfs)).length === 0
    )
        throw new SnowError('VerificationFailed', 'The image is empty');
    for (const command of [
        ['chown', '--no-dereference', '0:0', '--', rootfs],
        ['chmod', '0755', '--', rootfs],
        ['sync', '--file-system', '--', rootfs],
    ] as const) {
        const {exitCode, stderr} = await programs.run(command, {signal, timeout: SYNC_TIMEOUT});
        if (exitCode !== 0) throw new SnowError('Failed', `Cannot finish ${rootfs}: ${stderr}`);
    }
}
