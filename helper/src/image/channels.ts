// SPDX-License-Identifier: GPL-2.0-or-later
// The images that a machine may be switched to by a name: channels.d/*.conf.
//
//     [Channel]
//     Name=snowfield                      what Switch takes; letters, digits, "._-"
//     Title=Snowfield                     for a person
//     Image=ghcr.io/frostyard/snowfield:latest
//     Description=With the kernel for Microsoft Surface
//     Drivers=bootc nbc                   who can start it; not given: everyone
//     Hardware=Surface*                   patterns of a shell, each word one, quoted where it has
//                                         spaces; one has to match the vendor, the product's name or
//                                         its family as the firmware tells; not given: any machine
//     NativeChannel=snowfield-ab          the same on native A/B
//
// Name, Title and Image must be there, and none of the keys twice. A file that is wrong hides its own
// channel only.

import {byBytes, listAll, readFirst} from '../host/config-files.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {parseReference} from '../host/image-reference.ts';
import {type IniFile, type IniKeys, excerpt, parseIni, splitWords} from '../host/ini.ts';
import {type DriverName, driverNames} from './model.ts';
import {isSameReference} from './references.ts';

/** From the first that counts to the last. */
const DIRECTORIES = ['/etc', '/run', '/usr/lib'].map(base => `${base}/snow-control/channels.d`);
const SUFFIX = '.conf';

const KEYS = [
    'Name',
    'Title',
    'Description',
    'Image',
    'Drivers',
    'Hardware',
    'NativeChannel',
] as const;
type Key = (typeof KEYS)[number];
const KNOWN: IniKeys = {Channel: new Set(KEYS)};

const MAX_TEXT = 200;

export interface Channel {
    readonly name: string;
    readonly title: string;
    readonly description: string;
    /** The reference of the image. */
    readonly image: string;
    /** Its name on native A/B; null: it is not there. */
    readonly nativeChannel: string | null;
    /** Null: any. */
    readonly drivers: readonly DriverName[] | null;
    /** Patterns of a shell; null: any machine. */
    readonly hardware: readonly string[] | null;
}

export interface Channels {
    /** In the order of their files' names. */
    readonly channels: readonly Channel[];
    /** `PATH:LINE: ...` of what hides a channel. */
    readonly problems: readonly string[];
}

/** A channel as it is offered on this machine. */
export interface OfferedChannel {
    readonly name: string;
    readonly title: string;
    readonly description: string;
    readonly image: string;
    readonly isFollowed: boolean;
}

/** Reads every channel of the machine. Never throws because of one of the files. */
export async function readChannels(host: Host): Promise<Channels> {
    const listings = await listAll(host, DIRECTORIES);
    const names = new Set(
        listings.flatMap(({names: found}) => found.filter(name => name.endsWith(SUFFIX))),
    );
    const channels: Channel[] = [];
    const problems: string[] = [];
    const paths = new Map<string, string>();
    for (const fileName of [...names].sort(byBytes)) {
        const {file, maskedBy, problems: unreadable} = await readFirst(host, listings, fileName);
        problems.push(...unreadable);
        if (file === null || maskedBy !== null || unreadable.length > 0) continue;
        try {
            const channel = parseChannel(file.path, file.content);
            const other = paths.get(channel.name);
            if (other !== undefined)
                throw fault(file.path, `${other} is the channel ${channel.name} already`);
            paths.set(channel.name, file.path);
            channels.push(channel);
        } catch (error) {
            if (!(error instanceof SnowError)) throw error;
            problems.push(error.message);
        }
    }
    return {channels, problems};
}

/** One file. Throws SnowError Failed that names it, and the line. */
export function parseChannel(path: string, content: Uint8Array): Channel {
    const settings = parseSettings(parseIni(path, content, KNOWN));
    const read = <T>(key: Key, parse: (value: string) => T | null, wanted: string): T => {
        const setting = settings.get(key);
        if (!setting) throw fault(path, `[Channel] has no ${key}=`);
        const value = parse(setting.value);
        if (value === null)
            throw fault(`${path}:${setting.line}`, `${key}=${excerpt(setting.value)} ${wanted}`);
        return value;
    };
    const readOptional = <T>(
        key: Key,
        parse: (value: string) => T | null,
        wanted: string,
    ): T | null => (settings.get(key)?.value ? read(key, parse, wanted) : null);

    return {
        name: read('Name', matching(CHANNEL_NAME), 'is no name: letters, digits, "._-"'),
        title: read('Title', parseText, 'is no text of one line'),
        description: readOptional('Description', parseText, 'is no text of one line') ?? '',
        image: read('Image', parseImage, 'is no reference of an image'),
        nativeChannel: readOptional('NativeChannel', matching(CHANNEL_NAME), 'is no channel'),
        drivers: readOptional('Drivers', parseDrivers, `is not among ${driverNames.join(', ')}`),
        hardware: readOptional('Hardware', parseWords, 'has a quote that is not closed'),
    };
}

