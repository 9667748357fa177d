// SPDX-License-Identifier: GPL-2.0-or-later
// What nbc has its boot loaders start. For systemd-boot it writes two entries, for GRUB a file with
// two: the slot that was written last, which is the default, and the other one, "(Previous)".

import type {Host} from '../../host/host.ts';

export type BootLoader = 'systemd-boot' | 'grub';

export interface BootMenu {
    readonly loader: BootLoader;
    /** root= of the entry of the slot that was written last. */
    readonly main: string;
    /** root= of the other slot's; null: it has none yet. */
    readonly previous: string | null;
    /** Whether the entry of the other slot is what the next boot starts. */
    readonly isPreviousNext: boolean;
}

export const MAIN_ENTRY = 'bootc.conf';
export const PREVIOUS_ENTRY = 'bootc-previous.conf';

const ENTRIES = '/boot/loader/entries';
const GRUB_CONFIGURATIONS = ['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg'];
const CMDLINE = '/proc/cmdline';

/** Of systemd-boot(7): what it was told to start, over what its configuration says. */
const VARIABLES = ['LoaderEntryOneShot', 'LoaderEntryDefault'].map(
    name => `/sys/firmware/efi/efivars/${name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f`,
);

/** Null: there is none that nbc wrote, or it cannot be read. */
export async function readBootMenu(host: Host): Promise<BootMenu | null> {
    return (await readSystemdBoot(host)) ?? (await readGrub(host));
}

/** root= of the running system, in the form in which the entries have it. */
export async function readBootedRoot(host: Host): Promise<string | null> {
    return rootOf((await host.files.readText(CMDLINE)) ?? '');
}

/** What the next boot starts. */
export function nextRoot({main, previous, isPreviousNext}: BootMenu): string {
    return isPreviousNext && previous !== null ? previous : main;
}

async function readSystemdBoot(host: Host): Promise<BootMenu | null> {
    const [main, previous] = await Promise.all(
        [MAIN_ENTRY, PREVIOUS_ENTRY].map(async name => {
            const entry = await host.files.readText(`${ENTRIES}/${name}`);
            return entry === null ? null : parseEntry(entry);
        }),
    );
    if (main === undefined || main === null) return null;
    const chosen = await readChosenEntry(host);
    return {
        loader: 'systemd-boot',
        main,
        previous: previous ?? null,
        isPreviousNext: chosen === PREVIOUS_ENTRY,
    };
}

/** Options of the entry, see the Boot Loader Specification. */
export function parseEntry(text: string): string | null {
    const options = text.split('\n').flatMap(line => {
        const [, value = ''] = /^options\s+(.*)$/.exec(line.trim()) ?? [];
        return value === '' ? [] : [value];
    });
    return rootOf(options.join(' '));
}

async function readGrub(host: Host): Promise<BootMenu | null> {
    for (const path of GRUB_CONFIGURATIONS) {
        const text = await host.files.readText(path);
        const menu = text === null ? null : parseGrubConfiguration(text);
        if (menu) return menu;
    }
    return null;
}

/** Null: it is not one of nbc's. */
export function parseGrubConfiguration(text: string): BootMenu | null {
    const roots = text
        .split('\n')
        .filter(line => /^\s*linux\s/.test(line))
        .map(rootOf);
    const [main = null, previous = null] = roots;
    if (main === null || roots.length > 2) return null;
    const chosen = /^\s*set\s+default=["']?(\d+)/m.exec(text)?.[1];
    return {loader: 'grub', main, previous, isPreviousNext: chosen === '1'};
}

async function readChosenEntry(host: Host): Promise<string | null> {
    for (const path of VARIABLES) {
        const bytes = await host.files.readBytes(path, 4096);
        const entry = bytes && parseVariable(bytes);
        if (entry) return entry;
    }
    return null;
}

/** A string of UTF-16 after four bytes of attributes. */
export function parseVariable(bytes: Buffer): string {
    return bytes.subarray(4).toString('utf16le').replace(/\0.*$/s, '').toLowerCase();
}

function rootOf(cmdline: string): string | null {
    return /(?:^|\s)root=(\S{1,256})/.exec(cmdline)?.[1] ?? null;
}
