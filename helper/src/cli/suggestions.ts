// SPDX-License-Identifier: GPL-2.0-or-later

/** The candidate that was most likely meant, or null where none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
    const most = Math.max(1, Math.floor(word.length / 3));
    let best: string | null = null;
    let bestDistance = most + 1;
    for (const candidate of candidates) {
        if (Math.abs(word.length - candidate.length) > most) continue;
        const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
        if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
    }
    return best ?? candidates.find(c => word.length >= 2 && c.startsWith(word)) ?? null;
}

/** `; did you mean "list"?` or nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
    const found = nearest(word, candidates);
    return found === null ? '' : `; did you mean "${found}"?`;
}

/** Insertions, deletions, replacements and swaps of neighbors (optimal string alignment). */
function editDistance(a: string, b: string): number {
    const above: number[][] = [Array.from({length: b.length + 1}, (_, i) => i)];
    const at = (row: number, column: number): number => above[row]?.[column] ?? 0;
    for (let i = 1; i <= a.length; i++) {
        const row = [i];
        above.push(row);
        for (let j = 1; j <= b.length; j++) {
            const replaced = a[i - 1] === b[j - 1] ? 0 : 1;
            let distance = Math.min(
                at(i - 1, j) + 1,
                at(i, j - 1) + 1,
                at(i - 1, j - 1) + replaced,
            );
            if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
                distance = Math.min(distance, at(i - 2, j - 2) + 1);
            row.push(distance);
        }
    }
    return at(a.length, b.length);
}
