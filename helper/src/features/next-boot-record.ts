// SPDX-License-Identifier: GPL-2.0-or-later
// Which image of each extension is for which of the systems that this machine may boot. There is a
// record only while there is more than one such system, or something left of one that is gone.
import {isAbsolute} from 'node:path/posix';

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import type {Release} from '../host/os-release.ts';
import {STATE_DIRECTORY} from './transaction.ts';

export const NEXT_BOOT_RECORD = `${STATE_DIRECTORY}/next-boot.json`;

const FORMAT = 1;

export interface NextBootRecord {
    /** The system that the links are for. */
    readonly current: Release;
    /** Where the links are changed to; not null while, or because, that did not come to its end. */
    readonly switchingTo: Release | null;
    readonly systems: readonly KnownSystem[];
    /** Systems that are gone, and whose images can go. */
    readonly obsolete: readonly Release[];
    readonly extensions: readonly RecordedExtension[];
}

export interface KnownSystem {
    readonly release: Release;
    /** Staged for the next boot. */
    readonly isNext: boolean;
    /** Whether it may be booted also when nothing is staged: to go back to it. */
    readonly isKept: boolean;
    /** What is to be linked, by the name of the extension. */
    readonly images: Readonly<Record<string, string>>;
    /** Why a feature has no image, by its id. */
    readonly reasons: Readonly<Record<string, string>>;
}

/** An extension of an enabled feature. */
export interface RecordedExtension {
    /** Id of the feature. */
    readonly feature: string;
    readonly name: string;
    /** Links that choose its image; the first is that of systemd-sysext. */
    readonly links: readonly string[];
    readonly images: readonly RecordedImage[];
}

/** An image on disk, and what it says it is for. */
export interface RecordedImage {
    readonly path: string;
    readonly version: string;
    readonly release: Release;
}

/** What systemd-sysext compares, then what else the specifiers of definitions stand for. */
const COMPARED = ['ID', 'VERSION_ID', 'SYSEXT_LEVEL'];
const SPECIFIED = ['IMAGE_ID', 'IMAGE_VERSION', 'BUILD_ID', 'VARIANT_ID'];

/** Whether the same extensions fit both. */
export function isSameSystem(one: Release, other: Release): boolean {
    return COMPARED.every(field => (one[field] ?? '') === (other[field] ?? ''));
}

/** What is to be remembered of an os-release(5). */
export function essentialRelease(release: Release): Release {
    const found: Record<string, string> = {};
    for (const field of [...COMPARED, ...SPECIFIED]) {
        const value = release[field];
        if (value !== undefined) found[field] = value;
    }
    return found;
}

/** A record that knows one system. */
export function newRecord(running: Release): NextBootRecord {
    const current = essentialRelease(running);
    return {
        current,
        switchingTo: null,
        systems: [newSystem(current, {isKept: true})],
        obsolete: [],
        extensions: [],
    };
}

/** Whether there is something to be remembered. */
export function isNeeded({systems, obsolete, switchingTo}: NextBootRecord): boolean {
    return systems.length > 1 || obsolete.length > 0 || switchingTo !== null;
}

export function findSystem(record: NextBootRecord, release: Release): KnownSystem | null {
    return record.systems.find(system => isSameSystem(system.release, release)) ?? null;
}

/** Another system was staged for the next boot, in the place of what was. */
export function withNext(record: NextBootRecord, next: Release): NextBootRecord {
    const {systems, ...rest} = withoutNext(record, next);
    const release = essentialRelease(next);
    const known = systems.some(system => isSameSystem(system.release, next));
    return {
        ...rest,
        systems: known
            ? systems.map(system =>
                  isSameSystem(system.release, next) ? {...system, release, isNext: true} : system,
              )
            : [...systems, newSystem(release, {isNext: true})],
        obsolete: rest.obsolete.filter(gone => !isSameSystem(gone, next)),
    };
}

/** Nothing is staged any more; or something else, which is not forgotten when it is the same. */
export function withoutNext(record: NextBootRecord, unless: Release | null = null): NextBootRecord {
    const isGone = ({isNext, isKept, release}: KnownSystem): boolean =>
        isNext && !isKept && !(unless && isSameSystem(release, unless));
    return withoutSystems(
        {...record, systems: record.systems.map(system => ({...system, isNext: false}))},
        record.systems.filter(isGone).map(({release}) => release),
    );
}

/**
 * A system was booted. Where it is the one that was staged, the one before it is what can be gone
 * back to, and all others are gone.
 */
export function afterBoot(record: NextBootRecord, booted: Release): NextBootRecord {
    const previous = record.current;
    const wasStaged = findSystem(record, booted)?.isNext ?? false;
    const isGone = ({release}: KnownSystem): boolean =>
        wasStaged && !isSameSystem(release, booted) && !isSameSystem(release, previous);
    const gone = record.systems.filter(isGone).map(({release}) => release);
    const after = withCurrent(withoutSystems(record, gone), booted);
    return {
        ...after,
        systems: after.systems.map(system => ({...system, isNext: false, isKept: true})),
    };
}

/** The links are for another system now. */
export function withCurrent(record: NextBootRecord, running: Release): NextBootRecord {
    const current = essentialRelease(running);
    const systems = findSystem(record, current)
        ? record.systems
        : [...record.systems, newSystem(current, {isKept: true})];
    return {...record, current, switchingTo: null, systems};
}

