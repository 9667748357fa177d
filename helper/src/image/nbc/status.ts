// SPDX-License-Identifier: GPL-2.0-or-later
// What nbc prints as one document. Go leaves out what is empty, and older versions what they lack:
// root_mount_mode since 0.13, staged_update 0.12, reboot_pending 0.15.

import {
    type Imported,
    boolean,
    count,
    digest,
    emptyAsNull,
    line,
    object,
} from '../../host/importer.ts';
import {importJson, optional, timestamp} from '../../host/importer.ts';

const digestOrNone = optional(emptyAsNull(digest));
const lineOrNone = optional(emptyAsNull(line));

const status = object({
    /** Of the image that was written last, which need not be the booted one. */
    image: line,
    digest: digestOrNone,
    device: optional(line, ''),
    active_root: lineOrNone,
    /** "A (root1)", "B (root2)" */
    active_slot: lineOrNone,
    bootloader_type: optional(line, ''),
    staged_update: optional(
        object({
            image_ref: line,
            image_digest: digest,
            size_bytes: optional(count),
            /** Whether it is another image than the one that was written last. */
            ready: optional(boolean, true),
        }),
    ),
    reboot_pending: optional(
        object({
            pending_image_ref: line,
            pending_image_digest: digestOrNone,
            update_time: optional(emptyAsNull(timestamp)),
            target_partition: optional(line, ''),
        }),
    ),
});

export type NbcStatus = Imported<typeof status>;

/** `nbc status --json`. Throws SnowError Failed that names the field. */
export function importStatus(text: string): NbcStatus {
    return importJson('nbc status', text, status);
}

const check = object({
    update_needed: boolean,
    image: optional(line, ''),
    device: optional(line, ''),
    current_digest: digestOrNone,
    new_digest: digestOrNone,
    message: optional(line, ''),
});

export type NbcCheck = Imported<typeof check>;

/** `nbc update --check --json`. Throws SnowError Failed that names the field. */
export function importCheck(text: string): NbcCheck {
    return importJson('nbc update --check', text, check);
}

/** On a system of bootc, nbc ends well and says that there is nothing to do, about no image. */
export function isNotManaged(result: NbcCheck): boolean {
    return !result.update_needed && result.new_digest === null && result.device === '';
}

const download = object({image_ref: line, image_digest: digest, size_bytes: optional(count)});

export type NbcDownload = Imported<typeof download>;

/** What `nbc download --json` prints last. Throws SnowError Failed that names the field. */
export function importDownload(text: string): NbcDownload {
    return importJson('nbc download', text, download);
}
