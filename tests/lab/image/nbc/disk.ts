// SPDX-License-Identifier: GPL-2.0-or-later
// What the stand-ins of nbc, of bootctl and of the firmware know of their machine. The slots are file
// systems in files, under the names of partitions, so that they are really mounted and written.
import {existsSync, mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';

export const CONFIG = '/etc/snow-stand-in/nbc.json';
export const FAULTS = '/etc/snow-stand-in/nbc-faults.json';
export const REGISTRY = '/etc/snow-stand-in/registry.json';
export const DISK = '/var/lib/snow-stand-in';
export const EFI_VARIABLES = '/sys/firmware/efi/efivars';
export const LOADER_GUID = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

export const DEVICE = '/dev/vda';
export const ROOTS = {A: `${DEVICE}2`, B: `${DEVICE}3`} as const;
export const VAR = `${DEVICE}4`;
export const UUIDS = {
    A: '0a0a0a0a-1111-4111-8111-0a0a0a0a0a0a',
    B: '0b0b0b0b-2222-4222-8222-0b0b0b0b0b0b',
} as const;
export type SlotName = keyof typeof ROOTS;

export interface Config {
    /** As `nbc --version` says it. */
    readonly version: string;
    readonly bootLoader: 'systemd-boot' | 'grub2';
    /** Milliseconds that each step takes. */
    readonly stepTime: number;
}

export const faultNames = [
    'silent-no-op',
    'nothing-staged',
    'lost-network',
    'huge-lines',
    'unknown-events',
    'missing-fields',
    'hang',
    'stubborn-hang',
    'crash-early',
    'crash-late',
    'no-space',
    'bad-signature',
    'no-such-image',
    'error-and-success',
    'garbage',
    'malformed-status',
    'other-image',
] as const;
export type FaultName = (typeof faultNames)[number];

export interface RegistryImage {
    readonly digest: string;
    readonly version: string;
    /** Lines of its os-release beside IMAGE_VERSION. */
    readonly release?: Readonly<Record<string, string>>;
}

export function readJson<T>(path: string, fallback: T): T {
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : fallback;
}

export function writeFile(path: string, text: string): void {
    mkdirSync(dirname(path), {recursive: true});
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
}

export function hasFault(name: FaultName): boolean {
    return readJson<readonly string[]>(FAULTS, []).includes(name);
}

/** What PRETTY_NAME and the like of an image are. */
export function osRelease({version, release}: RegistryImage): string {
    const fields = {
        ID: 'debian',
        VERSION_ID: '13',
        PRETTY_NAME: `Snow Linux ${version}`,
        IMAGE_ID: 'snow',
        IMAGE_VERSION: version,
        ...release,
    };
    return Object.entries(fields)
        .map(([key, value]) => `${key}="${value}"\n`)
        .join('');
}

/** The file of a variable of the firmware. */
export function variable(name: string): string {
    return `${EFI_VARIABLES}/${name}-${LOADER_GUID}`;
}

export function encodeVariable(value: string): Buffer {
    return Buffer.concat([Buffer.from([7, 0, 0, 0]), Buffer.from(`${value}\0`, 'utf16le')]);
}

export function decodeVariable(path: string): string {
    return existsSync(path)
        ? readFileSync(path).subarray(4).toString('utf16le').replace(/\0.*$/s, '')
        : '';
}
