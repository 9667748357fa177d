// SPDX-License-Identifier: GPL-2.0-or-later
// Images that nbc writes to the one of two slots that is not booted.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import type {Command, ImageDriver, Work} from '../driver.ts';
import type {Capability, CheckResult, Deployment, ImageStatus} from '../model.ts';
import {isSameReference} from '../references.ts';
import {
    applyDownloadCommand,
    checkCommand,
    downloadCommand,
    switchCommand,
    updateCommand,
} from './commands.ts';
import {describeResult, failureOf} from './failures.ts';
import {takeAwayLeftovers} from './leftovers.ts';
import {
    REBOOT_MARKER,
    failureOfDocument,
    readMachine,
    readOtherRelease,
    restoreInstalled,
    setNextRoot,
} from './machine.ts';
import {type Picture, otherSlot} from './picture.ts';
import {type NbcEvent, NbcOutput, NbcShare, documentOf, importFailure} from './progress.ts';
import {type Slot, type SlotImage, isSameInstalled, readRecord, writeRecord} from './slots.ts';
import {type NbcStatus, importCheck, isNotManaged} from './status.ts';
import {beginWriting, finishWriting, noteUntouched, startRunningSystem} from './writing.ts';

const MARKER = '/run/nbc-booted';
/** Milliseconds that a registry may take to answer. */
const CHECK_TIMEOUT = 120_000;
const MAX_WARNINGS = 10;

const BY_HAND =
    'GRUB cannot be told what to start: restart, and choose the entry that you want, "(Previous)" being the older one, in the boot menu';

export const nbcDriver: ImageDriver = {
    name: 'nbc',
    otherUnits: ['nbc-update-download.service'],
    detect: async host => (await host.files.status(MARKER)) !== null,
    async status(host) {
        return statusOf(await readMachine(host));
    },
    explain: capability =>
        capability === 'rollback' || capability === 'unstage'
            ? BY_HAND
            : 'This cannot be done with nbc',
    async stagedSystem(host) {
        const {nbc, picture} = await readMachine(host);
        const release = picture.isOtherNext && (await readOtherRelease(host, nbc));
        return release ? {release, tree: null} : null;
    },
    check,
    update: work => write(work, work.before.downloaded ? applyDownloadCommand : updateCommand),
    download,
    switchTo: (work, reference) => write(work, switchCommand(reference)),
    rollback,
    unstage,
    cleanUp: takeAwayLeftovers,
};

function statusOf({nbc, picture}: {nbc: NbcStatus; picture: Picture}): ImageStatus {
    const {slot, menu, installed, isPending, isOtherNext} = picture;
    const booted = deployment(picture.booted, slot);
    const other = picture.other && deployment(picture.other, slot && otherSlot(slot));
    const isStaged = isPending && isOtherNext;
    const capabilities: Capability[] = ['check', 'update', 'download-only', 'switch'];
    if (menu?.loader === 'systemd-boot') capabilities.push('rollback', 'unstage');
    return {
        followed: installed.image,
        booted,
        staged: isStaged ? other : null,
        rollback: isStaged ? null : other,
        isRollbackQueued: !isStaged && other !== null && isOtherNext,
        downloaded: downloadedOf(nbc, picture),
        capabilities,
        problem: problemOf(nbc, picture),
    };
}

function problemOf({image}: NbcStatus, {isPending, isOtherNext}: Picture): string {
    if (image === '') return 'nbc does not know which image this system follows; choose a channel';
    // Whoever runs nbc by hand after a rollback does not know that the boot loader was told.
    if (isPending && !isOtherNext)
        return 'An update is written, and the boot loader was told to start this system; to start the update: snowctl image rollback';
    return '';
}

/** What could be written without a network, if it is of what is followed and not written yet. */
function downloadedOf(nbc: NbcStatus, {booted, other, installed}: Picture): Deployment | null {
    const found = nbc.staged_update;
    if (!found?.ready) return null;
    const {image_ref: image, image_digest: digest} = found;
    if (!isSameReference(image, installed.image)) return null;
    const isHere = [booted, nbc.reboot_pending && other].some(one => one?.digest === digest);
    return isHere ? null : deployment({image, digest, version: null}, null);
}

function deployment({image, digest, version}: SlotImage, slot: Slot | null): Deployment {
    return {
        version,
        image,
        transport: 'registry',
        digest,
        timestamp: null,
        slot,
        isPinned: false,
        canSoftReboot: false,
    };
}

