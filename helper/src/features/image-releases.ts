// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import type {Release} from '../host/os-release.ts';
import {architectureOf, incompatibility, readExtensionRelease} from './compatibility.ts';
import type {RecordedImage} from './next-boot-record.ts';

/** Whether an image fits a system; unknown: no program of this machine can look into it. */
export type Fit = 'fits' | 'unfit' | 'unknown';

const known = new WeakMap<Host, ImageReleases>();

/** Those of a machine, for as long as this process works on it. */
export function imageReleasesOf(host: Host): ImageReleases {
    const releases = known.get(host) ?? new ImageReleases(host);
    known.set(host, releases);
    return releases;
}

/** What images say that they are for. Looking into one takes a program, so each is looked into once. */
export class ImageReleases {
    readonly #host: Host;
    readonly #found = new Map<string, Promise<Release | null>>();

    constructor(host: Host) {
        this.#host = host;
    }

    /** What is known of images already. */
    learn(images: readonly RecordedImage[]): void {
        for (const {path, release} of images) this.#found.set(path, Promise.resolve(release));
    }

    /** Null: it cannot be looked into; no release at all: it is no extension of that name. */
    async read(path: string, name: string, signal?: AbortSignal): Promise<Release | null> {
        const status = await this.#host.files.status(path);
        const key = `${path} ${name} ${status?.size} ${status?.mtime}`;
        const known = this.#found.get(path) ?? this.#found.get(key);
        if (known) return known;
        const reading = readRelease(this.#host, path, name, signal);
        this.#found.set(key, reading);
        // What was stopped, or failed, may be asked again.
        reading.catch(() => this.#found.delete(key));
        return reading;
    }

    async fit(path: string, name: string, system: Release, signal?: AbortSignal): Promise<Fit> {
        const release = await this.read(path, name, signal);
        if (release === null) return 'unknown';
        const problem = incompatibility(release, system, architectureOf(this.#host));
        return problem === null ? 'fits' : 'unfit';
    }
}

async function readRelease(
    host: Host,
    path: string,
    name: string,
    signal: AbortSignal | undefined,
): Promise<Release | null> {
    // Others than root may start no units, and are not to be asked for a password.
    const able = process.getuid?.() === 0 ? host : {...host, systemd: null};
    try {
        return await readExtensionRelease(able, path, name, signal);
    } catch (error) {
        if (error instanceof SnowError && error.code === 'VerificationFailed') return {};
        throw error;
    }
}
