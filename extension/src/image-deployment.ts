// SPDX-License-Identifier: GPL-2.0-or-later
// The dictionaries in which the service tells of OS images and channels, as typed values. Pure.
import type {ImageProperties} from './generated/dbus.js';
import type {Values} from './snow-objects.js';

/** What is not known is empty or 0. */
export interface Deployment {
    readonly version: string;
    readonly image: string;
    readonly digest: string;
    /** When it was built, in seconds since 1970. */
    readonly timestamp: number;
    /** Bytes to fetch. */
    readonly size: number;
}

export interface Channel {
    readonly name: string;
    readonly title: string;
    readonly description: string;
    readonly image: string;
    readonly isFollowed: boolean;
}

/** What the image of the next boot means for a feature that is enabled. */
export interface Outlook {
    readonly feature: string;
    readonly state: string;
    readonly text: string;
}

/** Null: the dictionary is empty, there is none. */
export function readDeployment(values: Values): Deployment | null {
    if (Object.keys(values).length === 0) return null;
    return {
        version: text(values.version),
        image: text(values.image),
        digest: text(values.digest),
        timestamp: number(values.timestamp),
        size: number(values.size),
    };
}

/** What the next boot starts, when that is another one than what runs. */
export function nextDeployment(image: ImageProperties): Deployment | null {
    return readDeployment(image.RollbackQueued ? image.Rollback : image.Staged);
}

export function readChannels(image: ImageProperties): readonly Channel[] {
    return image.Channels.map(values => ({
        name: text(values.name),
        title: text(values.title) || text(values.name),
        description: text(values.description),
        image: text(values.image),
        isFollowed: values.followed === true,
    }));
}

export function readOutlooks(image: ImageProperties): readonly Outlook[] {
    return image.Extensions.map(values => ({
        feature: text(values.feature),
        state: text(values.state),
        text: text(values.text),
    }));
}

/** By digest where both have one, else by version. */
export function isSameImage(one: Deployment | null, other: Deployment | null): boolean {
    if (!one || !other) return false;
    if (one.digest && other.digest) return one.digest === other.digest;
    return one.version !== '' && one.version === other.version;
}

/** As short as it can be told from others: the version, else the start of the digest. */
export function nameOf({version, digest, image}: Deployment): string {
    return version || digest.replace(/^sha256:/, '').slice(0, 12) || image;
}

function text(value: unknown): string {
    return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
    return typeof value === 'number' ? value : 0;
}
