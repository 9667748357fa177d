// SPDX-License-Identifier: GPL-2.0-or-later
// Reading JSON that another program wrote. An importer takes a value as it was parsed, and returns
// what it means or throws SnowError Failed, whose text names the program and the field that is wrong:
// "bootc printed what cannot be understood: status.booted.image.imageDigest is no string".
//
// How deep a value may be nested follows from the importer, which never looks at a field that it does
// not know: newer programs may add some.

import {SnowError} from './error.ts';

/** A value on its way in, and where it was found. */
export interface Found {
    readonly value: unknown;
    readonly place: Place;
}

interface Place {
    /** Whose output this is, as the message begins. */
    readonly source: string;
    readonly parent: Place | null;
    readonly key: string | number;
}

export type Importer<T> = (found: Found) => T;

/** What an importer returns. */
export type Imported<I> = I extends Importer<infer T> ? T : never;

export interface ImportOptions {
    /** Characters; default 4 Mi. */
    readonly maxLength?: number;
}

const MAX_LENGTH = 4 * 1024 * 1024;
const MAX_ITEMS = 10_000;
const MAX_PATH = 200;

/**
 * Reads one JSON document.
 *
 * @param source whose it is, for the message: the name of a program or the path of a file
 */
export function importJson<T>(
    source: string,
    text: string,
    importer: Importer<T>,
    {maxLength = MAX_LENGTH}: ImportOptions = {},
): T {
    if (text.length > maxLength)
        throw unreadable(source, `more than ${maxLength} characters of JSON`);
    let value: unknown;
    try {
        value = JSON.parse(text);
    } catch {
        throw unreadable(source, text.trim() === '' ? 'nothing at all' : 'it is no JSON');
    }
    return importValue(source, value, importer);
}

/** Reads what was parsed before. */
export function importValue<T>(source: string, value: unknown, importer: Importer<T>): T {
    return importer({value, place: {source, parent: null, key: ''}});
}

export const string: Importer<string> = found =>
    typeof found.value === 'string' ? found.value : refuse(found, 'is no string');

export const boolean: Importer<boolean> = found =>
    typeof found.value === 'boolean' ? found.value : refuse(found, 'is no boolean');

export const number: Importer<number> = found =>
    typeof found.value === 'number' && Number.isFinite(found.value)
        ? found.value
        : refuse(found, 'is no number');

/** A number of things: whole and not negative. */
export const count: Importer<number> = found =>
    typeof found.value === 'number' && Number.isSafeInteger(found.value) && found.value >= 0
        ? found.value
        : refuse(found, 'is no whole number from 0 on');

/** A string that can be shown in a line: no control characters, and at most 4096 of others. */
export const line: Importer<string> = found =>
    // eslint-disable-next-line no-control-regex
    /^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,4096}$/.test(string(found))
        ? string(found)
        : refuse(found, 'is no text of one line');

/** Of a manifest or a layer: sha256 or sha512 in lower case. */
export const digest: Importer<string> = found =>
    DIGEST.test(string(found)) ? string(found) : refuse(found, 'is no digest');

/** A time stamp of RFC 3339, as seconds since 1970. */
export const timestamp: Importer<number> = found => {
    const time = TIMESTAMP.test(string(found)) ? Date.parse(string(found)) : Number.NaN;
    return Number.isFinite(time) ? Math.floor(time / 1000) : refuse(found, 'is no time stamp');
};

export const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** One of some strings. */
export function oneOf<const T extends string>(...known: readonly T[]): Importer<T> {
    return found =>
        known.find(one => one === found.value) ?? refuse(found, `is none of ${known.join(', ')}`);
}

/** A field that may be missing, or null: then the fallback, which is null unless it is given. */
export function optional<T>(importer: Importer<T>): Importer<T | null>;
export function optional<T, F>(importer: Importer<T>, fallback: F): Importer<T | F>;
export function optional<T, F>(
    importer: Importer<T>,
    fallback: F | null = null,
): Importer<T | F | null> {
    return found =>
        found.value === undefined || found.value === null ? fallback : importer(found);
}

/** A field that must be there, and may be null. */
export function nullable<T>(importer: Importer<T>): Importer<T | null> {
    return found => (found.value === null ? null : importer(found));
}

/** The empty string stands for nothing, as Go programs write it. */
export function emptyAsNull<T>(importer: Importer<T>): Importer<T | null> {
    return found => (found.value === '' ? null : importer(found));
}

export function array<T>(item: Importer<T>): Importer<readonly T[]> {
    return found => {
        const {value} = found;
        if (!Array.isArray(value)) return refuse(found, 'is no list');
        if (value.length > MAX_ITEMS) return refuse(found, `has more than ${MAX_ITEMS} entries`);
        return value.map((one: unknown, index) => item(below(found, index, one)));
    };
}

type Fields = Readonly<Record<string, Importer<unknown>>>;

/** Named fields, each by its importer. Those that have none are ignored. */
export function object<const F extends Fields>(
    fields: F,
): Importer<{readonly [K in keyof F]: Imported<F[K]>}> {
    const entries = Object.entries(fields);
    return found => {
        const own = ownFields(found);
        const result = entries.map(
            ([key, importer]) => [key, importer(below(found, key, own(key)))] as const,
        );
        // Each value is of its own importer, which fromEntries() cannot tell.
        return Object.fromEntries(result) as {readonly [K in keyof F]: Imported<F[K]>};
    };
}

/** Any names, all values of one kind. */
export function record<T>(item: Importer<T>): Importer<ReadonlyMap<string, T>> {
    return found => {
        const own = ownFields(found);
        const keys = Object.keys(found.value as object);
        if (keys.length > MAX_ITEMS) return refuse(found, `has more than ${MAX_ITEMS} entries`);
        return new Map(keys.map(key => [key, item(below(found, key, own(key)))]));
    };
}

/** What an importer returns, as something else. */
export function map<T, R>(importer: Importer<T>, convert: (value: T) => R): Importer<R> {
    return found => convert(importer(found));
}

/** Throws what is wrong with a value: "is no string". For importers of one's own. */
export function refuse({place}: Found, text: string): never {
    const path = pathOf(place);
    throw unreadable(place.source, path === '' ? `it ${text}` : `${path} ${text}`);
}

function below({place}: Found, key: string | number, value: unknown): Found {
    return {value, place: {source: place.source, parent: place, key}};
}

/** Fields by name, without what every object inherits: `__proto__` is a name like another. */
function ownFields(found: Found): (key: string) => unknown {
    const {value} = found;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
        return refuse(found, 'is no object');
    return key => (Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined);
}

function pathOf(place: Place): string {
    let path = '';
    for (let at = place; at.parent !== null; at = at.parent) path = `${segment(at.key)}${path}`;
    path = path.replace(/^\./, '');
    return path.length > MAX_PATH ? `…${path.slice(-MAX_PATH)}` : path;
}

function segment(key: string | number): string {
    if (typeof key === 'number') return `[${key}]`;
    return /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function unreadable(source: string, what: string): SnowError {
    return new SnowError('Failed', `${source} gave what cannot be understood: ${what}`);
}