/**
 * The channels that are for this machine, with the one that is followed, which is in the list in
 * any case.
 *
 * @param followed reference, or native channel
 * @param canSwitch without it the followed one is all there is to show
 */
export async function offeredChannels(
    host: Host,
    channels: readonly Channel[],
    driver: DriverName,
    followed: string,
    canSwitch: boolean,
): Promise<readonly OfferedChannel[]> {
    const names = await hardwareNames(host);
    const offered = channels.flatMap((channel): readonly OfferedChannel[] => {
        const image = driver === 'native' ? channel.nativeChannel : channel.image;
        if (image === null) return [];
        const isFollowed = isSameReference(image, followed);
        const isOffered = canSwitch && isFor(channel, driver, names);
        if (!isFollowed && !isOffered) return [];
        const {name, title, description} = channel;
        return [{name, title, description, image, isFollowed}];
    });
    if (followed === '' || offered.some(({isFollowed}) => isFollowed)) return offered;
    const unnamed = {name: followed, title: followed, description: '', image: followed};
    return [...offered, {...unnamed, isFollowed: true}];
}

/** Whether a channel's name is one; also those that no file has. */
export const CHANNEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

function isFor(channel: Channel, driver: DriverName, names: readonly string[]): boolean {
    if (channel.drivers !== null && !channel.drivers.includes(driver)) return false;
    if (channel.hardware === null) return true;
    return channel.hardware.some(pattern => names.some(name => matches(pattern, name)));
}

/** What the firmware says that this machine is. */
async function hardwareNames(host: Host): Promise<readonly string[]> {
    const files = ['sys_vendor', 'product_name', 'product_family'];
    const texts = await Promise.all(
        // There is none in a container, and on machines without such firmware.
        files.map(name => host.files.readText(`/sys/class/dmi/id/${name}`).catch(() => null)),
    );
    return texts.flatMap(text => (text?.trim() ? [text.trim()] : []));
}

/** Whether a name is one that a pattern of a shell means: `*`, `?`, and nothing else; the case is the same. */
export function matches(pattern: string, name: string): boolean {
    const parts = [...pattern.toLowerCase()];
    const characters = [...name.toLowerCase()];
    // How far back the last star may still reach: no recursion, no more than the product of both.
    let star = -1;
    let starAt = 0;
    let part = 0;
    let at = 0;
    while (at < characters.length) {
        if (parts[part] === '*') {
            star = part++;
            starAt = at;
        } else if (part < parts.length && (parts[part] === '?' || parts[part] === characters[at])) {
            part++;
            at++;
        } else if (star >= 0) {
            part = star + 1;
            at = ++starAt;
        } else {
            return false;
        }
    }
    return parts.slice(part).every(character => character === '*');
}

interface Setting {
    readonly value: string;
    readonly line: number;
}

/** Throws SnowError Failed for what is no setting, and for one that is there twice. */
function parseSettings({path, assignments, faults}: IniFile): ReadonlyMap<Key, Setting> {
    const [broken] = faults;
    if (broken !== undefined) throw new SnowError('Failed', broken);
    const settings = new Map<Key, Setting>();
    for (const {key, value, line} of assignments) {
        const name = KEYS.find(known => known === key);
        if (name === undefined) continue;
        const before = settings.get(name);
        if (before) throw fault(`${path}:${line}`, `${key}= is in line ${before.line} already`);
        settings.set(name, {value, line});
    }
    return settings;
}

function matching(grammar: RegExp): (value: string) => string | null {
    return value => (grammar.test(value) ? value : null);
}

function parseText(value: string): string | null {
    // eslint-disable-next-line no-control-regex
    return value !== '' && value.length <= MAX_TEXT && !/[\x00-\x1f\x7f-\x9f]/.test(value)
        ? value
        : null;
}

function parseImage(value: string): string | null {
    try {
        parseReference(value);
        return value;
    } catch (error) {
        if (error instanceof SnowError) return null;
        throw error;
    }
}

function parseDrivers(value: string): readonly DriverName[] | null {
    const words = splitWords(value) ?? [''];
    const found = words.flatMap(word => driverNames.filter(name => name === word));
    return found.length === words.length ? found : null;
}

function parseWords(value: string): readonly string[] | null {
    return splitWords(value);
}

function fault(where: string, text: string): SnowError {
    return new SnowError('Failed', `${where}: ${text}`);
}
