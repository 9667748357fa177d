// SPDX-License-Identifier: GPL-2.0-or-later
// Which image is in which slot, and which slot is started next, from all that says something of it.

import {type BootMenu, nextRoot} from './boot-menu.ts';
import {
    type Installed,
    type Slot,
    type SlotImage,
    type SlotRecord,
    isSameInstalled,
} from './slots.ts';
import type {NbcStatus} from './status.ts';

export interface Facts {
    readonly nbc: NbcStatus;
    readonly menu: BootMenu | null;
    /** root= of the running system. */
    readonly bootedRoot: string | null;
    readonly record: SlotRecord;
    /** IMAGE_VERSION of the running system. */
    readonly bootedVersion: string | null;
}

export interface Picture {
    /** The slot that is booted; null: nbc cannot say. */
    readonly slot: Slot | null;
    /** What nbc would say of itself if it had been left to finish what it began, or not begun it. */
    readonly installed: Installed;
    readonly booted: SlotImage;
    /** What the other slot has; null: nothing that can be started. */
    readonly other: SlotImage | null;
    readonly isOtherNext: boolean;
    /** Whether the other slot was written since the boot. */
    readonly isPending: boolean;
    /** Null: neither of its entries is of the running system. */
    readonly menu: BootMenu | null;
    /** root= of the other slot; null: the boot loader has none. */
    readonly otherRoot: string | null;
}

export function pictureOf(facts: Facts): Picture {
    const {nbc, bootedRoot, record} = facts;
    const slot = bootedSlot(nbc);
    const menu = ownMenu(facts);
    // One that is not finished has yet to be tidied up; what nbc says of it is not so.
    const isUnfinished = record.writing?.isTouched === true && nbc.reboot_pending === null;
    const installed =
        isUnfinished && record.writing
            ? record.writing.installed
            : {image: nbc.image, digest: nbc.digest};
    const parts = {...facts, menu, slot, installed};
    const booted = bootedImage(parts);
    const other = isUnfinished ? null : otherImage(parts, booted);
    return {
        slot,
        installed,
        booted,
        other,
        isOtherNext: menu ? nextRoot(menu) !== bootedRoot : nbc.reboot_pending !== null,
        isPending: nbc.reboot_pending !== null,
        menu,
        otherRoot: menu && (menu.main === bootedRoot ? menu.previous : menu.main),
    };
}

/** By what nbc says, or by the mapper of an encrypted slot, of which it says nothing. */
export function bootedSlot({active_slot: named, active_root: root}: NbcStatus): Slot | null {
    if (named?.startsWith('A')) return 'A';
    if (named?.startsWith('B')) return 'B';
    if (root === '/dev/mapper/root1') return 'A';
    return root === '/dev/mapper/root2' ? 'B' : null;
}

export function otherSlot(slot: Slot): Slot {
    return slot === 'A' ? 'B' : 'A';
}

/** The device of the slot that is not booted; null: not known. */
export function otherDevice(nbc: NbcStatus): string | null {
    const target = nbc.reboot_pending?.target_partition ?? '';
    if (target.startsWith('/dev/')) return target;
    const slot = bootedSlot(nbc);
    if (slot === null) return null;
    const other = otherSlot(slot);
    if (nbc.active_root?.startsWith('/dev/mapper/'))
        return `/dev/mapper/root${other === 'A' ? 1 : 2}`;
    if (!/^\/dev\/[\w/.-]+$/.test(nbc.device)) return null;
    // As the kernel numbers partitions of disks whose names end in a number.
    const separator = /\d$/.test(nbc.device) ? 'p' : '';
    return `${nbc.device}${separator}${other === 'A' ? 2 : 3}`;
}

interface Parts extends Facts {
    readonly slot: Slot | null;
    readonly installed: Installed;
}

function ownMenu({menu, bootedRoot}: Facts): BootMenu | null {
    if (!menu || bootedRoot === null) return null;
    return menu.main === bootedRoot || menu.previous === bootedRoot ? menu : null;
}

function isMainBooted({menu, bootedRoot}: Parts): boolean {
    return menu === null || menu.main === bootedRoot;
}

function bootedImage(parts: Parts): SlotImage {
    const {nbc, installed, record, slot, bootedVersion: version} = parts;
    if (nbc.reboot_pending === null && isMainBooted(parts)) return {...installed, version};
    const known = slot && record.slots[slot];
    const isTrusted = isFresh(parts) || nbc.reboot_pending !== null;
    if (known && isTrusted && (known.version === version || known.version === null))
        return {...known, version};
    return {image: installed.image, digest: null, version};
}

function otherImage(parts: Parts, booted: SlotImage): SlotImage | null {
    const {nbc, menu, bootedRoot, installed, record, slot} = parts;
    const known = slot && record.slots[otherSlot(slot)];
    const pending = nbc.reboot_pending;
    if (pending) {
        const {pending_image_ref: image, pending_image_digest: digest} = pending;
        const isKnown = known && known.digest !== null && known.digest === digest;
        return {image, digest, version: isKnown ? known.version : null};
    }
    if (!menu || (isMainBooted(parts) && (menu.previous ?? bootedRoot) === bootedRoot)) return null;
    if (isFresh(parts)) {
        if (slot !== null && record.broken === otherSlot(slot)) return null;
        if (known) return known;
    }
    const isInstalled = !isMainBooted(parts) && installed.digest !== booted.digest;
    return isInstalled
        ? {...installed, version: null}
        : {image: installed.image, digest: null, version: null};
}

/** Whether nobody else has written a slot since the record was made. */
function isFresh({record, installed}: Parts): boolean {
    return isSameInstalled(record.installed, installed);
}
