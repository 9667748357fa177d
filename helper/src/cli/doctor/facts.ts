// SPDX-License-Identifier: GPL-2.0-or-later
import {loadDefinitions} from '../../features/definitions.ts';
import type {Transfer} from '../../features/model.ts';
import {keyringPaths} from '../../features/signature.ts';
import {type FeatureState, readFeatures} from '../../features/state.ts';
import {SEARCH_PATH} from '../../features/sysext.ts';
import {JOURNAL} from '../../features/transaction.ts';
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {type ImageFacts, readImageFacts} from './image-facts.ts';
import {type IntuneFacts, readIntuneFacts} from './intune-facts.ts';

/** What the checks look at. */
export interface Facts {
    /** An image tree has no running system to look at. */
    readonly isOffline: boolean;
    readonly features: readonly FeatureState[];
    /** Of definition files that belong to no feature. */
    readonly definitionProblems: readonly string[];
    /** Whether any transfer wants a signature. */
    readonly needsKeys: boolean;
    readonly keyrings: readonly string[];
    readonly missingPrograms: readonly NeededProgram[];
    /** Whether extensions are merged at boot. */
    readonly isSysextEnabled: boolean;
    /** Files of a run that was interrupted. */
    readonly leftovers: readonly string[];
    readonly space: readonly {readonly path: string; readonly freeBytes: number}[];
    /** Files of Snow Control that are not installed. */
    readonly missingFiles: readonly string[];
    readonly isAutomatic: boolean;
    readonly extensions: readonly ExtensionEntry[];
    /** Null: nobody manages the image of this system, or it is a tree. */
    readonly image: ImageFacts | null;
    /** Null: there is no container, and nobody has it in mind. */
    readonly intune: IntuneFacts | null;
}

export interface NeededProgram {
    readonly names: readonly string[];
    readonly package: string;
    readonly purpose: string;
}

/** An entry that systemd-sysext merges. */
export interface ExtensionEntry {
    readonly path: string;
    /** Where it leads; null: nowhere. */
    readonly image: string | null;
}

/** Temporary names of systemd's tools and of Snow Control. */
const PENDING_PREFIX = '.#';
/** A run that wrote nothing for so long is not one any more. */
const QUIET_SECONDS = 600;

const TIMER = 'snow-features-update.timer';
const SYSEXT_UNIT = 'systemd-sysext.service';

/** Any one of the names does. */
const neededPrograms: readonly NeededProgram[] = [
    {names: ['gpgv', 'sqv'], package: 'gpgv', purpose: 'signatures are verified with it'},
    {names: ['zstd'], package: 'zstd', purpose: 'images are unpacked with it'},
    {names: ['xz'], package: 'xz-utils', purpose: 'images are unpacked with it'},
    {names: ['setpriv'], package: 'util-linux', purpose: 'images are unpacked without privileges'},
    {names: ['prlimit'], package: 'util-linux', purpose: 'the size of images is limited with it'},
    {names: ['flock'], package: 'util-linux', purpose: 'two changes at once are kept apart by it'},
];
const neededWhenRunning: readonly NeededProgram[] = [
    {names: ['systemd-sysext'], package: 'systemd', purpose: 'extensions are merged with it'},
    {names: ['systemd-run'], package: 'systemd', purpose: 'systemd-sysext is started with it'},
];

/** Without one of these no program may talk to snowd, or none is started. */
const installedFiles: readonly string[] = [
    '/usr/share/dbus-1/system-services/org.frostyard.Snow1.service',
    '/usr/share/dbus-1/system.d/org.frostyard.Snow1.conf',
    '/usr/share/polkit-1/actions/org.frostyard.Snow1.policy',
    '/usr/lib/systemd/system/snowd.service',
    '/usr/lib/snow-control/snow-image-job',
    `/usr/lib/systemd/system/${TIMER}`,
];

