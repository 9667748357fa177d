// SPDX-License-Identifier: GPL-2.0-or-later
// What a registry has, by the metadata of an image.

import type {Host} from '../../host/host.ts';
import {formatReference, parseReference} from '../../host/image-reference.ts';
import type {Command} from '../driver.ts';
import {
    array,
    digest,
    importJson,
    line,
    number,
    object,
    optional,
    record,
    string,
    timestamp,
} from '../../host/importer.ts';
import type {Offer} from '../model.ts';
import {type InspectOptions, inspectCommand} from './commands.ts';
import {refuseFailure} from './failures.ts';
import {PULLED} from './status.ts';

const VERSION_LABEL = 'org.opencontainers.image.version';
/** Milliseconds. */
const TIMEOUT = 60_000;

/** Where bootc has the credentials for its own fetching, the first counts. */
const AUTH_FILES = ['/run/ostree/auth.json', '/etc/ostree/auth.json', '/usr/lib/ostree/auth.json'];

const inspected = object({
    Digest: digest,
    Architecture: optional(line),
    Created: optional(timestamp),
    Labels: optional(record(string)),
    LayersData: optional(array(object({Size: number})), []),
});

const manifest = object({
    manifests: optional(
        array(
            object({
                digest,
                platform: optional(object({architecture: optional(line), os: optional(line)})),
            }),
        ),
    ),
});

export interface Inspected {
    readonly offer: Offer;
    readonly architecture: string | null;
}

/** What `skopeo inspect` prints. Throws SnowError Failed that names the field which is wrong. */
export function importInspected(text: string): Inspected {
    const found = importJson('skopeo', text, inspected);
    const version = found.Labels?.get(VERSION_LABEL) ?? '';
    const sizes = found.LayersData.map(({Size}) => Size);
    const isSized = sizes.length > 0 && sizes.every(size => size >= 0);
    return {
        offer: {
            // eslint-disable-next-line no-control-regex
            version: /^[^\x00-\x1f\x7f-\x9f]{1,128}$/.test(version) ? version : null,
            digest: found.Digest,
            timestamp: found.Created,
            size: isSized ? sizes.reduce((sum, size) => sum + size, 0) : null,
        },
        architecture: found.Architecture,
    };
}

/**
 * The digest of the manifest for a machine, from the manifest as it is: an index names one for each
 * platform. Null: it is none.
 */
export function importIndex(text: string, architecture: string | null): string | null {
    const {manifests} = importJson('the registry', text, manifest);
    const fitting = manifests?.find(
        ({platform}) =>
            platform?.architecture === architecture && (platform?.os ?? 'linux') === 'linux',
    );
    return fitting?.digest ?? null;
}

/** Asks the source of an image. Throws SnowError. */
export async function askSource(
    host: Host,
    {image, transport}: {readonly image: string; readonly transport: string},
    isKnown: (offer: Offer) => boolean,
    signal: AbortSignal,
): Promise<Offer> {
    const location = locationOf(image, transport);
    const authFile = transport === PULLED ? null : await findAuthFile(host);
    const inspect = async (options: InspectOptions): Promise<string> =>
        run(host, inspectCommand(location, options), signal);
    const {offer, architecture} = importInspected(await inspect({authFile}));
    if (isKnown(offer)) return offer;
    // Of an image for several machines, the tools keep the digest of the one for this machine.
    const ofMachine = importIndex(await inspect({authFile, isRaw: true}), architecture);
    return ofMachine === null ? offer : {...offer, digest: ofMachine};
}

/** Where an image comes from; podman has those of containers-storage from a registry. */
export function locationOf(image: string, transport: string): string {
    const isOfRegistry = ['registry', 'docker', 'docker://', PULLED].includes(transport);
    if (!isOfRegistry) return `${transport}:${image}`;
    const reference = parseReference(image);
    // skopeo takes no reference with both.
    const tag = reference.digest === null ? reference.tag : null;
    return `docker://${formatReference({...reference, tag})}`;
}

async function findAuthFile({files}: Host): Promise<string | null> {
    for (const path of AUTH_FILES) if (await files.status(path)) return path;
    return null;
}

async function run({programs}: Host, command: Command, signal: AbortSignal): Promise<string> {
    const result = await programs.run(command, {signal, timeout: TIMEOUT});
    refuseFailure(command[0], result);
    return result.stdout;
}
