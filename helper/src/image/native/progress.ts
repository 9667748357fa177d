// SPDX-License-Identifier: GPL-2.0-or-later
// How far an update is, by what systemd-sysupdate's downloader prints of each of its files:
//
//     Downloading 1.2G for URL.
//     Got 57% of URL.
//     Got 58% of URL. 12s left at 24M/s.
//     Acquired 1.2G for URL.
//     Successfully acquired 'URL'.

import type {Progress} from '../../host/domain.ts';

/** A file of an update; size in bytes, null while it is not known. */
export interface Part {
    readonly url: string;
    readonly size: number | null;
}

export class UpdateProgress {
    readonly #progress: Progress;
    readonly #version: string;
    readonly #parts: readonly Part[];
    readonly #total: number;
    /** From 0 to 1, by URL. */
    readonly #shares = new Map<string, number>();

    constructor(progress: Progress, version: string, parts: readonly Part[]) {
        this.#progress = progress;
        this.#version = version;
        this.#parts = parts;
        this.#total = totalOf(parts) ?? 0;
        progress.bytes(0, this.#total);
    }

    /** Takes a line of the program's. */
    read(line: string): void {
        const got = /^Got (\d{1,3})% of (\S+)\.(?: |$)/.exec(line);
        if (got) return this.#note(got[2], Math.min(Number(got[1]), 100) / 100);
        const started = /^Downloading \S+ for (\S+)\.$/.exec(line)?.[1];
        if (started !== undefined) {
            const index = this.#parts.findIndex(({url}) => url === started);
            if (index >= 0) this.#progress.step(`Downloading ${this.#version}, ${nameOf(started)}`);
            return this.#note(started, 0);
        }
        const ended =
            /^Acquired \S+ for (\S+)\.$/.exec(line) ??
            /^Successfully acquired '(\S+)'\.$/.exec(line);
        if (ended) return this.#note(ended[1], 1);
        if (line.includes('Making room')) this.#progress.step('Making room for the update');
        if (line.startsWith('Successfully installed'))
            this.#progress.step(`Installing ${this.#version}`);
    }

    #note(url: string | undefined, share: number): void {
        if (url === undefined || !this.#parts.some(part => part.url === url)) return;
        this.#shares.set(url, Math.max(share, this.#shares.get(url) ?? 0));
        const done = this.#parts.reduce(
            (sum, part) => sum + (part.size ?? 0) * (this.#shares.get(part.url) ?? 0),
            0,
        );
        if (this.#total > 0) this.#progress.bytes(Math.round(done), this.#total);
    }
}

/** Bytes of all; null: not known of each. */
export function totalOf(parts: readonly Part[]): number | null {
    let total = 0;
    for (const {size} of parts) {
        if (size === null) return null;
        total += size;
    }
    return parts.length === 0 ? null : total;
}

/** What a file is, for a person. */
function nameOf(url: string): string {
    if (/\.root-verity\./.test(url)) return 'verity data';
    if (/\.root\./.test(url)) return 'system';
    return /\.efi$/.test(url) ? 'boot image' : url.slice(url.lastIndexOf('/') + 1);
}
