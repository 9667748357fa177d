// SPDX-License-Identifier: GPL-2.0-or-later
// What a test tells the stand-ins, and where.

/** /etc/snow-stand-in/bootc.json */
export interface StandInConfiguration {
    /** Of bootc: what it prints, and which options it refuses. */
    readonly version: string;
    /** `none`: a system that is not managed by bootc. */
    readonly store: 'ostree' | 'composefs' | 'none';
    /** `list`: IMAGES says what registries have; `containers`: skopeo and podman, the real ones, know. */
    readonly source: 'list' | 'containers';
    /** Milliseconds that a download of the list takes. */
    readonly downloadTime: number;
    readonly transport: string;
    /** Reference of the image that the system was installed with. */
    readonly image: string;
}

/** An image that a registry of the list has. */
export interface ListedImage {
    readonly digest: string;
    readonly version: string | null;
    /** RFC 3339. */
    readonly timestamp: string | null;
    /** Bytes. */
    readonly size: number;
    /** os-release(5) of its tree. */
    readonly osRelease: string;
    readonly canSoftReboot?: boolean;
}

/** What is seen in the wild, by the verb that it happens to. */
export type Fault =
    /** It ends well, and nothing was done. */
    | 'silent'
    | 'network'
    | 'no-space'
    | 'policy'
    /** Progress in lines of 12 KiB. */
    | 'long-progress'
    /** Tasks and fields that nobody knows. */
    | 'unknown-progress'
    /** Lines that are no JSON. */
    | 'broken-progress'
    /** It never ends by itself. */
    | 'hang'
    /** Nor does it when it is asked to. */
    | 'stubborn'
    /** A signal ends it in the middle of its work. */
    | 'killed'
    /** What it prints is no JSON. */
    | 'garbage'
    /** As on a system that is not managed by bootc. */
    | 'spec-null';

/** /etc/snow-stand-in/faults.json: by verb (status, check, upgrade, switch, rollback). */
export type Faults = Readonly<Record<string, Fault>>;

export const CONFIGURATION = '/etc/snow-stand-in/bootc.json';
export const FAULTS = '/etc/snow-stand-in/faults.json';
export const IMAGES = '/etc/snow-stand-in/images.json';
export const STATE = '/var/lib/snow-stand-in/bootc.json';
/** In memory: not there after a reboot. */
export const BOOTED = '/run/snow-stand-in/booted';
/** A line for each call, for tests that want to know. */
export const CALLS = '/var/lib/snow-stand-in/calls';
