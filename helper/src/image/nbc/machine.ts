// SPDX-License-Identifier: GPL-2.0-or-later
// Looking at a machine of nbc's, and telling its boot loader what to start.

import {randomUUID} from 'node:crypto';

import {SnowError} from '../../host/error.ts';
import type {Host, ProgramResult} from '../../host/host.ts';
import {type Release, parseRelease, readOsRelease} from '../../host/os-release.ts';
import type {Command} from '../driver.ts';
import {importJson, line, object, refuse} from '../../host/importer.ts';
import {
    type BootMenu,
    MAIN_ENTRY,
    PREVIOUS_ENTRY,
    readBootMenu,
    readBootedRoot,
} from './boot-menu.ts';
import {readFromImageCommand, setDefaultEntryCommand, statusCommand} from './commands.ts';
import {describeResult, failureOf} from './failures.ts';
import {type Picture, otherDevice, pictureOf} from './picture.ts';
import {documentOf, importFailure} from './progress.ts';
import {type Installed, readRecord} from './slots.ts';
import {type NbcStatus, importStatus} from './status.ts';

/** What nbc leaves until the restart. */
export const REBOOT_MARKER = '/run/nbc-reboot-required';

const CONFIGURATIONS = ['/var/lib/nbc/state/config.json', '/etc/nbc/config.json'];
const OS_RELEASE = '/usr/lib/os-release';

/** Milliseconds; it gives up on the network at once, as it is given none. */
const STATUS_TIMEOUT = 30_000;
const READ_TIMEOUT = 30_000;

export interface Machine {
    readonly nbc: NbcStatus;
    readonly picture: Picture;
}

/** Throws SnowError. */
export async function readMachine(host: Host): Promise<Machine> {
    const [nbc, menu, bootedRoot, record, release] = await Promise.all([
        readStatus(host),
        readBootMenu(host),
        readBootedRoot(host),
        readRecord(host),
        readOsRelease(host),
    ]);
    const bootedVersion = imageVersion(release);
    const picture = pictureOf({nbc, menu, bootedRoot, record, bootedVersion});
    if (picture.other?.version !== null) return {nbc, picture};
    // Somebody else wrote it: it says itself what it is.
    const other = await readOtherRelease(host, nbc);
    const version = other && imageVersion(other);
    return {nbc, picture: {...picture, other: {...picture.other, version}}};
}

/** What nbc says. Throws SnowError. */
async function readStatus(host: Host): Promise<NbcStatus> {
    const result = await runApart(host, 'status', statusCommand, {
        timeout: STATUS_TIMEOUT,
        // It would ask the registry, and nobody wants to know that here.
        properties: {privateNetwork: true},
    });
    if (result.exitCode !== 0) throw failureOfDocument(result);
    return importStatus(result.stdout);
}

/** What a program of nbc's said that was to print one document. */
export function failureOfDocument(result: ProgramResult): SnowError {
    const failure = importFailure(documentOf(result.stdout));
    return failureOf(failure ? `${failure.message}: ${failure.details}` : describeResult(result));
}

/** os-release(5) of the slot that is not booted; null: it cannot be read. */
export async function readOtherRelease(host: Host, nbc: NbcStatus): Promise<Release | null> {
    const device = otherDevice(nbc);
    if (device === null || !(await host.programs.isInstalled('systemd-dissect'))) return null;
    const {exitCode, stdout} = await runApart(
        host,
        'dissect',
        readFromImageCommand(device, OS_RELEASE),
        {timeout: READ_TIMEOUT},
    );
    return exitCode === 0 ? parseRelease(stdout) : null;
}

/** As the image names its version. */
export function imageVersion(release: Release): string | null {
    return release['IMAGE_VERSION'] || null;
}

/** Has every following boot start what one of the two entries has. Throws SnowError. */
export async function setNextRoot(host: Host, menu: BootMenu, root: string): Promise<void> {
    if (menu.loader !== 'systemd-boot')
        throw new SnowError('NotSupported', 'GRUB cannot be told what to start');
    const entry = root === menu.main ? MAIN_ENTRY : PREVIOUS_ENTRY;
    const result = await host.programs.run(setDefaultEntryCommand(entry));
    if (result.exitCode !== 0)
        throw new SnowError(
            'Failed',
            `The boot loader cannot be told what to start: ${describeResult(result)}`,
        );
}

/** Has nbc say again which image it wrote last; without a digest it takes any as newer. */
export async function restoreInstalled(host: Host, {image, digest}: Installed): Promise<void> {
    for (const path of CONFIGURATIONS) {
        const text = await host.files.readText(path);
        if (text === null) continue;
        const fields = importJson(path, text, configuration);
        if (fields['image_ref'] === image && fields['image_digest'] === (digest ?? '')) return;
        const restored = {...fields, image_ref: image, image_digest: digest ?? ''};
        // As nbc writes it: without an end of line.
        await host.files.writeWhole(path, JSON.stringify(restored, null, 2));
        return;
    }
}

const named = object({image_ref: line});
const configuration = (found: Parameters<typeof named>[0]): Readonly<Record<string, unknown>> => {
    named(found);
    const {value} = found;
    // named() has seen that it is an object.
    return typeof value === 'object' && value !== null ? {...value} : refuse(found, 'is no object');
};

/** In a unit of its own: the service that asks is not allowed what the program needs. */
function runApart(
    host: Host,
    name: string,
    command: Command,
    options: Parameters<NonNullable<Host['systemd']>['runUnit']>[2],
): Promise<ProgramResult> {
    return host.systemd
        ? host.systemd.runUnit(`snow-image-nbc-${name}-${randomUUID()}`, command, options)
        : host.programs.run(command, options);
}
