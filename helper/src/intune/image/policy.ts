// SPDX-License-Identifier: GPL-2.0-or-later
// Whether an image needs no signature, by containers-policy.json(5): for docker, which does not read it.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import type {Reference} from '../../host/image-reference.ts';
import {array, importJson, object, optional, record, string} from '../../host/importer.ts';

const PATH = '/etc/containers/policy.json';

const requirements = array(object({type: string}));
const document = object({
    default: requirements,
    transports: optional(record(record(requirements))),
});

/** Throws SnowError NotSupported unless the host's policy accepts the image as it is. */
export async function refusePolicy(host: Host, reference: Reference): Promise<void> {
    const text = await host.files.readText(PATH);
    // Without tools that read it, there need not be one.
    if (text === null || needsNothing(text, reference)) return;
    throw new SnowError(
        'NotSupported',
        `docker does not check what ${PATH} asks for this image; install skopeo and umoci`,
    );
}

/** Whether the requirements of the most particular scope are that anything is accepted. */
export function needsNothing(text: string, reference: Reference): boolean {
    const policy = importJson(PATH, text, document);
    const scopes = policy.transports?.get('docker');
    const scope = scopesOf(reference).find(name => scopes?.has(name));
    const wanted = (scope === undefined ? undefined : scopes?.get(scope)) ?? policy.default;
    return wanted.length > 0 && wanted.every(({type}) => type === 'insecureAcceptAnything');
}

/** From the most particular on: the image, its repository, what that is in, hosts, everything. */
function scopesOf({domain, path, tag, digest}: Reference): readonly string[] {
    const repository = `${domain}/${path}`;
    const parts = repository.split('/');
    const labels = domain.replace(/:\d+$/, '').split('.');
    return [
        digest === null ? `${repository}:${tag ?? 'latest'}` : `${repository}@${digest}`,
        ...parts.map((_, index) => parts.slice(0, parts.length - index).join('/')),
        ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`),
        '',
    ];
}
