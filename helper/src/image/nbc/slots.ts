// SPDX-License-Identifier: GPL-2.0-or-later
// nbc remembers one image, the one that it wrote last; and it does so before that one can be booted.
// What the slots hold is kept here: by whom it was written, it can be told which image is booted,
// which one the other slot has, and what to put back when an update came to no end.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {
    boolean,
    digest,
    importJson,
    line,
    nullable,
    object,
    oneOf,
    string,
} from '../../host/importer.ts';

export type Slot = 'A' | 'B';

export interface SlotImage {
    readonly image: string;
    readonly digest: string | null;
    readonly version: string | null;
}

/** What nbc says that it wrote last. */
export interface Installed {
    readonly image: string;
    readonly digest: string | null;
}

/** An update that has begun. */
export interface Writing {
    /** What nbc said before. */
    readonly installed: Installed;
    /** What nbc had said of an earlier update; null: nothing. */
    readonly marker: string | null;
    /** Whether the slot is no more what it was. */
    readonly isTouched: boolean;
    /** Whether the boot loader was told to start the running system meanwhile. */
    readonly isGuarded: boolean;
}

export interface SlotRecord {
    /** What nbc said when this was written: by anything else, the record is out of date. */
    readonly installed: Installed | null;
    /** What nbc said before an update that waits for the restart. */
    readonly before: Installed | null;
    /** What the slots have; null: not known. */
    readonly slots: Readonly<Record<Slot, SlotImage | null>>;
    /** The slot that has nothing which could be started. */
    readonly broken: Slot | null;
    readonly writing: Writing | null;
    readonly isDownloading: boolean;
}

const PATH = '/var/lib/snow-control/image/nbc.json';

export const emptyRecord: SlotRecord = {
    installed: null,
    before: null,
    slots: {A: null, B: null},
    broken: null,
    writing: null,
    isDownloading: false,
};

const installed = object({image: line, digest: nullable(digest)});
const slotImage = object({image: line, digest: nullable(digest), version: nullable(line)});
const writing = object({
    installed,
    marker: nullable(string),
    isTouched: boolean,
    isGuarded: boolean,
});

const record = object({
    installed: nullable(installed),
    before: nullable(installed),
    slots: object({A: nullable(slotImage), B: nullable(slotImage)}),
    broken: nullable(oneOf('A', 'B')),
    writing: nullable(writing),
    isDownloading: boolean,
});

export async function readRecord(host: Host): Promise<SlotRecord> {
    const text = await host.files.readText(PATH);
    if (text === null) return emptyRecord;
    try {
        return importJson(PATH, text, record);
    } catch (error) {
        // As good as none: the next update writes another.
        if (error instanceof SnowError) return emptyRecord;
        throw error;
    }
}

export async function writeRecord(host: Host, value: SlotRecord): Promise<void> {
    await host.files.writeWhole(PATH, `${JSON.stringify(value)}\n`);
}

export function isSameInstalled(one: Installed | null, other: Installed | null): boolean {
    return one !== null && one.image === other?.image && one.digest === other.digest;
}
