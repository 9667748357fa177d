// SPDX-License-Identifier: GPL-2.0-or-later
// Where images come from: a list, or the real tools of containers.

import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync} from 'node:fs';

import {IMAGES, type ListedImage, type StandInConfiguration} from './configuration.ts';
import type {ImageSpec} from './machine.ts';

export interface SourceImage {
    readonly digest: string;
    readonly version: string | null;
    readonly timestamp: string | null;
    readonly size: number;
    readonly osRelease: string;
    readonly canSoftReboot: boolean;
}

/** The newest image of a reference, by its metadata. Throws what the real tools print. */
export function lookUp({source}: StandInConfiguration, spec: ImageSpec): SourceImage {
    return source === 'list' ? listed(spec) : inspected(spec);
}

function listed({image, transport}: ImageSpec): SourceImage {
    const images = existsSync(IMAGES)
        ? (JSON.parse(readFileSync(IMAGES, 'utf8')) as Readonly<Record<string, ListedImage>>)
        : {};
    const found = images[image];
    if (!found)
        throw new Error(
            transport === 'containers-storage'
                ? `reference "${image}" does not resolve to an image ID: identifier is not an image`
                : `reading manifest in ${image}: manifest unknown`,
        );
    return {canSoftReboot: false, ...found};
}

interface Inspected {
    readonly Digest: string;
    readonly Created?: string;
    readonly Labels?: Readonly<Record<string, string>> | null;
    readonly LayersData?: readonly {readonly Size: number}[] | null;
}

function inspected({image, transport}: ImageSpec): SourceImage {
    const location =
        transport === 'registry' || transport === 'docker'
            ? `docker://${image}`
            : `${transport}:${image}`;
    const text = execFileSync('skopeo', ['inspect', '--no-tags', location], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
    });
    const {Digest, Created, Labels, LayersData} = JSON.parse(text) as Inspected;
    return {
        digest: Digest,
        version: Labels?.['org.opencontainers.image.version'] ?? null,
        timestamp: Created ?? null,
        size: (LayersData ?? []).reduce((sum, {Size}) => sum + Math.max(0, Size), 0),
        osRelease: (Labels?.['test.os-release'] ?? '').replaceAll(';', '\n'),
        canSoftReboot: Labels?.['test.soft-reboot'] === 'yes',
    };
}
