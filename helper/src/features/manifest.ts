// SPDX-License-Identifier: GPL-2.0-or-later
// SHA256SUMS, as sha256sum(1) writes it and sysupdate.d(5) uses it.

import {SnowError} from '../host/error.ts';
import {excerpt} from '../host/ini.ts';
import {isPlainName} from './patterns.ts';

export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

export interface ManifestEntry {
    readonly fileName: string;
    /** 64 lower case hexadecimal digits. */
    readonly sha256: string;
}

export interface Manifest {
    /** In the order of the file, each name once. */
    readonly entries: readonly ManifestEntry[];
    /** The earliest day (YYYY-MM-DD) from whose start on it is no longer valid; empty: it stays valid. */
    readonly bestBefore: string;
}

/**
 * Reads a manifest whole or not at all.
 *
 * @param options.where its address or path, for messages
 * @param options.now milliseconds since 1970
 * Throws SnowError VerificationFailed, naming the line: a line that is no entry (as the last one of
 * a manifest cut short), a name that is more than a name, one name with two hashes, a
 * `BEST-BEFORE-YYYY-MM-DD` that has come; also for more than 4 MiB.
 */
export function parseManifest(
    content: string | Uint8Array,
    {where = 'SHA256SUMS', now = Date.now()}: {where?: string; now?: number} = {},
): Manifest {
    if (content.length > MAX_MANIFEST_BYTES)
        throw new SnowError('VerificationFailed', `${where} is larger than 4 MiB`);
    // As Latin-1 every byte that is not ASCII stays one character, which no name may have.
    const whole = typeof content === 'string' ? content : Buffer.from(content).toString('latin1');
    const files = new Map<string, string>();
    let bestBefore = '';
    for (const [index, line] of whole.split('\n').entries()) {
        const refuse = (why: string): SnowError =>
            new SnowError('VerificationFailed', `${where}:${index + 1}: ${why}`);
        const text = line.endsWith('\r') ? line.slice(0, -1) : line;
        if (text === '' || text.startsWith('#')) continue;

        const entry = /^([0-9A-Fa-f]{64}) [ *](.+)$/s.exec(text);
        if (!entry) throw refuse(`This line is no hash and file name: ${excerpt(text)}`);
        const [, hash = '', name = ''] = entry;
        if (!isPlainName(name) || name.includes('%'))
            throw refuse(`This name is not allowed: ${excerpt(name)}`);

        const sum = hash.toLowerCase();
        if ((files.get(name) ?? sum) !== sum)
            throw refuse(`${excerpt(name)} is listed with two hashes`);
        files.set(name, sum);

        if (!name.startsWith(BEST_BEFORE)) continue;
        const day = name.slice(BEST_BEFORE.length);
        const start = startOfDay(day);
        if (start === null) throw refuse(`${excerpt(name)} names no day`);
        if (start < now) throw refuse(`The list is out of date: it was to be used before ${day}`);
        if (bestBefore === '' || day < bestBefore) bestBefore = day;
    }
    const entries = [...files]
        .filter(([fileName]) => !fileName.startsWith(BEST_BEFORE))
        .map(([fileName, sha256]) => ({fileName, sha256}));
    return {entries, bestBefore};
}

const BEST_BEFORE = 'BEST-BEFORE-';

/** In this machine's time zone, as systemd-sysupdate(8) takes it. */
function startOfDay(day: string): number | null {
    const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
    if (!match) return null;
    const [year, month, date] = match.slice(1).map(Number) as [number, number, number];
    const start = new Date(year, month - 1, date);
    return start.getMonth() === month - 1 && start.getDate() === date ? start.getTime() : null;
}
