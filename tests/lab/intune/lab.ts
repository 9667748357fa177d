// SPDX-License-Identifier: GPL-2.0-or-later
// A workstation for Intune containers: a guest with a registry that has their image.

import {Guest, type GuestOptions} from '../guest.ts';
import {registryFiles} from '../image/bootc/registry.ts';
import {installedSystem} from '../installation.ts';
import type {TreeName} from '../trees.ts';
import {type ImageDigests, type ImageVersion, REPOSITORY, intuneRegistry} from './image.ts';

/** Where the registry is in the guest, which also stands in for ghcr.io there. */
export const REGISTRY = '127.0.0.1:5000';
/** By the name that the image really has. */
export const IMAGE = `ghcr.io/${REPOSITORY}`;
/** A password that the image's policy takes. */
export const CONTAINER_PASSWORD = 'Ice-Floe-4711';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

export interface IntuneLabOptions extends Omit<GuestOptions, 'machines' | 'layers'> {
    readonly tree?: TreeName;
}

/** `latest` (stable) is version 1 of the image, `insiders` version 2, until `offer` says otherwise. */
export class IntuneLab implements AsyncDisposable {
    private constructor(
        readonly guest: Guest,
        /** Of the manifest of each version. */
        readonly digests: ImageDigests,
    ) {}

    /** What is installed on it is this tree's build, unless `install` names another directory. */
    static async boot(options: IntuneLabOptions = {}): Promise<IntuneLab> {
        const {tree = 'workstation', files, ...others} = options;
        const registry = await intuneRegistry();
        const guest = await Guest.boot(tree, {
            name: 'intune',
            install: await installedSystem(),
            ...others,
            machines: true,
            layers: [registry.directory],
            files: {
                ...registryFiles,
                '/etc/systemd/system/docker-registry.service.d/lab.conf':
                    '[Service]\nUser=root\nGroup=root\n',
                ...files,
            },
        });
        return new IntuneLab(guest, registry.digests);
    }

    /** Has a tag of the registry mean another version, as a new image on a channel does. */
    async offer(tag: string, version: ImageVersion): Promise<void> {
        const base = `http://${REGISTRY}/v2/${REPOSITORY}/manifests`;
        await this.guest.check(
            `curl -sfS -H "Accept: $TYPE" "$BASE/$DIGEST" -o /run/lab-manifest &&
             curl -sfS -X PUT -H "Content-Type: $TYPE" --data-binary @/run/lab-manifest "$BASE/$TAG"`,
            {env: {TYPE: MANIFEST, BASE: base, DIGEST: this.digests[version], TAG: tag}},
        );
    }

    async [Symbol.asyncDispose]() {
        await this.guest[Symbol.asyncDispose]();
    }
}
