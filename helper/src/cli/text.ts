// SPDX-License-Identifier: GPL-2.0-or-later
// Text for a terminal.

/** Without control characters and the characters that reorder a line: nobody's data drives the terminal. */
export function printable(text: string): string {
    return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** What somebody typed, in quotes, in an error. */
export function quoted(text: string): string {
    const shown = text.length > 60 ? `${text.slice(0, 60)}...` : text;
    return `"${printable(shown)}"`;
}

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
    let width = 0;
    for (const character of text) width += characterWidth(character);
    return width;
}

function characterWidth(character: string): number {
    if (character <= '\u007e') return 1;
    if (/[\p{M}\p{Cf}]/u.test(character)) return 0;
    return /[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\uff01-\uff60]/u.test(
        character,
    )
        ? 2
        : 1;
}

/** The text, cut to a number of columns. */
export function fitted(text: string, columns: number): string {
    if (displayWidth(text) <= columns) return text;
    let cut = '';
    let width = 1;
    for (const character of text) {
        width += characterWidth(character);
        if (width > columns) break;
        cut += character;
    }
    return columns < 1 ? '' : `${cut}…`;
}

/** Lines of at most so many columns, broken between words. */
export function wrapped(text: string, columns: number): readonly string[] {
    const lines: string[] = [];
    let line = '';
    for (const word of text.split(/\s+/)) {
        const longer = line === '' ? word : `${line} ${word}`;
        if (line !== '' && displayWidth(longer) > columns) {
            lines.push(line);
            line = word;
        } else {
            line = longer;
        }
    }
    return [...lines, line];
}

/** `docker`, `docker and podman`, `docker, edge and podman` */
export function enumeration(words: readonly string[]): string {
    const last = words.at(-1) ?? '';
    return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}