async function check({host, signal, before}: Work): Promise<CheckResult> {
    const result = await host.programs.run(checkCommand, {signal, timeout: CHECK_TIMEOUT});
    if (result.signal !== null)
        throw new SnowError('Network', 'The registry did not answer in time');
    if (result.exitCode !== 0) throw failureOfDocument(result);
    if (result.stdout.trim() === '' && (await isComposefs(host))) throw notManaged();
    const found = importCheck(documentOf(result.stdout));
    if (isNotManaged(found)) throw notManaged();

    const offer = {version: null, digest: found.new_digest, timestamp: null, size: null};
    const isOffered = (one: Deployment | null): boolean =>
        one !== null && one.digest !== null && one.digest === offer.digest;
    if (isOffered(before.booted)) return {outcome: 'current'};
    if (isOffered(before.staged)) return {outcome: 'staged', offer};
    if (found.update_needed) return {outcome: 'available', offer};
    // nbc takes it for the running one: it is what was written last.
    return isOffered(before.rollback) ? {outcome: 'held-rollback', offer} : {outcome: 'current'};
}

/** Where nbc has nothing to do, some versions say nothing. */
async function isComposefs(host: Host): Promise<boolean> {
    const cmdline = (await host.files.readText('/proc/cmdline')) ?? '';
    return /(?:^|\s)composefs(?:=|\s|$)/.test(cmdline);
}

function notManaged(): SnowError {
    return new SnowError('NotSupported', 'nbc says that it does not manage this system');
}

/** Writes an image to the other slot, and has the next boot start it. */
async function write(work: Work, command: Command): Promise<void> {
    const {host} = work;
    await beginWriting(host, text => work.warn(text));
    // The first step only mounts the slot, and all that goes before is asking. What cannot be
    // understood may be a later one.
    let isTouched = false;
    try {
        await follow(work, command, event => {
            if (event.type === 'unknown' || (event.type === 'step' && event.step !== 1))
                isTouched = true;
        });
    } finally {
        if (!isTouched) await noteUntouched(host);
    }
    // When it came to no end, cleanUp() and who compares the status have the last word.
    if (!(await finishWriting(host))) await takeAwayLeftovers(host);
}

async function download(work: Work): Promise<void> {
    const {host, progress} = work;
    await writeRecord(host, {...(await readRecord(host)), isDownloading: true});
    progress.step('Downloading the new image');
    await follow(work, downloadCommand, () => undefined);
    await writeRecord(host, {...(await readRecord(host)), isDownloading: false});
}

/** Runs nbc to its end. Throws SnowError. */
async function follow(
    {host, progress, signal, warn}: Work,
    command: Command,
    onEvent: (event: NbcEvent) => void,
): Promise<void> {
    const output = new NbcOutput();
    const share = new NbcShare();
    const warnings = new Set<string>();
    let failure: string | null = null;
    const result = await host.programs.follow(command, {
        signal,
        onLine(printed, from) {
            if (from !== 'stdout') return;
            const event = output.add(printed);
            if (!event) return;
            onEvent(event);
            if (event.type === 'step' && event.text !== '') progress.step(event.text);
            if (event.type === 'progress' && event.text !== '') progress.step(event.text);
            const fraction = share.after(event);
            if (fraction !== null) progress.fraction?.(fraction);
            if (event.type === 'error')
                failure = event.detail === '' ? event.text : `${event.text}: ${event.detail}`;
            if (event.type === 'warning' && event.text !== '' && warnings.size < MAX_WARNINGS)
                warnings.add(event.text);
        },
    });
    for (const text of warnings) warn(text);
    const said = importFailure(output.document);
    const described = failure ?? (said && `${said.message}: ${said.details}`);
    if (described !== null) throw failureOf(described);
    if (result.exitCode !== 0) throw failureOf(describeResult(result));
}

async function rollback({host}: Work): Promise<void> {
    const {nbc, picture} = await readMachine(host);
    const {menu, other, otherRoot} = picture;
    if (menu?.loader !== 'systemd-boot') throw new SnowError('NotSupported', BY_HAND);
    // One that is encrypted is not unlocked while it is not booted.
    const isReadable = !nbc.active_root?.startsWith('/dev/mapper/');
    const hasSystem = !isReadable || (await readOtherRelease(host, nbc)) !== null;
    if (!other || otherRoot === null || !hasSystem)
        throw new SnowError('WrongState', 'The other slot has no system that could be started');
    await setNextRoot(host, menu, otherRoot);
}

async function unstage({host}: Work): Promise<void> {
    const {picture} = await readMachine(host);
    if (picture.menu?.loader !== 'systemd-boot') throw new SnowError('NotSupported', BY_HAND);
    await startRunningSystem(host);
    if (!picture.isPending) return;
    const record = await readRecord(host);
    const isOurs = isSameInstalled(record.installed, picture.installed);
    // An update by hand has left nothing of what it replaced but the booted system itself.
    const installed = (isOurs ? record.before : null) ?? {
        image: picture.booted.image,
        digest: picture.booted.digest,
    };
    await restoreInstalled(host, installed);
    await host.files.remove(REBOOT_MARKER);
    const {slot, booted, other} = picture;
    await writeRecord(host, {
        ...record,
        installed,
        before: null,
        slots: slot ? {...record.slots, [slot]: booted, [otherSlot(slot)]: other} : record.slots,
        broken: null,
        writing: null,
    });
}
