// SPDX-License-Identifier: GPL-2.0-or-later
// What the repositories said when they were last asked, so that anybody can be shown the newest
// versions without the network. Only verified manifests are kept; nothing is installed from here.
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import type {Transfer} from './model.ts';

export const CACHE_DIRECTORY = '/var/cache/snow-control';
const MANIFESTS = `${CACHE_DIRECTORY}/manifests`;
const LAST_CHECK = `${CACHE_DIRECTORY}/last-check`;
const MAX_BYTES = 8 * 1024 * 1024;
/** No write takes this long. */
const STALE_SECONDS = 600;

export interface CachedManifest {
    /** The source it came from; another one makes it worthless. */
    readonly source: string;
    /** The verified text; empty when there was none at all so far. */
    readonly text: string;
    /** Why the last try failed, in one line; empty: it did not. */
    readonly error: string;
}

/** The default component has no name; `@` is in none. */
function cachePath({component, name}: Transfer): string {
    return `${MANIFESTS}/${component || '@default'}/${name}.json`;
}

/** What is known of a source; null: it was never asked. */
export async function readCachedManifest(
    host: Host,
    transfer: Transfer,
): Promise<CachedManifest | null> {
    const text = await host.files.readText(cachePath(transfer), MAX_BYTES);
    const cached = text === null ? null : parseCached(text);
    return cached?.source === transfer.source.path ? cached : null;
}

/** Keeps a manifest, or why there is none. The last good one stays beside an error. */
export async function cacheManifest(
    host: Host,
    transfer: Transfer,
    outcome: string | SnowError,
): Promise<void> {
    const before = await readCachedManifest(host, transfer);
    const now: CachedManifest =
        typeof outcome === 'string'
            ? {source: transfer.source.path, text: outcome, error: ''}
            : {source: transfer.source.path, text: before?.text ?? '', error: outcome.message};
    // Most checks find what the last one found: then there is nothing to write.
    if (before && before.text === now.text && before.error === now.error) return;
    await host.files.writeWhole(cachePath(transfer), `${JSON.stringify(now)}\n`);
}

/** Seconds since 1970; 0: never. */
export async function readLastCheck(host: Host): Promise<number> {
    const text = await host.files.readText(LAST_CHECK);
    return text !== null && /^\d{1,15}\n?$/.test(text) ? Number(text) : 0;
}

/** Also takes away what writers that were killed left; others may be writing just now. */
export async function writeLastCheck(host: Host, seconds: number): Promise<void> {
    const components = await host.files.list(MANIFESTS);
    for (const directory of [CACHE_DIRECTORY, ...components.map(name => `${MANIFESTS}/${name}`)])
        await host.files.removePending(directory, STALE_SECONDS);
    await host.files.writeWhole(LAST_CHECK, `${Math.floor(seconds)}\n`);
}

function parseCached(text: string): CachedManifest | null {
    try {
        const value = JSON.parse(text) as Partial<Record<string, unknown>>;
        const {source, text: manifest, error} = value;
        if (typeof source !== 'string' || typeof manifest !== 'string' || typeof error !== 'string')
            return null;
        return {source, text: manifest, error};
    } catch {
        // A cache that cannot be read is as good as none.
        return null;
    }
}
