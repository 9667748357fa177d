// SPDX-License-Identifier: GPL-2.0-or-later
// What systemd-sysupdate(8) and bootctl(1) print as JSON. systemd 257 prints less than 262.

import {isVersion} from '../../host/versions.ts';
import {
    type Importer,
    array,
    boolean,
    importJson,
    line,
    nullable,
    object,
    optional,
    refuse,
} from '../../host/importer.ts';
import {type Uki, parseUki} from './uki.ts';

/** A version on this machine. */
export interface InstalledVersion {
    readonly version: string;
    /**
     * whole: all of its parts are there; incomplete: some are not; partial: an update was stopped
     * while it wrote; downloaded: all is there, and the boot loader does not see it.
     */
    readonly state: 'whole' | 'incomplete' | 'partial' | 'downloaded';
    readonly uki: Uki | null;
    /** UUIDs of its partitions, in lower case. */
    readonly partitions: readonly string[];
}

/** A version at the source. */
export interface OfferedVersion {
    readonly version: string;
    readonly urls: readonly string[];
    /** UUIDs that its partitions are to have, in lower case. */
    readonly partitions: readonly string[];
}

const SOURCE = 'systemd-sysupdate';

const version: Importer<string> = found => {
    const text = line(found);
    return isVersion(text) ? text : refuse(found, 'is no version');
};

const flag = optional(boolean, false);

const description = object({
    version,
    installed: flag,
    available: flag,
    partial: flag,
    pending: flag,
    incomplete: flag,
    contents: optional(
        array(object({type: line, path: optional(line), ptuuid: optional(line)})),
        [],
    ),
});

/** `list`: all versions that it names, in its order. Throws SnowError Failed. */
export function importVersions(text: string): readonly string[] {
    return importJson(SOURCE, text, object({all: optional(array(version), [])})).all;
}

/** `check-new`: null when there is nothing newer. Throws SnowError Failed. */
export function importNewest(text: string): string | null {
    return importJson(SOURCE, text, object({available: nullable(version)})).available;
}

/** `list VERSION`; null: it is not installed. Throws SnowError Failed. */
export function importInstalled(text: string): InstalledVersion | null {
    const found = importJson(SOURCE, text, description);
    if (!found.installed) return null;
    const files = found.contents.filter(({type}) => type === 'regular-file');
    const uki = files.map(({path}) => path && parseUki(path)).find(one => one) || null;
    return {
        version: found.version,
        state: stateOf(found, files.length > 0, uki !== null),
        uki,
        partitions: partitionsOf(found.contents),
    };
}

/** `list VERSION` of one that is at the source. Throws SnowError Failed. */
export function importOffered(text: string): OfferedVersion {
    const found = importJson(SOURCE, text, description);
    return {
        version: found.version,
        urls: found.contents.flatMap(({type, path}) =>
            type === 'url-file' && path !== null ? path : [],
        ),
        partitions: partitionsOf(found.contents.filter(({type}) => type === 'url-file')),
    };
}

function stateOf(
    {partial, pending, incomplete}: {partial: boolean; pending: boolean; incomplete: boolean},
    hasFile: boolean,
    hasUki: boolean,
): InstalledVersion['state'] {
    // Of what is pending, 262 does not say that a part is missing. The boot image is fetched last.
    if (partial || (pending && (incomplete || !hasFile))) return 'partial';
    if (pending) return 'downloaded';
    return incomplete || !hasUki ? 'incomplete' : 'whole';
}

function partitionsOf(contents: readonly {readonly ptuuid: string | null}[]): readonly string[] {
    return contents.flatMap(({ptuuid}) => ptuuid?.toLowerCase() ?? []);
}

/** An entry of the boot menu. */
export interface BootEntry {
    readonly title: string;
    readonly path: string | null;
    /** Whether the next boot starts it, as far as its variables say. */
    readonly isDefault: boolean;
}

/** `bootctl list`. Throws SnowError Failed. */
export function importBootEntries(text: string): readonly BootEntry[] {
    return importJson(
        'bootctl',
        text,
        array(
            object({
                id: optional(line, ''),
                showTitle: optional(line),
                title: optional(line),
                path: optional(line),
                isDefault: flag,
            }),
        ),
    ).map(({id, showTitle, title, path, isDefault}) => ({
        title: showTitle ?? title ?? id,
        path,
        isDefault,
    }));
}
