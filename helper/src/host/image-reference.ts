// SPDX-License-Identifier: GPL-2.0-or-later
// References of images in registries: ghcr.io/frostyard/snow:latest. The grammar is that of the OCI
// distribution specification with the domains of containers' tools in front. A reference without a
// registry is none for us: each tool would look elsewhere for it, and a channel that is misspelt would
// be somebody's image.

import {SnowError} from './error.ts';

export interface Reference {
    /** Host, in lower case, and port of the registry; localhost for images of this machine. */
    readonly domain: string;
    /** Below it: frostyard/snow. */
    readonly path: string;
    readonly tag: string | null;
    /** sha256:... */
    readonly digest: string | null;
}

/** Characters of domain, slash and path. */
const MAX_NAME = 255;
/** Characters of a reference with all of its parts. */
const MAX_REFERENCE = MAX_NAME + 1 + 128 + 1 + 'sha512:'.length + 128;
const MAX_EXCERPT = 80;

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-f:.]{2,45}\\])$`);
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Throws SnowError InvalidArgs. */
export function parseReference(text: string): Reference {
    const fail = (why: string): never => {
        throw new SnowError('InvalidArgs', `${excerpt(text)} is no reference of an image: ${why}`);
    };
    if (text === '') fail('it is empty');
    if (text.length > MAX_REFERENCE) fail('it is too long');
    if (!/^[\x21-\x7e]+$/.test(text)) fail('it has characters that none may have');
    if (text.startsWith('-')) fail('it begins with a dash');
    if (/^[a-z-]+:\/\//i.test(text)) fail('it is to be given without a transport');

    const [named = '', digest = null, ...moreDigests] = text.split('@');
    if (moreDigests.length > 0) fail('it has more than one "@"');
    if (digest !== null && !DIGEST.test(digest)) fail('what follows "@" is no digest');

    const [domain = '', ...components] = named.split('/');
    const last = components.pop();
    if (last === undefined || !namesRegistry(domain))
        return fail('it has to begin with its registry, as ghcr.io/frostyard/snow does');
    const [lastComponent = '', tag = null, ...moreTags] = last.split(':');
    if (moreTags.length > 0) fail('it has more than one tag');
    if (tag !== null && !TAG.test(tag)) fail('what follows ":" is no tag');

    if (!isDomain(domain)) fail('it begins with no host');
    const path = [...components, lastComponent];
    if (!path.every(component => COMPONENT.test(component)))
        fail('names are of lower-case letters and digits, with ".", "_" or "-" in between');
    const name = `${domain}/${path.join('/')}`;
    if (name.length > MAX_NAME) fail('it is too long');
    return {domain: domain.toLowerCase(), path: path.join('/'), tag, digest};
}

/** In one form for all that mean the same: without tag and digest it is `latest`. */
export function formatReference({domain, path, tag, digest}: Reference): string {
    const shownTag = tag ?? (digest === null ? 'latest' : null);
    const end = `${shownTag === null ? '' : `:${shownTag}`}${digest === null ? '' : `@${digest}`}`;
    return `${domain}/${path}${end}`;
}

/** As containers' tools tell a registry from the first part of a path. */
function namesRegistry(component: string): boolean {
    return /[.:]/.test(component) || component.toLowerCase() === 'localhost';
}

function isDomain(domain: string): boolean {
    const [, host = '', port = null] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(domain) ?? [];
    return HOST.test(host.toLowerCase()) && (port === null || isPort(port));
}

function isPort(text: string): boolean {
    return Number(text) >= 1 && Number(text) <= 65_535;
}

function excerpt(text: string): string {
    return JSON.stringify(text.length > MAX_EXCERPT ? `${text.slice(0, MAX_EXCERPT)}…` : text);
}
