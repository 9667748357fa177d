// SPDX-License-Identifier: GPL-2.0-or-later
// What the features domain talks about: sysupdate.d(5), sysupdate.features(5),
// sysupdate.components(5) of systemd 262. Plain data; the other files of this folder make and use it.

import type {Compression} from '../host/host.ts';
import type {Pattern} from './patterns.ts';

/** Everything that the definition files of a machine say. Built by definitions.ts. */
export interface Definitions {
    readonly components: readonly Component[];
    readonly features: readonly Feature[];
    /** Those of the features domain: url-file or regular-file to regular-file. */
    readonly transfers: readonly Transfer[];
    /** Lines about files that could not be attributed to a feature. */
    readonly problems: readonly string[];
}

export interface Component {
    /** Empty for the default component. */
    readonly name: string;
    readonly description: string;
    readonly enabled: boolean;
    /** The file that decides `enabled`; empty: nothing does, and it is on. */
    readonly enabledBy: string;
    /** What is wrong with its definition, in one line, or empty. */
    readonly problem: string;
}

export interface Feature {
    /** What a person calls it: the name, or COMPONENT/NAME where several components have that name. */
    readonly id: string;
    readonly name: string;
    readonly component: string;
    readonly description: string;
    /** An http(s) address, or empty. */
    readonly documentation: string;
    readonly enabled: boolean;
    /** The file that decides `enabled`: the definition itself or a drop-in. */
    readonly enabledBy: string;
    readonly masked: boolean;
    /** The file that defines it. */
    readonly origin: string;
    /** Why it cannot be used, in one line; empty: it can. */
    readonly problem: string;
    /** Said to the user, harmless. */
    readonly warnings: readonly string[];
}

export interface Transfer {
    /** File name without .transfer. */
    readonly name: string;
    readonly component: string;
    readonly origin: string;
    /** Any of these turns it on (none: always on) ... */
    readonly features: readonly string[];
    /** ... while all of these are on. */
    readonly requisiteFeatures: readonly string[];
    readonly minVersion: string;
    readonly protectVersions: readonly string[];
    readonly verify: boolean;
    readonly source: {
        readonly type: 'url-file' | 'regular-file';
        /** URL or directory, without a slash at its end. */
        readonly path: string;
        readonly patterns: readonly Pattern[];
    };
    readonly target: {
        /** Absolute and normalised, without a slash at its end. */
        readonly path: string;
        readonly patterns: readonly Pattern[];
        /** Relative to `path`, or absolute; normalised. Empty: none. */
        readonly currentSymlink: string;
        /** At least 2. */
        readonly instancesMax: number;
        readonly mode: number | null;
        readonly readOnly: boolean | null;
    };
    /** Said to the user, harmless. */
    readonly warnings: readonly string[];
}

/** A version that a source offers. */
export interface AvailableInstance {
    readonly version: string;
    readonly compression: Compression;
    /** Name below the source's path, as the manifest lists it. */
    readonly fileName: string;
    readonly sha256: string;
    /** Fields that the pattern matched: @t @m and so on, as text. */
    readonly fields: Readonly<Record<string, string>>;
}

/** A version on disk. */
export interface InstalledInstance {
    readonly version: string;
    /** Absolute, without the root prefix. */
    readonly path: string;
    /** Whether a link can lead to it as it is; also to the plain image that systemd-sysupdate leaves as `.raw.zst`. */
    readonly usable: boolean;
}
