// SPDX-License-Identifier: GPL-2.0-or-later
import {displayWidth, fitted, printable} from './text.ts';

const GAP = 2;
const BOLD = '\u001b[1m';
const PLAIN = '\u001b[0m';

/** The narrowest that the last column is made; below that the terminal wraps. */
const MIN_LAST = 12;

export interface TableStyle {
    /** Columns of the terminal; null: lines as long as they are. */
    readonly columns: number | null;
    readonly isBold: boolean;
}

/** Aligned columns; only the last one is cut where the terminal is too narrow. Ends with a newline. */
export function table(
    header: readonly string[],
    rows: readonly (readonly string[])[],
    style: TableStyle,
): string {
    const lines = [header, ...rows].map(row => row.map(printable));
    const widths = header.map((_, column) =>
        Math.max(...lines.map(row => displayWidth(row[column] ?? ''))),
    );
    const last = header.length - 1;
    const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP, 0);
    const room = style.columns === null ? Infinity : Math.max(MIN_LAST, style.columns - before);
    return lines
        .map((row, index) => {
            const text = row
                .map((cell, column) =>
                    column === last
                        ? fitted(cell, room)
                        : padded(cell, (widths[column] ?? 0) + GAP),
                )
                .join('')
                .trimEnd();
            return index === 0 && style.isBold ? `${BOLD}${text}${PLAIN}\n` : `${text}\n`;
        })
        .join('');
}

/** `Label: value` lines with aligned values; longer values continue below themselves. */
export function fields(
    rows: readonly (readonly [label: string, values: readonly string[]])[],
    style: TableStyle,
): string {
    const width = Math.max(0, ...rows.map(([label]) => displayWidth(label)));
    return rows
        .filter(([, values]) => values.length > 0)
        .map(([label, values]) =>
            values
                .map((value, index) => {
                    const head = padded(index === 0 ? `${label}:` : '', width + GAP);
                    const shown = index === 0 && style.isBold ? `${BOLD}${head}${PLAIN}` : head;
                    return `${shown}${printable(value)}\n`;
                })
                .join(''),
        )
        .join('');
}

function padded(text: string, width: number): string {
    return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}
