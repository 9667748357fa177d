// SPDX-License-Identifier: GPL-2.0-or-later
// What a user chose, in $XDG_CONFIG_HOME/snow-control/broker.conf, section [Broker].

import {asSnowError} from '../host/errno.ts';
import type {Files} from '../host/host.ts';
import {type IniFile, parseBoolean, parseIni} from '../host/ini.ts';

export interface BrokerOptions {
    /** Enabled=: whether programs of the host may use the broker of the container at all. */
    readonly isEnabled: boolean;
    /** StartContainer=: whether a call starts the container that does not run. */
    readonly startsContainer: boolean;
    /** Sandboxed=: whether Flatpak and snap applications may, too. */
    readonly admitsSandboxed: boolean;
}

/** Of who has never said anything. */
export const defaultOptions: BrokerOptions = {
    isEnabled: false,
    startsContainer: false,
    admitsSandboxed: false,
};

const keys = {
    Enabled: 'isEnabled',
    StartContainer: 'startsContainer',
    Sandboxed: 'admitsSandboxed',
} as const satisfies Readonly<Record<string, keyof BrokerOptions>>;
const known = {Broker: new Set(Object.keys(keys))};

export interface ReadOptions {
    readonly options: BrokerOptions;
    /** One line each, of what in the file is none. */
    readonly faults: readonly string[];
}

/** Absolute. */
export function optionsPath(environment: Readonly<Record<string, string | undefined>>): string {
    const {XDG_CONFIG_HOME: config, HOME: home} = environment;
    const directory = config?.startsWith('/') ? config : `${home ?? ''}/.config`;
    return `${directory}/snow-control/broker.conf`;
}

/** A file that cannot be understood allows nothing. */
export async function readOptions(files: Files, path: string): Promise<ReadOptions> {
    try {
        const text = await files.readBytes(path);
        return text === null ? {options: defaultOptions, faults: []} : parseOptions(path, text);
    } catch (error) {
        return {
            options: defaultOptions,
            faults: [asSnowError(error, `Cannot read ${path}`).message],
        };
    }
}

export function parseOptions(path: string, text: Uint8Array): ReadOptions {
    let file: IniFile;
    try {
        file = parseIni(path, text, known);
    } catch (error) {
        return {options: defaultOptions, faults: [asSnowError(error, path).message]};
    }
    const options: Record<keyof BrokerOptions, boolean> = {...defaultOptions};
    const faults = [...file.faults, ...file.warnings];
    for (const {key, value, line} of file.assignments) {
        const name = keys[key as keyof typeof keys];
        const choice = value === '' ? defaultOptions[name] : parseBoolean(value);
        if (choice === null) faults.push(`${path}:${line}: ${key}= is yes or no`);
        options[name] = choice ?? false;
    }
    return {options, faults};
}

/** The file for these options. */
export function formatOptions(options: BrokerOptions): string {
    const lines = Object.entries(keys).map(
        ([key, name]) => `${key}=${options[name] ? 'yes' : 'no'}`,
    );
    return `# Single sign-on for programs of the host, from the Intune container.\n[Broker]\n${lines.join('\n')}\n`;
}
