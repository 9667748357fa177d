// SPDX-License-Identifier: GPL-2.0-or-later
import type {StagedSystem} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {machineArchitecture, parseRelease, type Release} from '../host/os-release.ts';

const DISSECT_TIMEOUT = 30_000;

/** Made by ostree when an image is staged for the next boot, under bootc too. */
const STAGED = '/run/ostree/staged-deployment';
const DEPLOYMENTS = '/ostree/deploy';

/** What who staged an image left of it, for those who cannot look into it. */
export const NEXT_RELEASE = '/run/snow-control/next-system/os-release';
const NEXT_IMAGE = '/run/snow-control/next-system/image.json';

/** os-release(5) of the OS image that the next boot will use; null: none is staged, or it cannot be looked into. */
export async function readStagedOsRelease(host: Host): Promise<Release | null> {
    return (await readStagedSystem(host))?.release ?? null;
}

/** The OS image that the next boot will use; null: none is staged, or it cannot be looked into. */
export async function readStagedSystem(host: Host): Promise<StagedSystem | null> {
    const [kept, image, deployment] = await Promise.all([
        host.files.readText(NEXT_RELEASE),
        host.files.readText(NEXT_IMAGE),
        stagedDeployment(host),
    ]);
    if (kept !== null && image !== null)
        return {release: parseRelease(kept), tree: mountedTree(image)};
    const text = deployment && (await host.files.readText(`${deployment}/usr/lib/os-release`));
    const release = kept ?? text;
    if (release === null) return null;
    return {release: parseRelease(release), tree: text === null ? null : deployment};
}

/** Where who staged an image has it mounted; null: nowhere. */
function mountedTree(image: string): string | null {
    try {
        const {tree} = JSON.parse(image) as {readonly tree?: unknown};
        return typeof tree === 'string' && tree.startsWith('/') ? tree : null;
    } catch {
        // Half of it, or somebody's edit: the os-release beside it tells enough.
        return null;
    }
}

/** The tree of the image that ostree staged. */
async function stagedDeployment(host: Host): Promise<string | null> {
    if (!(await host.files.status(STAGED))) return null;
    let newest: {readonly path: string; readonly mtime: number} | null = null;
    for (const stateroot of await host.files.list(DEPLOYMENTS)) {
        const directory = `${DEPLOYMENTS}/${stateroot}/deploy`;
        for (const name of await host.files.list(directory)) {
            const status = await host.files.status(`${directory}/${name}`);
            if (status?.type !== 'directory' || (newest && status.mtime <= newest.mtime)) continue;
            newest = {path: `${directory}/${name}`, mtime: status.mtime};
        }
    }
    return newest?.path ?? null;
}

/** Of the machine that extensions are for; empty: an offline tree may be of another one. */
export function architectureOf(host: Host): string {
    return host.root === '' ? machineArchitecture : '';
}

/**
 * Why systemd-sysext(8) would leave an extension out, in words that follow "NAME VERSION ";
 * null: it fits. An extension without a level is compared by VERSION_ID.
 */
export function incompatibility(
    extension: Release,
    os: Release,
    architecture: string,
): string | null {
    const wanted = extension['ARCHITECTURE'] ?? '';
    if (wanted !== '' && wanted !== '_any' && architecture !== '' && wanted !== architecture)
        return `is for the architecture ${wanted}, and this machine is ${architecture}`;

    const id = extension['ID'] ?? '';
    if (id === '_any') return null;
    const system = `${os['ID'] ?? ''} ${os['VERSION_ID'] ?? ''}`.trim();
    if (id !== os['ID']) return `is for ${id || 'an unnamed system'}, and this is ${system}`;

    const level = extension['SYSEXT_LEVEL'] ?? '';
    const osLevel = os['SYSEXT_LEVEL'] ?? '';
    if (level !== '' && osLevel !== '') {
        if (level === osLevel) return null;
        return `is for extension level ${level}, and this system has ${osLevel}`;
    }
    const osVersion = os['VERSION_ID'] ?? '';
    if (osVersion === '' && osLevel === '') return null;
    const version = extension['VERSION_ID'] ?? '';
    return version === osVersion
        ? null
        : `is for ${id} ${version || '(no version)'}, and this is ${system}`;
}

/**
 * The extension-release file of an image (squashfs, erofs, ext4 or a partitioned one), read by
 * the file system's own tool or else systemd-dissect(1). The image's signature was verified before.
 *
 * @param path of the image, whatever its name
 * @param name of the extension
 * @returns null when no program of this machine can look into the image.
 * Throws SnowError VerificationFailed when the image is no extension of that name.
 */
export async function readExtensionRelease(
    host: Host,
    path: string,
    name: string,
    signal?: AbortSignal,
): Promise<Release | null> {
    const inside = `usr/lib/extension-release.d/extension-release.${name}`;
    const image = host.root + path;
    for (const command of await readers(host, image, inside)) {
        const result = await run(host, command, signal);
        if (result.exitCode === 0 && /^\s*[A-Z]/m.test(result.stdout))
            return parseRelease(result.stdout);
        // No loop device, no permission: another program may do without.
        if (!NOT_INSIDE.test(result.stderr)) continue;
        throw new SnowError(
            'VerificationFailed',
            `The image is no extension of the name ${name}: it has no /${inside}`,
        );
    }
    return null;
}

/** What systemd-dissect, unsquashfs and dump.erofs say of an image without the file, or of no image at all. */
const NOT_INSIDE =
    /Failed to open source path .*: No such file|no matches for|read inode failed|suitable partition table/;

type Command = readonly [string, ...string[]];

async function readers(host: Host, image: string, inside: string): Promise<readonly Command[]> {
    const start = await host.files.readStart(image.slice(host.root.length), 1028);
    const isSquashfs = start?.subarray(0, 4).toString('latin1') === 'hsqs';
    const isErofs = start?.length === 1028 && start.readUInt32LE(1024) === 0xe0f5e1e2;
    // The file system's own tool needs neither a mount nor a unit of its own, and a tenth of the time.
    const candidates: Command[] = [];
    if (isSquashfs) candidates.push(['unsquashfs', '-cat', image, inside]);
    if (isErofs) candidates.push(['dump.erofs', '--cat', `--path=/${inside}`, image]);
    candidates.push(['systemd-dissect', '--copy-from', image, `/${inside}`, '-']);
    const installed = await Promise.all(
        candidates.map(([program]) => host.programs.isInstalled(program)),
    );
    return candidates.filter((_command, index) => installed[index]);
}

async function run(
    host: Host,
    command: Command,
    signal: AbortSignal | undefined,
): Promise<{readonly exitCode: number | null; readonly stdout: string; readonly stderr: string}> {
    const options = {timeout: DISSECT_TIMEOUT, ...(signal ? {signal} : {})};
    // systemd-dissect mounts the image, which this service itself may not.
    return command[0] === 'systemd-dissect' && host.systemd
        ? host.systemd.runUnit(`snow-control-dissect-${crypto.randomUUID()}`, command, options)
        : host.programs.run(command, options);
}
