// SPDX-License-Identifier: GPL-2.0-or-later
// The log: standard output, which the unit connects to the journal; levels as in sd-daemon(3).

/** What happened, as one line. */
export function logInfo(text: string): void {
    write(6, text);
}

/** What was refused, or did not work out for a caller. */
export function logNotice(text: string): void {
    write(5, text);
}

/** What should not have happened, with all that is known of it. */
export function logError(doing: string, error: unknown): void {
    const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
    write(3, `${doing}: ${details}`);
}

/** "1.24 s" since a time of performance.now(). */
export function secondsSince(start: number): string {
    return `${((performance.now() - start) / 1000).toFixed(2)} s`;
}

function write(level: number, text: string): void {
    // Names come from callers: neither a second line nor a terminal's control sequence may follow.
    // eslint-disable-next-line no-control-regex
    process.stdout.write(`<${level}>${text.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ')}\n`);
}
