// SPDX-License-Identifier: GPL-2.0-or-later
// The match patterns of sysupdate.d(5): file names with `@` fields.

import {SnowError} from '../host/error.ts';
import type {Compression} from '../host/host.ts';
import {isVersion} from '../host/versions.ts';

/** The letter after the `@`. */
export type PatternField = 'v' | 'u' | 'f' | 'a' | 'g' | 'r' | 't' | 'm' | 's' | 'd' | 'l' | 'h';

export type PatternPart =
    | {readonly kind: 'literal'; readonly text: string}
    | {readonly kind: 'field'; readonly field: PatternField};

export interface Pattern {
    /** As it was written, with specifiers expanded. */
    readonly text: string;
    /** A literal stands between any two fields. */
    readonly parts: readonly PatternPart[];
}

/** By the letter of the field, in the one spelling that formatPattern() writes. */
export type PatternFields = Readonly<Record<string, string>>;

export interface PatternMatch {
    readonly pattern: Pattern;
    readonly version: string;
    /** All but `@v`. */
    readonly fields: PatternFields;
}

const MAX_NAME = 255;

/**
 * Reads a pattern, with its specifiers already expanded. Only patterns of file names are supported:
 * no subdirectories.
 *
 * Throws SnowError Failed: an unknown field, one given twice, no `@v`, two fields without text
 * between them, a character that is not allowed.
 */
export function parsePattern(text: string): Pattern {
    const refuse = (why: string): SnowError =>
        new SnowError('Failed', `The pattern ${JSON.stringify(text)} ${why}`);
    if (text.length > MAX_NAME) throw refuse('is too long');
    const parts: PatternPart[] = [];
    const seen = new Set<string>();
    let literal = '';
    for (let index = 0; index < text.length; index++) {
        const character = text.charAt(index);
        if (character !== '@' || text.charAt(index + 1) === '@') {
            if (character === '/') throw refuse('leads into a directory; only names are supported');
            if (!LITERAL.test(character)) throw refuse('has a character that is not allowed');
            if (character === '@') index++;
            literal += character;
            continue;
        }
        const letter = text.charAt(++index);
        if (!isField(letter)) throw refuse(`has an unknown field @${letter}`);
        if (seen.has(letter)) throw refuse(`has @${letter} twice`);
        if (literal === '' && seen.size > 0) throw refuse('has two fields with nothing between');
        seen.add(letter);
        if (literal !== '') parts.push({kind: 'literal', text: literal});
        literal = '';
        parts.push({kind: 'field', field: letter});
    }
    if (literal !== '') parts.push({kind: 'literal', text: literal});
    if (!seen.has('v')) throw refuse('lacks @v');
    return {text, parts};
}

/**
 * The fields of a file name; null: it does not match. A field ends where the text after it first
 * occurs, as in systemd. Never matches what could lead to another directory.
 */
export function matchPattern(pattern: Pattern, name: string): PatternMatch | null {
    if (!isPlainName(name)) return null;
    let version = '';
    const fields: Record<string, string> = {};
    let rest = name;
    for (const [index, part] of pattern.parts.entries()) {
        if (part.kind === 'literal') {
            if (!rest.startsWith(part.text)) return null;
            rest = rest.slice(part.text.length);
            continue;
        }
        const next = pattern.parts[index + 1];
        const end = next?.kind === 'literal' ? rest.indexOf(next.text) : rest.length;
        if (end < 0) return null;
        const value = canonical[part.field](rest.slice(0, end));
        if (value === null) return null;
        if (part.field === 'v') version = value;
        else fields[part.field] = value;
        rest = rest.slice(end);
    }
    return rest === '' ? {pattern, version, fields} : null;
}

/** The first pattern that matches decides. */
export function matchPatterns(patterns: readonly Pattern[], name: string): PatternMatch | null {
    for (const pattern of patterns) {
        const match = matchPattern(pattern, name);
        if (match) return match;
    }
    return null;
}

/**
 * The file name with these fields, `v` among them. Throws SnowError Failed when a field has no
 * value, or none that fits.
 */
export function formatPattern(pattern: Pattern, fields: PatternFields): string {
    const refuse = (why: string): SnowError =>
        new SnowError('Failed', `No file name from the pattern ${pattern.text}: ${why}`);
    const name = pattern.parts
        .map(part => {
            if (part.kind === 'literal') return part.text;
            const given = fields[part.field];
            if (given === undefined) throw refuse(`@${part.field} has no value`);
            const value = canonical[part.field](given);
            if (value === null) throw refuse(`${JSON.stringify(given)} is no @${part.field}`);
            return value;
        })
        .join('');
    if (!isPlainName(name)) throw refuse(`${JSON.stringify(name)} is no file name`);
    return name;
}

/**
 * The pattern that names installed images: the first one of an uncompressed image, else the first
 * one without its suffix. A transfer has at least one target pattern.
 */
export function imageTargetPattern(patterns: readonly Pattern[]): Pattern {
    const plain = patterns.find(({text}) => compressionOf(text) === 'none');
    if (plain) return plain;
    const [first] = patterns;
    if (!first) throw new SnowError('Failed', 'There is no target pattern');
    return parsePattern(first.text.replace(COMPRESSED, ''));
}

/** How a file of that name, or of a pattern that ends so, is compressed. */
export function compressionOf(name: string): Compression {
    const suffix = COMPRESSED.exec(name)?.[1];
    return suffix === undefined ? 'none' : suffix === 'zstd' ? 'zst' : (suffix as Compression);
}

const COMPRESSED = /\.(zst|zstd|xz|gz|bz2)$/;

/** A file name that leads nowhere else, in printable ASCII. */
export function isPlainName(name: string): boolean {
    return /^[\x20-\x7e]{1,255}$/.test(name) && !/[/\\]|\.\./.test(name) && name !== '.';
}

/** Printable ASCII but for `!`, `$`, `*`, `?`, `[`, `\`, `]` and `|`, kept for pattern languages to come. */
const LITERAL = /^[ "#%-)+->@-Z^-{}~]$/;

function isField(letter: string): letter is PatternField {
    return Object.hasOwn(canonical, letter);
}

/** The one spelling of a field's value; null: not a value of that field. */
const canonical: Readonly<Record<PatternField, (text: string) => string | null>> = {
    v: text => (isVersion(text) ? text : null),
    u: text =>
        /^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i.test(text)
            ? text.replaceAll('-', '').toLowerCase()
            : null,
    f: text =>
        /^(0x)?[0-9a-f]{1,16}$/i.test(text)
            ? BigInt(`0x${text.replace(/^0x/i, '')}`).toString(16)
            : null,
    a: flag,
    g: flag,
    r: flag,
    t: decimal,
    m: mode,
    s: decimal,
    d: decimal,
    l: decimal,
    h: text => (/^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : null),
};

function flag(text: string): string | null {
    return text === '0' || text === '1' ? text : null;
}

/** The largest 64-bit number stands for "none" in systemd. */
function decimal(text: string): string | null {
    return /^(0|[1-9][0-9]{0,19})$/.test(text) && BigInt(text) < 0xffff_ffff_ffff_ffffn
        ? text
        : null;
}

/** Neither writable for everyone nor set-user-ID. */
function mode(text: string): string | null {
    if (!/^[0-7]{1,5}$/.test(text)) return null;
    const bits = parseInt(text, 8);
    return (bits & ~0o775) === 0 ? bits.toString(8).padStart(3, '0') : null;
}
