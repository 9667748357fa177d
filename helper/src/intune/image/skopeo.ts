// SPDX-License-Identifier: GPL-2.0-or-later
// skopeo(1) fetches without any privilege, umoci(1) unpacks without any network.

import {SnowError} from '../../host/error.ts';
import {runConfined} from './confined.ts';
import {GROWTH, Stall, refuseFullDisk, refuseNoSpace, sizeOf, writtenTo} from './disk.ts';
import {refuseFailure} from './failures.ts';
import {askRegistry, location} from './registry.ts';
import {IMAGE, MIB, ROOTFS, fetchingTo, unpackingTo} from './sandbox.ts';
import type {Fetch, Source} from './source.ts';

/** What there is beside the layers: manifests, and what the tool itself writes. */
const SLACK = 16 * MIB;
/** Of an image in its directory. */
const NAME = 'image';

export const skopeo: Source = {
    units: ['fetch', 'unpack'],
    async isInstalled({programs}) {
        return (await programs.isInstalled('skopeo')) && (await programs.isInstalled('umoci'));
    },
    async fetch(fetch) {
        const {host, reference, work, rootfs, signal} = fetch;
        const image = await askRegistry(host, reference, signal);
        await refuseNoSpace(host, work, image.size * (1 + GROWTH));
        const directory = `${work}/${NAME}`;
        await makeOpen(fetch, directory);

        fetch.downloading();
        fetch.bytes(0, image.size);
        // What is compressed anew may become larger than it was.
        const maxBytes = (image.hasZstd ? 2 : 1) * image.size + SLACK;
        const stall = new Stall(fetch.stallLimit);
        const copied = await runConfined(
            host,
            {
                unit: `${fetch.unit}-fetch`,
                command: [
                    'skopeo',
                    'copy',
                    '--quiet',
                    // The policy is applied to what the registry has; the directory cannot keep any.
                    '--remove-signatures',
                    // umoci does not unpack zstd.
                    ...(image.hasZstd ? ['--dest-compress-format=gzip'] : []),
                    location({...reference, tag: null, digest: image.digest}),
                    `oci:${IMAGE}:${NAME}`,
                ],
                properties: fetchingTo(directory, maxBytes),
                withCredentials: true,
                look: async () => {
                    const done = await sizeOf(host, directory);
                    fetch.bytes(Math.min(done, image.size), image.size);
                    if (done > maxBytes)
                        throw new SnowError(
                            'VerificationFailed',
                            'The registry sends more than it said that the image has',
                        );
                    await refuseFullDisk(host, work);
                    stall.refuse(done);
                },
            },
            signal,
        );
        refuseFailure('skopeo', 'fetch', copied);
        fetch.bytes(image.size, image.size);

        fetch.unpacking();
        const written = await writtenTo(host, rootfs);
        const unpacked = await runConfined(
            host,
            {
                unit: `${fetch.unit}-unpack`,
                command: ['umoci', 'raw', 'unpack', `--image=${IMAGE}:${NAME}`, ROOTFS],
                properties: unpackingTo(directory, rootfs),
                look: async () => {
                    await refuseFullDisk(host, work);
                    fetch.unpacked(await written());
                },
            },
            signal,
        );
        refuseFailure('umoci', 'unpack', unpacked);
        return image.digest;
    },
};

/** For a user who is not known yet: only root gets to what it lies in. */
async function makeOpen({host}: Fetch, path: string): Promise<void> {
    const {exitCode, stderr} = await host.programs.run(['mkdir', '--mode=0777', '--', path]);
    if (exitCode !== 0) throw new SnowError('Failed', `Cannot make ${path}: ${stderr}`);
}
