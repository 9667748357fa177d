// SPDX-License-Identifier: GPL-2.0-or-later
// systemd's syntax of configuration files (systemd.syntax(7)), as sysupdate.d(5) is written in it.

import {SnowError} from './error.ts';

/** As systemd: no line is longer than this, with its continuation lines. */
const MAX_LINE = 1024 * 1024;

export interface IniAssignment {
    readonly section: string;
    readonly key: string;
    /** Without white space at its ends; quotes are still in it. */
    readonly value: string;
    /** From 1; the first line of one that goes on after a backslash. */
    readonly line: number;
}

export interface IniFile {
    readonly path: string;
    /** In the order of the file, only of sections and keys that are known. */
    readonly assignments: readonly IniAssignment[];
    /** `PATH:LINE: ...` of what systemd would leave out and what is no syntax at all. */
    readonly faults: readonly string[];
    /** `PATH:LINE: ...` of sections and keys that this program does not know. */
    readonly warnings: readonly string[];
}

/** Which keys are known in which section. */
export type IniKeys = Readonly<Record<string, ReadonlySet<string>>>;

/**
 * Reads a definition or one of its drop-ins. Sections and keys that begin with `X-` are left out
 * without a word, unknown ones with a warning.
 *
 * Throws SnowError Failed, naming file and line, where nothing after that line can be trusted: a
 * broken section header, a NUL, bytes that are no UTF-8, a line without end.
 */
export function parseIni(path: string, content: Uint8Array, known: IniKeys): IniFile {
    const assignments: IniAssignment[] = [];
    const faults: string[] = [];
    const warnings: string[] = [];
    let section: string | null = null;
    let isSectionKnown = false;

    for (const {line, text} of logicalLines(path, decode(path, content))) {
        const where = `${path}:${line}`;
        if (text.startsWith('[')) {
            section = sectionName(where, text);
            isSectionKnown = Object.hasOwn(known, section);
            if (!isSectionKnown && !section.startsWith('X-'))
                warnings.push(`${where}: Unknown section [${section}], ignored`);
            continue;
        }
        if (section === null) {
            faults.push(`${where}: A setting stands before the first section`);
            continue;
        }
        if (!isSectionKnown) continue;

        const equals = text.indexOf('=');
        const key = strip(text.slice(0, Math.max(equals, 0)));
        if (key === '') {
            faults.push(`${where}: This line is no setting, KEY=VALUE: ${excerpt(text)}`);
            continue;
        }
        if (known[section]?.has(key))
            assignments.push({section, key, value: strip(text.slice(equals + 1)), line});
        else if (!key.startsWith('X-'))
            warnings.push(`${where}: Unknown setting ${excerpt(key)}= in [${section}], ignored`);
    }
    return {path, assignments, faults, warnings};
}

/** systemd's spellings of a boolean; null: none of them. */
export function parseBoolean(value: string): boolean | null {
    if (/^(1|yes|y|true|t|on)$/i.test(value)) return true;
    if (/^(0|no|n|false|f|off)$/i.test(value)) return false;
    return null;
}

/**
 * Words of a value, between white space; a word or a part of it may stand in quotes. A backslash is
 * a character like any other. null: a quote is not closed.
 */
export function splitWords(value: string): readonly string[] | null {
    const words: string[] = [];
    let word: string | null = null;
    let quote = '';
    for (const character of value) {
        if (quote !== '') {
            if (character === quote) quote = '';
            else word = (word ?? '') + character;
        } else if (character === '"' || character === "'") {
            quote = character;
            word ??= '';
        } else if (isBlank(character)) {
            if (word !== null) words.push(word);
            word = null;
        } else {
            word = (word ?? '') + character;
        }
    }
    if (quote !== '') return null;
    if (word !== null) words.push(word);
    return words;
}

