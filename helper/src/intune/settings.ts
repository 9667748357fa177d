// SPDX-License-Identifier: GPL-2.0-or-later
// Settings of containers: what is built in, then the administrator's file, then what a user changed.
//
//     [Intune]                              for everybody, unless they changed it
//     Channel=stable                        or insiders
//     Autostart=no Gpu=yes Nvidia=yes X11=yes Audio=yes SmartCards=yes
//     Cameras=allow SecurityKeys=allow ListedDevices=allow         or ask, never
//     MemoryMax= CPUQuota= TasksMax=        as systemd.resource-control(5); empty: no limit
//
//     [Images]                              of the administrator's file only
//     Stable=ghcr.io/frostyard/ubuntu-intune:latest
//     Insiders=ghcr.io/frostyard/ubuntu-intune:insiders
//     Allow=ghcr.io/example/*               references that Init and Recreate take, with * for anything
//
// A line that is wrong counts for nothing, and is named.

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {type IniAssignment, type IniKeys, excerpt, parseBoolean, parseIni} from '../host/ini.ts';
import {parseReference} from '../host/image-reference.ts';
import {type Channel, type Settings, stateDirectory} from './model.ts';

export const ADMINISTRATION = '/etc/snow-control/intune.conf';

export interface Administration {
    readonly settings: Settings;
    /** References by channel. */
    readonly images: Readonly<Record<Settings['channel'], string>>;
    /** Patterns of further references, with * for anything. */
    readonly allowed: readonly string[];
    /** `PATH:LINE: ...` of what is wrong. */
    readonly problems: readonly string[];
}

const presets: Settings = {
    channel: 'stable',
    autostart: false,
    gpu: true,
    nvidia: true,
    x11: true,
    audio: true,
    smartCards: true,
    cameras: 'allow',
    securityKeys: 'allow',
    listedDevices: 'allow',
    memoryMax: '',
    cpuQuota: '',
    tasksMax: '',
};

const presetImages = {
    stable: 'ghcr.io/frostyard/ubuntu-intune:latest',
    insiders: 'ghcr.io/frostyard/ubuntu-intune:insiders',
} as const;

type Key = keyof Settings;

/** Names of a setting in files, and on the bus. */
const names: Readonly<Record<Key, readonly [file: string, bus: string]>> = {
    channel: ['Channel', 'channel'],
    autostart: ['Autostart', 'autostart'],
    gpu: ['Gpu', 'gpu'],
    nvidia: ['Nvidia', 'nvidia'],
    x11: ['X11', 'x11'],
    audio: ['Audio', 'audio'],
    smartCards: ['SmartCards', 'smart-cards'],
    cameras: ['Cameras', 'cameras'],
    securityKeys: ['SecurityKeys', 'security-keys'],
    listedDevices: ['ListedDevices', 'listed-devices'],
    memoryMax: ['MemoryMax', 'memory-max'],
    cpuQuota: ['CPUQuota', 'cpu-quota'],
    tasksMax: ['TasksMax', 'tasks-max'],
};
const keys = Object.keys(names) as Key[];

const OWN_KEYS: IniKeys = {Intune: new Set(keys.map(key => names[key][0]))};
const ALL_KEYS: IniKeys = {...OWN_KEYS, Images: new Set(['Stable', 'Insiders', 'Allow'])};

const DEVICE_POLICY = /^(allow|ask|never)$/;

/** What a text has to be; limits, as systemd.resource-control(5) takes them, may be empty, too. */
const grammars: Partial<Record<Key, RegExp>> = {
    cameras: DEVICE_POLICY,
    securityKeys: DEVICE_POLICY,
    listedDevices: DEVICE_POLICY,
    memoryMax: /^(|[1-9]\d{0,15}[KMGT]?|(100|[1-9]\d?)%|infinity)$/,
    cpuQuota: /^(|[1-9]\d{0,5}%)$/,
    tasksMax: /^(|[1-9]\d{0,9}|(100|[1-9]\d?)%|infinity)$/,
};
const grammarTexts: Partial<Record<Key, string>> = {
    cameras: 'allow, ask or never',
    securityKeys: 'allow, ask or never',
    listedDevices: 'allow, ask or never',
    memoryMax: 'bytes, with K, M, G or T, or a percentage',
    cpuQuota: 'a percentage',
    tasksMax: 'a number or a percentage',
};

function userPath(uid: number): string {
    return `${stateDirectory(uid)}/settings.conf`;
}

/** What counts for everybody. */
export async function readAdministration(host: Host): Promise<Administration> {
    const {assignments, problems} = await readFile(host, ADMINISTRATION, ALL_KEYS);
    let images: Administration['images'] = presetImages;
    const allowed: string[] = [];
    for (const assignment of assignments.filter(one => one.section === 'Images')) {
        const {key, value, line} = assignment;
        try {
            if (key === 'Allow') {
                allowed.push(...value.split(/\s+/).filter(word => word !== ''));
                continue;
            }
            parseReference(value);
            images = {...images, [key === 'Stable' ? 'stable' : 'insiders']: value};
        } catch (error) {
            if (!(error instanceof SnowError)) throw error;
            problems.push(`${ADMINISTRATION}:${line}: ${error.message}`);
        }
    }
    const settings = applied(presets, ADMINISTRATION, assignments, problems);
    return {settings, images, allowed, problems};
}

