// SPDX-License-Identifier: GPL-2.0-or-later
// podman(1) fetches and unpacks in one, into a storage of its own that is gone afterwards: each layer
// on a copy of what is below it, which takes much more room than the other ways.

import {SnowError} from '../../host/error.ts';
import {directoriesOf} from '../../host/directories.ts';
import type {ProgramResult} from '../../host/host.ts';
import {formatReference} from '../../host/image-reference.ts';
import {runConfined} from './confined.ts';
import {GROWTH, Stall, refuseFullDisk, refuseNoSpace, sizeOf} from './disk.ts';
import {refuseFailure} from './failures.ts';
import {askRegistry, canAsk} from './registry.ts';
import {IMAGE, pullingTo} from './sandbox.ts';
import type {Fetch, Source} from './source.ts';

/** How much longer than for a download nothing may seem to happen: a layer is being unpacked. */
const UNPACKING_FACTOR = 8;

/** The driver whose layers are directories as they are. */
const storage = `[storage]
driver = "vfs"
graphroot = "${IMAGE}/storage"
runroot = "${IMAGE}/run"
`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const LAYER = /^\/mnt\/image\/storage\/vfs\/dir\/([0-9a-f]{64})$/;

export const podman: Source = {
    units: ['pull', 'inspect', 'mount'],
    isInstalled: ({programs}) => programs.isInstalled('podman'),
    async fetch(fetch) {
        const {host, reference, work, rootfs, signal} = fetch;
        const image = (await canAsk(host)) ? await askRegistry(host, reference, signal) : null;
        if (image) await refuseNoSpace(host, work, roomFor(image.layers));
        const directory = `${work}/image`;
        const directories = directoriesOf(host);
        await directories.make(directory, 0o755);
        await directories.make(`${directory}/tmp`, 0o755);
        await host.files.writeWhole(`${directory}/storage.conf`, storage);

        fetch.downloading();
        const total = image?.size ?? 0;
        fetch.bytes(0, total);
        const name = formatReference({
            ...reference,
            ...(image ? {digest: image.digest} : {}),
            // podman takes no reference with both.
            tag: image || reference.digest ? null : reference.tag,
        });
        const stall = new Stall(fetch.stallLimit * UNPACKING_FACTOR);
        let most = 0;
        const pulled = await runPodman(
            fetch,
            'pull',
            ['pull', '--quiet', `docker://${name}`],
            async () => {
                most = Math.max(most, await sizeOf(host, `${directory}/tmp`));
                fetch.bytes(total === 0 ? most : Math.min(most, total), total);
                await refuseFullDisk(host, work);
                stall.refuse(most);
            },
        );
        refuseFailure('podman', 'fetch', pulled);
        fetch.bytes(total, total);

        fetch.unpacking();
        const digest = await ask(fetch, 'inspect', ['--format={{.Digest}}', name]);
        const mounted = await ask(fetch, 'mount', [name]);
        const layer = LAYER.exec(mounted)?.[1];
        if (!DIGEST.test(digest) || layer === undefined)
            throw new SnowError('Failed', 'podman says nothing of what it fetched');
        await directories.removeTree(rootfs);
        await directories.move(`${directory}/storage/vfs/dir/${layer}`, rootfs);
        return image?.digest ?? digest;
    },
};

function runPodman(
    fetch: Fetch,
    step: string,
    args: readonly string[],
    look: () => Promise<void>,
): Promise<ProgramResult> {
    const own = ['--events-backend=none', `--tmpdir=${IMAGE}/tmp`, '--cgroup-manager=cgroupfs'];
    return runConfined(
        fetch.host,
        {
            unit: `${fetch.unit}-${step}`,
            command: ['podman', ...own, ...args],
            properties: pullingTo(`${fetch.work}/image`),
            environment: {
                CONTAINERS_STORAGE_CONF: `${IMAGE}/storage.conf`,
                TMPDIR: `${IMAGE}/tmp`,
                HOME: '/mnt',
            },
            withCredentials: true,
            look,
        },
        fetch.signal,
    );
}

async function ask(fetch: Fetch, verb: string, args: readonly string[]): Promise<string> {
    const result = await runPodman(fetch, verb, ['image', verb, ...args], () => Promise.resolve());
    refuseFailure('podman', 'unpack', result);
    return result.stdout.trim();
}

/** Every layer has all of those below it, too. */
function roomFor(layers: readonly number[]): number {
    let below = 0;
    return layers.reduce((sum, size) => sum + size + (below += size) * GROWTH, 0);
}
