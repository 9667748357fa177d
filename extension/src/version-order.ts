// SPDX-License-Identifier: GPL-2.0-or-later

/**
 * Compares two versions as UAPI.10 orders them: below zero, zero or above zero. Characters that it
 * gives no meaning to only separate.
 */
export function compareVersions(a: string, b: string): number {
    let left = a;
    let right = b;
    for (;;) {
        left = left.replace(/^[^A-Za-z0-9~\-^.]+/, '');
        right = right.replace(/^[^A-Za-z0-9~\-^.]+/, '');

        // A tilde comes before the end, what follows a dash, caret or dot after it.
        if (left.startsWith('~') || right.startsWith('~')) {
            if (!left.startsWith('~')) return 1;
            if (!right.startsWith('~')) return -1;
            [left, right] = [left.slice(1), right.slice(1)];
            continue;
        }
        if (!left || !right) return Math.sign(left.length - right.length);

        const separator = ['-', '^', '.'].find(
            mark => left.startsWith(mark) || right.startsWith(mark),
        );
        if (separator !== undefined) {
            if (!left.startsWith(separator)) return 1;
            if (!right.startsWith(separator)) return -1;
            [left, right] = [left.slice(1), right.slice(1)];
            continue;
        }

        const areNumbers = /^[0-9]/.test(left) || /^[0-9]/.test(right);
        const pattern = areNumbers ? /^[0-9]*/ : /^[A-Za-z]*/;
        const [leftPart] = pattern.exec(left) ?? [''];
        const [rightPart] = pattern.exec(right) ?? [''];
        const order = areNumbers
            ? compareNumbers(leftPart, rightPart)
            : compareText(leftPart, rightPart);
        if (order !== 0) return order;
        [left, right] = [left.slice(leftPart.length), right.slice(rightPart.length)];
    }
}

/** Digits of any length; none come before any. */
function compareNumbers(a: string, b: string): number {
    if (!a || !b) return Math.sign(a.length - b.length);
    const left = a.replace(/^0+/, '');
    const right = b.replace(/^0+/, '');
    return Math.sign(left.length - right.length) || compareText(left, right);
}

/** By character code: capitals first. */
function compareText(a: string, b: string): number {
    if (a === b) return 0;
    return a < b ? -1 : 1;
}
