// SPDX-License-Identifier: GPL-2.0-or-later
// Looking into the image of the next boot.

import type {StagedSystem} from '../../host/domain.ts';
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {formatReference, parseReference} from '../../host/image-reference.ts';
import {parseRelease} from '../../host/os-release.ts';
import {type Deployment, type ImageStatus, nextDeployment} from '../model.ts';
import {mountImageCommand, unmountImageCommand} from './commands.ts';
import {readBootcHost} from './machine.ts';
import type {BootEntry} from './status.ts';

/** /etc/os-release is a link, and /etc is not there before the deployment is booted. */
const OS_RELEASE = 'usr/lib/os-release';

/** Which image podman was asked to mount, so that it can be told to unmount it. */
const MOUNTED = '/run/snow-control/mounted-image';

/** Null: the next boot starts the running image, or the new one cannot be looked into. */
export async function readStagedSystem(
    host: Host,
    status: ImageStatus,
): Promise<StagedSystem | null> {
    const next = nextDeployment(status);
    if (!next) return null;
    const {status: found} = await readBootcHost(host);
    const entry = status.isRollbackQueued ? found.rollback : found.staged;
    if (entry?.image?.imageDigest !== next.digest) return null;
    const tree = treeOf(entry);
    if (tree === null) return readPulledImage(host, next);
    const text = await host.files.readText(`${tree}/${OS_RELEASE}`);
    return text === null ? null : {release: parseRelease(text), tree};
}

/** Where an ostree store has a deployment, also before it is booted. */
export function treeOf({ostree}: Pick<BootEntry, 'ostree'>): string | null {
    if (!ostree) return null;
    const {stateroot, checksum, deploySerial} = ostree;
    return `/ostree/deploy/${stateroot}/deploy/${checksum}.${deploySerial}`;
}

/** A composefs store shows nothing of a deployment that is not booted, but podman may have its image. */
async function readPulledImage(host: Host, deployment: Deployment): Promise<StagedSystem | null> {
    const reference = pinnedReference(deployment);
    if (reference === null || !(await host.programs.isInstalled('podman'))) return null;
    await host.files.writeWhole(MOUNTED, `${reference}\n`);
    try {
        const {exitCode, stdout} = await host.programs.run(mountImageCommand(reference));
        // It is not there: podman fetched a newer one since, or bootc fetched it.
        if (exitCode !== 0) return null;
        const text = await host.files.readText(`${stdout.trim()}/${OS_RELEASE}`);
        return text === null ? null : {release: parseRelease(text), tree: null};
    } finally {
        await unmountImage(host);
    }
}

/** By its digest: the name may mean a newer one by now. */
function pinnedReference({image, digest}: Deployment): string | null {
    try {
        return formatReference({...parseReference(image), tag: null, digest});
    } catch (error) {
        // An image of this machine only may have a name of another kind.
        if (error instanceof SnowError) return null;
        throw error;
    }
}

/** Takes away a mount that was left, if there is one. */
export async function unmountImage({files, programs}: Host): Promise<void> {
    const reference = (await files.readText(MOUNTED))?.trim();
    if (reference === undefined) return;
    // One that was not mounted after all is as good as unmounted.
    if (reference !== '') await programs.run(unmountImageCommand(reference));
    await files.remove(MOUNTED);
}