/** Words of a value where quotes are characters like any other and `\xHH`, `\NNN`, `\s` are not. */
export function splitEscapedWords(value: string): readonly string[] {
    return value
        .split(/[ \t\n\r]+/)
        .filter(word => word !== '')
        .map(word =>
            word.replace(
                /\\(?:x([0-9A-Fa-f]{2})|([0-3][0-7]{2})|([s"']))/g,
                (_all, hex?: string, octal?: string, other?: string) =>
                    other !== undefined
                        ? other.replace('s', ' ')
                        : String.fromCharCode(
                              hex !== undefined ? parseInt(hex, 16) : parseInt(octal ?? '', 8),
                          ),
            ),
        );
}

function decode(path: string, content: Uint8Array): string {
    const nul = content.indexOf(0);
    if (nul >= 0) throw fault(path, lineAt(content, nul), 'A NUL byte');
    try {
        // Takes a byte order mark away, as systemd does.
        return new TextDecoder('utf-8', {fatal: true}).decode(content);
    } catch {
        throw fault(path, lineAt(content, invalidUtf8At(content)), 'Bytes that are no UTF-8');
    }
}

/** Start of the first line that is no UTF-8. */
function invalidUtf8At(content: Uint8Array): number {
    const strict = new TextDecoder('utf-8', {fatal: true});
    for (let start = 0; start < content.length;) {
        const newline = content.indexOf(0x0a, start);
        const end = newline < 0 ? content.length : newline;
        try {
            strict.decode(content.subarray(start, end));
        } catch {
            return start;
        }
        start = end + 1;
    }
    return content.length;
}

function lineAt(content: Uint8Array, offset: number): number {
    return Buffer.from(content.subarray(0, offset)).toString('latin1').split(EOL).length;
}

interface LogicalLine {
    /** From 1. */
    readonly line: number;
    /** Never empty, without white space at its ends. */
    readonly text: string;
}

/** Lines with their continuations, without comments (also those within a continued line) and empty ones. */
function* logicalLines(path: string, text: string): Generator<LogicalLine> {
    let pieces: string[] = [];
    let length = 0;
    let first = 0;
    let number = 0;
    for (const physical of text.split(EOL)) {
        number++;
        if (/^[ \t]*[#;]/.test(physical)) continue;
        if (pieces.length === 0) first = number;
        length += physical.length;
        if (length > MAX_LINE) throw fault(path, first, 'This line is too long');
        if (endsInBackslash(physical)) {
            pieces.push(`${physical.slice(0, -1)} `);
            continue;
        }
        const whole = strip(pieces.join('') + physical);
        pieces = [];
        length = 0;
        if (whole !== '') yield {line: first, text: whole};
    }
    const rest = strip(pieces.join(''));
    if (rest !== '') yield {line: first, text: rest};
}

const EOL = /\r\n|\n|\r/;

function sectionName(where: string, text: string): string {
    const name = /^\[([^\\"'*?[\]]+)\]$/.exec(text)?.[1];
    // eslint-disable-next-line no-control-regex
    if (name === undefined || /[\x00-\x1f\x7f]/.test(name))
        throw new SnowError('Failed', `${where}: This is no section header: ${excerpt(text)}`);
    return name;
}

/** Whether the last character is a backslash that is not itself escaped. */
function endsInBackslash(text: string): boolean {
    let count = 0;
    while (text.charAt(text.length - 1 - count) === '\\') count++;
    return count % 2 === 1;
}

/** No regular expression: those take quadratic time over long runs of white space. */
function strip(text: string): string {
    let start = 0;
    let end = text.length;
    while (start < end && isBlank(text.charAt(start))) start++;
    while (end > start && isBlank(text.charAt(end - 1))) end--;
    return text.slice(start, end);
}

function isBlank(character: string): boolean {
    return character === ' ' || character === '\t' || character === '\n' || character === '\r';
}

/** Some text of a file that is safe to show in one line. */
export function excerpt(text: string): string {
    // eslint-disable-next-line no-control-regex
    const visible = text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ');
    return visible.length > 60 ? `${visible.slice(0, 60)}...` : visible;
}

function fault(path: string, line: number, what: string): SnowError {
    return new SnowError('Failed', `${path}:${line}: ${what}`);
}