/** Images of a system, and why some features have none, in the place of what was known. */
export function withImages(
    record: NextBootRecord,
    of: Release,
    images: KnownSystem['images'],
    reasons?: KnownSystem['reasons'],
): NextBootRecord {
    return {
        ...record,
        systems: record.systems.map(system =>
            isSameSystem(system.release, of)
                ? {...system, images, reasons: reasons ?? system.reasons}
                : system,
        ),
    };
}

/** A feature was turned off: no system is to have it. */
export function withoutFeature(record: NextBootRecord, id: string): NextBootRecord {
    const extensions = record.extensions.filter(({feature}) => feature !== id);
    // Features may share an extension.
    const left = new Set(extensions.map(({name}) => name));
    const names = new Set(record.extensions.map(({name}) => name).filter(name => !left.has(name)));
    return {
        ...record,
        extensions,
        systems: record.systems.map(system => ({
            ...system,
            images: without(system.images, name => names.has(name)),
            reasons: without(system.reasons, feature => feature === id),
        })),
    };
}

/** Images that one of the systems needs. */
export function neededImages(record: NextBootRecord | null): ReadonlySet<string> {
    return new Set(record?.systems.flatMap(({images}) => Object.values(images)));
}

/** Null: there is none. Throws SnowError WrongState when it cannot be understood. */
export async function readNextBootRecord(host: Host): Promise<NextBootRecord | null> {
    const text = await host.files.readText(NEXT_BOOT_RECORD);
    if (text === null) return null;
    const record = parseRecord(text);
    if (record) return record;
    throw new SnowError('WrongState', `${NEXT_BOOT_RECORD} is malformed`);
}

/** As readNextBootRecord(), where one that cannot be understood is as good as none. */
export async function readUsableRecord(host: Host): Promise<NextBootRecord | null> {
    const text = await host.files.readText(NEXT_BOOT_RECORD);
    return text === null ? null : parseRecord(text);
}

/** Writes it whole, or removes it when there is nothing to be remembered. */
export async function writeNextBootRecord(host: Host, record: NextBootRecord): Promise<void> {
    if (!isNeeded(record)) await host.files.remove(NEXT_BOOT_RECORD);
    else if ((await host.files.readText(NEXT_BOOT_RECORD)) !== recordText(record))
        await host.files.writeWhole(NEXT_BOOT_RECORD, recordText(record));
}

export function recordText(record: NextBootRecord): string {
    return `${JSON.stringify({format: FORMAT, ...record}, null, 2)}\n`;
}

function newSystem(
    release: Release,
    {isNext = false, isKept = false}: Partial<Pick<KnownSystem, 'isNext' | 'isKept'>>,
): KnownSystem {
    return {release, isNext, isKept, images: {}, reasons: {}};
}

function withoutSystems(record: NextBootRecord, gone: readonly Release[]): NextBootRecord {
    const isGone = (release: Release): boolean => gone.some(other => isSameSystem(other, release));
    return {
        ...record,
        systems: record.systems.filter(({release}) => !isGone(release)),
        obsolete: [...record.obsolete.filter(release => !isGone(release)), ...gone],
    };
}

function without<Value>(
    values: Readonly<Record<string, Value>>,
    isGone: (key: string) => boolean,
): Readonly<Record<string, Value>> {
    return Object.fromEntries(Object.entries(values).filter(([key]) => !isGone(key)));
}

function parseRecord(text: string): NextBootRecord | null {
    try {
        const value: unknown = JSON.parse(text);
        if (!isRecord(value) || value['format'] !== FORMAT) return null;
        if (!isNextBootRecord(value)) return null;
        const {current, switchingTo, systems, obsolete, extensions} = value;
        return {current, switchingTo, systems, obsolete, extensions};
    } catch {
        // Not JSON.
        return null;
    }
}

type Fields = Readonly<Record<string, unknown>>;

function isNextBootRecord(value: Fields): value is Fields & NextBootRecord {
    return (
        isTexts(value['current']) &&
        (value['switchingTo'] === null || isTexts(value['switchingTo'])) &&
        isListOf(value['systems'], isSystem) &&
        isListOf(value['obsolete'], isTexts) &&
        isListOf(value['extensions'], isExtension)
    );
}

function isSystem(value: unknown): boolean {
    return (
        isRecord(value) &&
        isTexts(value['release']) &&
        typeof value['isNext'] === 'boolean' &&
        typeof value['isKept'] === 'boolean' &&
        isTexts(value['images'], isPath) &&
        isTexts(value['reasons'])
    );
}

function isExtension(value: unknown): boolean {
    return (
        isRecord(value) &&
        typeof value['feature'] === 'string' &&
        typeof value['name'] === 'string' &&
        isListOf(value['links'], isPath) &&
        isListOf(value['images'], isImage)
    );
}

function isImage(value: unknown): boolean {
    return (
        isRecord(value) &&
        isPath(value['path']) &&
        typeof value['version'] === 'string' &&
        isTexts(value['release'])
    );
}

function isRecord(value: unknown): value is Fields {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown, isText: (item: unknown) => boolean = isString): boolean {
    return isRecord(value) && Object.values(value).every(isText);
}

function isString(value: unknown): boolean {
    return typeof value === 'string';
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
    return Array.isArray(value) && value.every(item => isItem(item));
}

function isPath(value: unknown): boolean {
    return (
        typeof value === 'string' &&
        isAbsolute(value) &&
        !value.includes('\0') &&
        !value.split('/').includes('..')
    );
}
