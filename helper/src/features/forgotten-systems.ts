// SPDX-License-Identifier: GPL-2.0-or-later
// What systems that cannot be booted any more have left: images that no definition matches now.
import type {Host} from '../host/host.ts';
import {type Release, readOsRelease} from '../host/os-release.ts';
import {followRunningSystem} from './boot-links.ts';
import {readStagedOsRelease} from './compatibility.ts';
import {loadDefinitions} from './definitions.ts';
import {readTransferState} from './instances.ts';
import type {Transfer} from './model.ts';
import {
    NEXT_BOOT_RECORD,
    type NextBootRecord,
    isSameSystem,
    neededImages,
    readUsableRecord,
    withoutNext,
    writeNextBootRecord,
} from './next-boot-record.ts';
import {type Merged, readMerged, refresh} from './sysext.ts';

/**
 * Brings the record in line with the machine, before anything is planned: the links where the boot
 * did not see to it, what was staged and is not any more, and the images of systems that are gone.
 * The lock must be held. Nearly always there is no record, and nothing is done.
 *
 * @param staged what is staged, where the caller knows it
 */
export async function tidyRecord(host: Host, staged?: Release): Promise<void> {
    if (!(await host.files.status(NEXT_BOOT_RECORD))) return;
    if (!(await readUsableRecord(host))) {
        // Nothing can be learnt from it; what it was for is found out anew.
        await host.files.remove(NEXT_BOOT_RECORD);
        return;
    }
    const followed = await followRunningSystem(host, false);
    if (!followed) return;
    if (followed.changed.length > 0) await refresh(host);
    const next = staged ?? (await readStagedOsRelease(host));
    const record = next ? followed.record : withoutNext(followed.record);
    if (record.obsolete.length > 0) await removeForgotten(host, record);
    await writeNextBootRecord(host, {...record, obsolete: []});
}

/** Whether tidyRecord() has something to do. */
export async function isRecordStale(host: Host): Promise<boolean> {
    if (!(await host.files.status(NEXT_BOOT_RECORD))) return false;
    const record = await readUsableRecord(host);
    if (!record || record.obsolete.length > 0 || record.switchingTo !== null) return true;
    if (!isSameSystem(record.current, await readOsRelease(host))) return true;
    return record.systems.some(({isNext}) => isNext) && (await readStagedOsRelease(host)) === null;
}

async function removeForgotten(host: Host, record: NextBootRecord): Promise<void> {
    const merged = await readMerged(host);
    const kept = new Set(neededImages(record));
    for (const {release} of record.systems)
        for (const path of await imagesOf(host, merged, release)) kept.add(path);
    for (const path of await imagesOf(host, merged)) kept.add(path);
    for (const release of record.obsolete)
        for (const path of await imagesOf(host, merged, release, true))
            if (!kept.has(path)) await host.files.remove(path);
}

/** The images that the definitions mean, as they are read on a system; none by default: this one. */
async function imagesOf(
    host: Host,
    merged: Merged,
    release?: Release,
    isRemovable = false,
): Promise<readonly string[]> {
    const system = release && {release, tree: null};
    const {transfers} = await loadDefinitions(host, system);
    const states = await Promise.all(
        transfers.map(transfer => readTransferState(host, transfer, merged)),
    );
    return states.flatMap(({transfer, installed, linked, active}) =>
        installed
            .filter(instance => !isRemovable || !isProtected(transfer, instance.version))
            .filter(instance => !isRemovable || (instance !== linked && instance !== active))
            .map(({path}) => path),
    );
}

function isProtected({protectVersions}: Transfer, version: string): boolean {
    return protectVersions.includes(version);
}

/** Images of a feature's transfers for other systems than the running one. */
export async function imagesElsewhere(
    host: Host,
    record: NextBootRecord | null,
    transfers: readonly Transfer[],
): Promise<readonly string[]> {
    if (!record) return [];
    const merged = await readMerged(host);
    const found = new Set<string>();
    for (const {release} of record.systems) {
        const definitions = await loadDefinitions(host, {release, tree: null});
        for (const transfer of definitions.transfers) {
            const isConcerned = transfers.some(
                ({component, name}) => component === transfer.component && name === transfer.name,
            );
            if (!isConcerned) continue;
            const {installed} = await readTransferState(host, transfer, merged);
            for (const {version, path} of installed)
                if (!isProtected(transfer, version)) found.add(path);
        }
    }
    return [...found];
}
