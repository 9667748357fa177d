// SPDX-License-Identifier: GPL-2.0-or-later
// Images in pairs of partitions, each with its unified kernel image, that systemd-sysupdate(8) writes
// and systemd-boot(7) starts. One pair runs; an update goes to the other one, and takes the place of
// what was in it.

import {SnowError} from '../../host/error.ts';
import type {Host, ProgramResult} from '../../host/host.ts';
import {readOsRelease} from '../../host/os-release.ts';
import {compareVersions} from '../../host/versions.ts';
import type {Command, ImageDriver, Work} from '../driver.ts';
import {type Capability, type CheckResult, type Offer, nextDeployment} from '../model.ts';
import {STAGE_SCRIPT, commands} from './commands.ts';
import {failureOf} from './failures.ts';
import {canChooseBoot, makeNext} from './boot-choice.ts';
import {readBootEntries, readInstalled, readVersion} from './machine.ts';
import {type Part, UpdateProgress, totalOf} from './progress.ts';
import {describeStatus, timestampOf} from './status.ts';
import {type OfferedVersion, importNewest, importOffered, importVersions} from './sysupdate.ts';
import {readUkiRelease} from './uki-release.ts';

const MARKER = '/usr/lib/snosi/native-ab';
const OWN_UNIT = 'snow-image-job.service';
const OTHER_UNITS = [
    'snosi-sysupdate-stage.service',
    'systemd-sysupdate.service',
    'systemd-sysupdate-update.service',
    'systemd-sysupdate-reboot.service',
] as const;
const AT_WORK = ['active', 'activating', 'deactivating', 'reloading'];

export const nativeDriver: ImageDriver = {
    name: 'native',
    otherUnits: OTHER_UNITS,

    detect: async host => (await host.files.status(MARKER)) !== null,

    async status(host) {
        const [release, installed, bootEntries, capabilities] = await Promise.all([
            readOsRelease(host),
            readInstalled(host),
            readBootEntries(host),
            readCapabilities(host),
        ]);
        const isPartial = installed.some(({state}) => state === 'partial');
        return describeStatus({
            imageId: release['IMAGE_ID'] ?? '',
            booted: release['IMAGE_VERSION'] ?? '',
            installed,
            bootEntries,
            capabilities,
            isAtWork: isPartial && (await isUpdating(host)),
        });
    },

    explain: capability => explanations[capability] ?? 'This cannot be done on native A/B',

    async stagedSystem(host, status) {
        const version = nextDeployment(status)?.version ?? null;
        const installed = version === null ? null : await readVersion(host, version);
        const release = installed?.uki && (await readUkiRelease(host, installed.uki.path));
        return release ? {release, tree: null} : null;
    },

    async check(work) {
        const {before} = work;
        work.progress.step('Asking the update server');
        const version = await findNewest(work);
        if (version === null) return nothingNewer(before);
        const offered = await describeOffer(work, version);
        const size = totalOf(await measure(work, offered));
        return {outcome: 'available', offer: {...offerOf(version), size}};
    },

    async update(work) {
        const {host, before} = work;
        await nativeDriver.cleanUp(host);
        const downloaded = before.downloaded?.version ?? null;
        if (downloaded !== null) {
            work.progress.step(`Installing ${downloaded}`);
            await follow(work, commands.updateFromDownload(downloaded), 'The update');
            await verify(work, downloaded, null);
            return;
        }
        const version = await requireNewest(work);
        const offered = await describeOffer(work, version);
        const lines = new UpdateProgress(work.progress, version, await measure(work, offered));
        const hasScript = (await host.files.status(STAGE_SCRIPT)) !== null;
        const command = hasScript ? commands.stage() : commands.update(version);
        await follow(work, command, 'The update', line => lines.read(line));
        await verify(work, version, offered);
    },

    async download(work) {
        const {host} = work;
        await nativeDriver.cleanUp(host);
        const version = await requireNewest(work);
        const offered = await describeOffer(work, version);
        const lines = new UpdateProgress(work.progress, version, await measure(work, offered));
        await follow(work, commands.acquire(version), 'The download', line => lines.read(line));
    },

    switchTo: () => Promise.reject(new SnowError('NotSupported', explanations.switch)),

    async rollback(work) {
        const version = work.before.rollback?.version;
        if (!version) throw new SnowError('WrongState', 'There is no version to go back to');
        work.progress.step(`Choosing ${version} for the next restart`);
        await makeNext(work, version);
    },

    async unstage(work) {
        const version = work.before.booted?.version;
        if (!version) throw new SnowError('WrongState', 'The version that runs is not known');
        work.progress.step(`Choosing ${version} for the next restart`);
        await makeNext(work, version);
    },

    /**
     * Half an update is in the way of the next one, for systemd-sysupdate and everything that calls
     * it, until somebody has it vacuumed.
     */
    async cleanUp(host) {
        const installed = await readInstalled(host);
        if (!installed.some(({state}) => state === 'partial')) return;
        const result = await host.programs.run(commands.vacuum());
        if (result.exitCode !== 0) throw failureOf('Cleaning up after an update', result);
    },
};

const explanations = {
    check: '',
    update: '',
    'download-only':
        'Downloading without staging needs systemd 260, and a system whose own stager does not take a download for a staged update',
    switch: 'A native A/B system stays with the image that it was installed as, since slots and definitions are made for it; for another one, install that from its own installer',
    rollback:
        'Only systemd-boot can be told which version to start; choose it by hand in the menu of your boot loader',
    unstage:
        'Only systemd-boot can be told which version to start; choose it by hand in the menu of your boot loader',
} as const satisfies Record<Capability, string>;

