// SPDX-License-Identifier: GPL-2.0-or-later
// How an image gets from its registry to a directory; each of the tools does it its own way.

import type {Host} from '../../host/host.ts';
import type {Reference} from '../../host/image-reference.ts';

/** A fetch on its way. */
export interface Fetch {
    readonly host: Host;
    readonly reference: Reference;
    /** Directory of root's for everything that is temporary; there, and empty. */
    readonly work: string;
    /** Directory that becomes the root directory; there, and empty. */
    readonly rootfs: string;
    /** What the names of its units begin with. */
    readonly unit: string;
    readonly signal: AbortSignal;
    /** Milliseconds without a byte after which a registry is given up. */
    readonly stallLimit: number;
    downloading(): void;
    unpacking(): void;
    bytes(done: number, total: number): void;
    /** Bytes that are on the disk so far. */
    unpacked(done: number): void;
}

export interface Source {
    /** Whether all that it takes is installed. */
    isInstalled(host: Host): Promise<boolean>;
    /** Names of its units without that of the fetch; what is left of them is stopped before. */
    readonly units: readonly string[];
    /** Fetches, and unpacks. Returns the digest of what was. Throws SnowError. */
    fetch(fetch: Fetch): Promise<string>;
    /** Removes what an earlier fetch left where the directories do not lie. */
    clean?(host: Host, unit: string): Promise<void>;
}
