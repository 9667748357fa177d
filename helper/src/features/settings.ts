// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {TextFile} from './definition-files.ts';
import {type IniKeys, excerpt, parseBoolean, parseIni} from '../host/ini.ts';
import type {MachineFacts} from './machine-facts.ts';
import {expandSpecifiers} from './specifiers.ts';

/** One assignment of a definition or its drop-ins. */
export interface Setting {
    readonly section: string;
    readonly key: string;
    readonly value: string;
    readonly path: string;
    /** `PATH:LINE`, for messages. */
    readonly where: string;
}

/** What a definition and its drop-ins say, and what is wrong with them, collected while they are read. */
export class Settings {
    /** In the order in which they apply. */
    readonly all: readonly Setting[];
    /** Why the definition cannot be used. */
    readonly faults: string[] = [];
    readonly warnings: string[] = [];
    readonly #facts: MachineFacts;

    /** A file that cannot be parsed is a fault; the others still count. */
    constructor(files: readonly TextFile[], known: IniKeys, facts: MachineFacts) {
        this.#facts = facts;
        const all: Setting[] = [];
        for (const {path, content} of files) {
            try {
                const {assignments, faults, warnings} = parseIni(path, content, known);
                this.faults.push(...faults);
                this.warnings.push(...warnings);
                for (const {section, key, value, line} of assignments)
                    all.push({section, key, value, path, where: `${path}:${line}`});
            } catch (error) {
                if (!(error instanceof SnowError)) throw error;
                this.faults.push(error.message);
            }
        }
        this.all = all;
    }

    /** The boolean, or `before` with a fault noted. */
    boolean<T>(setting: Setting, before: T): boolean | T {
        const value = parseBoolean(setting.value);
        if (value !== null) return value;
        this.fault(setting, 'is neither yes nor no');
        return before;
    }

    /** The text with its specifiers expanded; null, with a fault noted, when one cannot be. */
    expanded(setting: Setting, text = setting.value): string | null {
        try {
            return expandSpecifiers(text, this.#facts);
        } catch (error) {
            if (!(error instanceof SnowError)) throw error;
            this.faults.push(`${setting.where}: ${setting.key}=: ${error.message}`);
            return null;
        }
    }

    /** "PATH:LINE: KEY=VALUE is ..." */
    fault(setting: Setting, why: string): void {
        this.faults.push(sentence(setting, why));
    }

    warn(setting: Setting, why: string): void {
        this.warnings.push(sentence(setting, why));
    }
}

function sentence({where, key, value}: Setting, why: string): string {
    return `${where}: ${key}=${excerpt(value)} ${why}`;
}
