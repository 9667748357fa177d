// SPDX-License-Identifier: GPL-2.0-or-later
// An image on its way into the slot that is not booted. Whatever happens meanwhile, the next boot has
// something to start, and what nbc says of itself is true in the end.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {nextRoot, readBootMenu, readBootedRoot} from './boot-menu.ts';
import {
    REBOOT_MARKER,
    imageVersion,
    readMachine,
    readOtherRelease,
    restoreInstalled,
    setNextRoot,
} from './machine.ts';
import {otherSlot} from './picture.ts';
import {type SlotRecord, emptyRecord, isSameInstalled, readRecord, writeRecord} from './slots.ts';

/**
 * Keeps what there is, and has the boot loader start the running system as long as the other slot
 * is being written. Throws SnowError.
 */
export async function beginWriting(host: Host, warn: (text: string) => void): Promise<void> {
    const [{picture}, earlier] = await Promise.all([readMachine(host), readRecord(host)]);
    const {slot, menu, installed, booted, isOtherNext, isPending} = picture;
    const isGuarded = isOtherNext && menu?.loader === 'systemd-boot';
    if (isOtherNext && !isGuarded) {
        if (isPending)
            throw new SnowError(
                'WrongState',
                'An update waits for the restart; another one can be written after that',
            );
        warn(
            'Until this is done, the boot menu starts the slot that is being written: should it be interrupted, choose "(Previous)" there',
        );
    }
    const isFresh = isSameInstalled(earlier.installed, installed);
    // What nbc says of itself is of the running system, unless an update waits for the restart.
    const before = isPending ? ((isFresh ? earlier.before : null) ?? {...booted}) : installed;
    const record: SlotRecord = {
        ...(isFresh ? earlier : emptyRecord),
        installed,
        slots: {...(isFresh ? earlier.slots : emptyRecord.slots), ...(slot && {[slot]: booted})},
        writing: {
            installed: {image: before.image, digest: before.digest},
            marker: await host.files.readText(REBOOT_MARKER),
            isTouched: true,
            isGuarded,
        },
    };
    await writeRecord(host, record);
    if (isGuarded && menu) await startRunningSystem(host);
}

/** The other slot was not touched, after all. */
export async function noteUntouched(host: Host): Promise<void> {
    const record = await readRecord(host);
    if (record.writing)
        await writeRecord(host, {...record, writing: {...record.writing, isTouched: false}});
}

/** Has the next boot start what was written. False: nbc did not come to its end. */
export async function finishWriting(host: Host): Promise<boolean> {
    const record = await readRecord(host);
    const {writing} = record;
    if (!writing) return true;
    const marker = await host.files.readText(REBOOT_MARKER);
    if (marker === null || marker === writing.marker) return false;
    const {nbc, picture} = await readMachine(host);
    const {menu, other, slot} = picture;
    if (menu && nextRoot(menu) !== menu.main) await setNextRoot(host, menu, menu.main);
    const release = await readOtherRelease(host, nbc);
    const version = release && imageVersion(release);
    await writeRecord(host, {
        ...record,
        installed: picture.installed,
        before: writing.installed,
        slots: {...record.slots, ...(slot && other && {[otherSlot(slot)]: {...other, version}})},
        broken: null,
        writing: null,
    });
    return true;
}

/** Has everything be as before, but for what is lost: the image that the other slot had. */
export async function giveUpWriting(host: Host): Promise<void> {
    const record = await readRecord(host);
    const {writing} = record;
    if (!writing) return;
    if (!writing.isTouched) {
        if (writing.isGuarded) await startOtherSystem(host);
        await writeRecord(host, {...record, writing: null});
        return;
    }
    await startRunningSystem(host);
    await restoreInstalled(host, writing.installed);
    await host.files.remove(REBOOT_MARKER);
    const {picture} = await readMachine(host);
    const broken = picture.slot && otherSlot(picture.slot);
    await writeRecord(host, {
        ...record,
        installed: writing.installed,
        before: null,
        slots: {...record.slots, ...(broken && {[broken]: null})},
        broken,
        writing: null,
    });
}

/** Throws SnowError NotSupported when the boot loader would start the other one and cannot be told. */
export async function startRunningSystem(host: Host): Promise<void> {
    const [menu, booted] = await Promise.all([readBootMenu(host), readBootedRoot(host)]);
    if (!menu || booted === null || nextRoot(menu) === booted) return;
    if (menu.main === booted || menu.previous === booted) await setNextRoot(host, menu, booted);
}

async function startOtherSystem(host: Host): Promise<void> {
    const [menu, booted] = await Promise.all([readBootMenu(host), readBootedRoot(host)]);
    if (!menu || booted === null || nextRoot(menu) !== booted) return;
    const other = menu.main === booted ? menu.previous : menu.main;
    if (other !== null) await setNextRoot(host, menu, other);
}