async function readCapabilities(host: Host): Promise<readonly Capability[]> {
    const [canChoose, canDownload] = await Promise.all([
        canChooseBoot(host),
        canDownloadOnly(host),
    ]);
    return [
        'check',
        'update',
        ...(canDownload ? (['download-only'] as const) : []),
        ...(canChoose ? (['rollback', 'unstage'] as const) : []),
    ];
}

/**
 * Whether it knows how to, and nobody mistakes it: snow's script says of a version that is in the
 * other slot that it is staged, also when the boot loader does not see it yet.
 */
async function canDownloadOnly(host: Host): Promise<boolean> {
    if ((await host.files.status(STAGE_SCRIPT)) !== null) return false;
    const {stdout} = await host.programs.run(commands.sysupdateVersion());
    return Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0) >= 260;
}

async function isUpdating({systemd}: Host): Promise<boolean> {
    for (const unit of [OWN_UNIT, ...OTHER_UNITS])
        if (systemd && AT_WORK.includes(await systemd.activeState(unit))) return true;
    return false;
}

/** What a check found when the source has nothing that is not on this machine. */
function nothingNewer({booted, staged, rollback}: Work['before']): CheckResult {
    if (staged?.version) return {outcome: 'staged', offer: offerOf(staged.version)};
    // Newer than what runs, and yet not the next: somebody, or the boot loader, has set it aside.
    const isHeld =
        booted?.version &&
        rollback?.version &&
        compareVersions(rollback.version, booted.version) > 0;
    return isHeld
        ? {outcome: 'held-rollback', offer: offerOf(rollback.version)}
        : {outcome: 'current'};
}

function offerOf(version: string): Offer {
    return {version, digest: null, timestamp: timestampOf(version), size: null};
}

/**
 * The version that an update would install; null: there is none. Exit status 1 says both that there
 * is none and that the source could not be asked, so that it is the output that counts. Throws
 * SnowError.
 */
async function findNewest({host, before, signal}: Work): Promise<string | null> {
    const result = await host.programs.run(commands.checkNew(), {signal, timeout: NETWORK_TIMEOUT});
    let newest: string | null;
    if (result.stdout.trim() !== '') {
        newest = importNewest(result.stdout);
    } else {
        // Older ones print nothing for "none": whether the source is well, a list tells.
        const list = await host.programs.run(commands.list(), {signal, timeout: NETWORK_TIMEOUT});
        if (list.exitCode !== 0) throw failureOf('The check', list);
        importVersions(list.stdout);
        newest = null;
    }
    const booted = before.booted?.version;
    if (newest === null || (booted && compareVersions(newest, booted) <= 0)) return null;
    return newest;
}

/** Milliseconds in which the source has to have said what it has. */
const NETWORK_TIMEOUT = 180_000;
/** Milliseconds that a bar is worth waiting for. */
const SIZE_TIMEOUT = 5000;

async function requireNewest(work: Work): Promise<string> {
    work.progress.step('Asking the update server');
    const version = await findNewest(work);
    if (version === null) throw new SnowError('WrongState', 'There is nothing newer to install');
    return version;
}

async function describeOffer({host, signal}: Work, version: string): Promise<OfferedVersion> {
    const result = await host.programs.run(commands.describe(version), {
        signal,
        timeout: NETWORK_TIMEOUT,
    });
    if (result.exitCode !== 0) throw failureOf('The check', result);
    return importOffered(result.stdout);
}

/** Sizes of what is to be fetched, as far as its server tells. */
async function measure({host, signal}: Work, {urls}: OfferedVersion): Promise<readonly Part[]> {
    // Node 20 collects an AbortSignal.timeout() that nothing but AbortSignal.any() knows.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), SIZE_TIMEOUT);
    const either = {signal: AbortSignal.any([signal, limit.signal])};
    try {
        return await Promise.all(
            urls.map(async url => {
                // Without it there is no bar; the download itself says what is wrong.
                const size = /^https?:/.test(url)
                    ? await host.http.size(url, either).catch(() => null)
                    : null;
                return {url, size};
            }),
        );
    } finally {
        clearTimeout(timer);
    }
}

async function follow(
    {host, signal}: Work,
    command: Command,
    doing: string,
    onLine: (line: string) => void = () => undefined,
): Promise<ProgramResult> {
    const result = await host.programs.follow(command, {signal, onLine});
    if (result.exitCode !== 0) throw failureOf(doing, result);
    return result;
}

/**
 * Looks at what is on the disk: all parts, with the UUIDs that were signed. Then sees to it that the
 * next boot starts it, and that what runs now is what to fall back to.
 */
async function verify(work: Work, version: string, offered: OfferedVersion | null): Promise<void> {
    const {host} = work;
    work.progress.step(`Verifying ${version}`);
    const installed = await readVersion(host, version);
    if (installed?.state !== 'whole')
        throw new SnowError(
            'Failed',
            `The update ended without an error, and ${version} is ${installed?.state ?? 'not there'}`,
        );
    const missing = offered?.partitions.filter(uuid => !installed.partitions.includes(uuid)) ?? [];
    if (missing.length > 0)
        throw new SnowError(
            'VerificationFailed',
            `The partitions of ${version} are not those that the update server signed`,
        );
    if (!(await canChooseBoot(host))) return;
    await makeNext(work, version);
}