/** What counts for a user. */
export async function readSettings(
    host: Host,
    uid: number,
): Promise<Administration & {readonly settings: Settings}> {
    const administration = await readAdministration(host);
    const path = userPath(uid);
    const {assignments, problems} = await readFile(host, path, OWN_KEYS);
    const settings = applied(administration.settings, path, assignments, problems);
    return {...administration, settings, problems: [...administration.problems, ...problems]};
}

/** Keeps what differs from what counts for everybody. */
export async function writeSettings(host: Host, uid: number, settings: Settings): Promise<void> {
    const {settings: common} = await readAdministration(host);
    const lines = keys
        .filter(key => settings[key] !== common[key])
        .map(key => `${names[key][0]}=${formatValue(settings[key])}\n`);
    await host.files.writeWhole(userPath(uid), `[Intune]\n${lines.join('')}`, 0o600);
}

export async function removeSettings(host: Host, uid: number): Promise<void> {
    await host.files.remove(userPath(uid));
}

/** What there is to be set, as on the bus, with what is built in. */
export function presetSettings(): Readonly<Record<string, string | boolean>> {
    return describeSettings(presets);
}

/** As on the bus. */
export function describeSettings(settings: Settings): Readonly<Record<string, string | boolean>> {
    return Object.fromEntries(keys.map(key => [names[key][1], settings[key]]));
}

/** Settings with what a caller changes. Throws SnowError InvalidArgs. */
export function changedSettings(
    settings: Settings,
    changes: Readonly<Record<string, unknown>>,
): Settings {
    let changed = settings;
    for (const [name, value] of Object.entries(changes)) {
        const key = keys.find(one => names[one][1] === name);
        if (!key) throw new SnowError('InvalidArgs', `There is no setting ${excerpt(name)}`);
        if (typeof value !== typeof presets[key])
            throw new SnowError('InvalidArgs', `${name} takes a ${typeof presets[key]}`);
        const problem = typeof value === 'string' ? valueProblem(key, value) : null;
        if (problem !== null) throw new SnowError('InvalidArgs', `${name} ${problem}`);
        changed = {...changed, [key]: value};
    }
    return changed;
}

/** The image that is wanted: of a channel, or by its reference. Throws SnowError InvalidArgs, NotAuthorized. */
export function chooseImage(
    {images, allowed, settings}: Administration,
    {channel, image}: {readonly channel: string; readonly image: string},
): {readonly channel: Channel; readonly image: string} {
    if (channel !== '' && image !== '')
        throw new SnowError('InvalidArgs', 'Either a channel or an image is to be given');
    if (image !== '') {
        parseReference(image);
        const known = Object.entries(images).find(([, reference]) => reference === image);
        if (known) return {channel: known[0] as Channel, image};
        if (!allowed.some(pattern => matchesPattern(pattern, image)))
            throw new SnowError(
                'NotAuthorized',
                `${image} is not allowed; an administrator may add it to Allow= in ${ADMINISTRATION}`,
            );
        return {channel: 'custom', image};
    }
    const name = channel === '' ? settings.channel : channel;
    if (name !== 'stable' && name !== 'insiders')
        throw new SnowError('InvalidArgs', 'The channel is stable or insiders');
    return {channel: name, image: images[name]};
}

function matchesPattern(pattern: string, text: string): boolean {
    const parts = pattern.split('*').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`).test(text);
}

async function readFile(
    host: Host,
    path: string,
    known: IniKeys,
): Promise<{readonly assignments: readonly IniAssignment[]; readonly problems: string[]}> {
    try {
        const content = await host.files.readBytes(path);
        if (!content) return {assignments: [], problems: []};
        const {assignments, faults, warnings} = parseIni(path, content, known);
        return {assignments, problems: [...faults, ...warnings]};
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        return {assignments: [], problems: [error.message]};
    }
}

function applied(
    before: Settings,
    path: string,
    assignments: readonly IniAssignment[],
    problems: string[],
): Settings {
    let settings = before;
    for (const {section, key: name, value, line} of assignments) {
        const key = keys.find(one => names[one][0] === name);
        if (section !== 'Intune' || !key) continue;
        const isSwitch = typeof presets[key] === 'boolean';
        const flag = isSwitch ? parseBoolean(value) : null;
        const problem = isSwitch
            ? flag === null
                ? 'takes yes or no'
                : null
            : valueProblem(key, value);
        if (problem === null) settings = {...settings, [key]: isSwitch ? flag : value};
        else problems.push(`${path}:${line}: ${name}= ${problem}, not ${excerpt(value)}`);
    }
    return settings;
}

/** Null: it is fine. */
function valueProblem(key: Key, value: string): string | null {
    if (key === 'channel')
        return value === 'stable' || value === 'insiders' ? null : 'takes stable or insiders';
    const grammar = grammars[key];
    if (!grammar || grammar.test(value)) return null;
    return `takes ${grammarTexts[key] ?? 'another value'}`;
}

function formatValue(value: string | boolean): string {
    return typeof value === 'string' ? value : value ? 'yes' : 'no';
}