/** Looks at the machine or tree; changes nothing. */
export async function readFacts(host: Host): Promise<Facts> {
    const isOffline = host.root !== '';
    const loading = loadDefinitions(host);
    const [definitions, features] = await Promise.all([loading, readFeatures(host, loading)]);
    const targets = targetDirectories(definitions.transfers);
    const programs = isOffline ? neededPrograms : [...neededPrograms, ...neededWhenRunning];
    const [
        keyrings,
        missingPrograms,
        isSysextEnabled,
        leftovers,
        space,
        missingFiles,
        isAutomatic,
        extensions,
        image,
        intune,
    ] = await Promise.all([
        existing(host, keyringPaths),
        missing(programs, host),
        isUnitLinked(host, SYSEXT_UNIT),
        findLeftovers(host, [...new Set([...targets, ...SEARCH_PATH])]),
        readSpace(host, targets),
        absent(host, installedFiles),
        isUnitLinked(host, TIMER),
        readExtensions(host),
        readImageFacts(host),
        readIntuneFacts(host, process.getuid?.() ?? 0),
    ]);
    return {
        isOffline,
        features,
        definitionProblems: definitions.problems,
        needsKeys: definitions.transfers.some(({verify}) => verify),
        keyrings,
        missingPrograms,
        isSysextEnabled,
        leftovers,
        space,
        missingFiles,
        isAutomatic,
        extensions,
        image,
        intune,
    };
}

function targetDirectories(transfers: readonly Transfer[]): readonly string[] {
    return [...new Set(transfers.map(({target}) => target.path))];
}

async function existing(host: Host, paths: readonly string[]): Promise<readonly string[]> {
    const found = await Promise.all(paths.map(path => host.files.status(path)));
    return paths.filter((_, index) => found[index]);
}

async function absent(host: Host, paths: readonly string[]): Promise<readonly string[]> {
    const present = await existing(host, paths);
    return paths.filter(path => !present.includes(path));
}

async function missing(
    programs: readonly NeededProgram[],
    host: Host,
): Promise<readonly NeededProgram[]> {
    const found = await Promise.all(
        programs.map(async ({names}) => {
            const installed = await Promise.all(names.map(name => host.programs.isInstalled(name)));
            return installed.includes(true);
        }),
    );
    return programs.filter((_, index) => !found[index]);
}

/** Whether something pulls in a unit: what `systemctl enable` and packages make. */
async function isUnitLinked(host: Host, unit: string): Promise<boolean> {
    for (const directory of ['/etc/systemd/system', '/usr/lib/systemd/system']) {
        const names = await host.files.list(directory);
        for (const name of names.filter(each => /\.(wants|requires)$/.test(each)))
            if (await host.files.status(`${directory}/${name}/${unit}`)) return true;
    }
    return false;
}

/** Files of an unfinished run, unless it seems to go on. */
async function findLeftovers(
    host: Host,
    directories: readonly string[],
): Promise<readonly string[]> {
    const lists = await Promise.all(
        directories.map(async directory =>
            (await host.files.list(directory))
                .filter(name => name.startsWith(PENDING_PREFIX))
                .map(name => `${directory}/${name}`),
        ),
    );
    const found: string[] = [];
    for (const path of [JOURNAL, ...lists.flat()]) {
        const status = await whereReadable(host.files.status(path), null);
        if (!status) continue;
        if (Date.now() / 1000 - status.mtime < QUIET_SECONDS) return [];
        found.push(path);
    }
    return found;
}

async function readSpace(host: Host, directories: readonly string[]): Promise<Facts['space']> {
    return Promise.all(
        directories.map(async path => ({path, freeBytes: await host.files.freeBytes(path)})),
    );
}

async function readExtensions(host: Host): Promise<readonly ExtensionEntry[]> {
    const lists = await Promise.all(
        SEARCH_PATH.map(async directory => {
            const names = (await host.files.list(directory)).filter(
                name => !name.startsWith('.') && !name.endsWith('.v'),
            );
            return Promise.all(
                names.map(async name => ({
                    path: `${directory}/${name}`,
                    image: await host.files.resolve(`${directory}/${name}`),
                })),
            );
        }),
    );
    return lists.flat();
}

/** What only root may see is not there for others. */
async function whereReadable<T>(reading: Promise<T>, otherwise: T): Promise<T> {
    try {
        return await reading;
    } catch (error) {
        if (error instanceof SnowError && error.code === 'NotAuthorized') return otherwise;
        throw error;
    }
}
