// SPDX-License-Identifier: GPL-2.0-or-later
// Versions as UAPI.10 (Version Format Specification) writes and orders them.

/**
 * Whether systemd-sysupdate(8) takes the text as a version: the characters of UAPI.10 and `_` `+`,
 * at most as long as a file name.
 */
export function isVersion(text: string): boolean {
    return /^[A-Za-z0-9.~^_+-]{1,255}$/.test(text);
}

/**
 * Order of two versions, as `systemd-analyze compare-versions`: negative when a is older than b,
 * 0 when neither is newer, positive when a is newer.
 */
export function compareVersions(a: string, b: string): number {
    let restA = a;
    let restB = b;
    for (;;) {
        restA = restA.replace(SEPARATORS, '');
        restB = restB.replace(SEPARATORS, '');

        // A pre-release is older than nothing at all, every other separator is newer than that.
        if (restA.startsWith('~') || restB.startsWith('~')) {
            if (!restA.startsWith('~')) return 1;
            if (!restB.startsWith('~')) return -1;
            restA = restA.slice(1);
            restB = restB.slice(1);
        }
        if (restA === '' || restB === '') return order(restA.length, restB.length);

        for (const separator of ['-', '^', '.']) {
            const isInA = restA.startsWith(separator);
            const isInB = restB.startsWith(separator);
            if (isInA !== isInB) return isInA ? -1 : 1;
            if (!isInA) continue;
            restA = restA.slice(1);
            restB = restB.slice(1);
        }

        const kind = isDigit(restA) || isDigit(restB) ? DIGITS : LETTERS;
        const partA = kind.exec(restA)?.[0] ?? '';
        const partB = kind.exec(restB)?.[0] ?? '';
        const difference =
            kind === DIGITS ? compareNumbers(partA, partB) : compareText(partA, partB);
        if (difference !== 0) return difference;
        restA = restA.slice(partA.length);
        restB = restB.slice(partB.length);
    }
}

const SEPARATORS = /^[^A-Za-z0-9~^.-]+/;
const DIGITS = /^[0-9]*/;
const LETTERS = /^[A-Za-z]*/;

function isDigit(text: string): boolean {
    return /^[0-9]/.test(text);
}

function compareNumbers(a: string, b: string): number {
    if (a === '' || b === '') return order(a.length, b.length);
    const digitsA = a.replace(/^0+/, '');
    const digitsB = b.replace(/^0+/, '');
    return order(digitsA.length, digitsB.length) || compareText(digitsA, digitsB);
}

function compareText(a: string, b: string): number {
    return a === b ? 0 : a < b ? -1 : 1;
}

function order(a: number, b: number): number {
    return Math.sign(a - b);
}
