// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {UpdateProgress} from '../../../../helper/src/image/native/progress.ts';

const ROOT = 'https://example.org/snow-ab_2_ab.root.raw.xz';
const VERITY = 'https://example.org/snow-ab_2_cd.root-verity.raw.xz';
const UKI = 'https://example.org/snow-ab_2.efi';

function follow(sizes: readonly (number | null)[], lines: readonly string[]) {
    const steps: string[] = [];
    const bytes: [number, number][] = [];
    const progress = {
        step: (text: string) => void steps.push(text),
        bytes: (done: number, total: number) => void bytes.push([done, total]),
    };
    const parts = [VERITY, ROOT, UKI].map((url, index) => ({url, size: sizes[index] ?? null}));
    const reader = new UpdateProgress(progress, '2', parts);
    for (const line of lines) reader.read(line);
    return {steps, bytes};
}

const lines = [
    'Making room for 1 updates…',
    `Downloading 300K for ${VERITY}.`,
    `Got 50% of ${VERITY}.`,
    `Acquired 300K for ${VERITY}.`,
    `Downloading 3M for ${ROOT}.`,
    `Got 5% of ${ROOT}.`,
    `Got 3% of ${ROOT}.`,
    `Got 13% of ${ROOT}. 13s left at 194.9K/s.`,
    `Got 74% of ${ROOT}. 1min 2s left at 1.2M/s.`,
    `Acquired 3M for ${ROOT}.`,
    `Successfully acquired '${ROOT}'.`,
    'Got 99% of https://example.org/another.',
    'Got 99% of https://example.org/another. 1s left at 1.2M/s.',
    `Acquired 1K for ${UKI}.`,
    `Successfully installed '${UKI}' (url-file) as '/boot/x' (regular-file).`,
];

test('the bytes of all parts, and what each of them is', () => {
    const {steps, bytes} = follow([100, 1000, 10], lines);
    expect(steps).toEqual([
        'Making room for the update',
        'Downloading 2, verity data',
        'Downloading 2, system',
        'Installing 2',
    ]);
    const done = bytes.map(([count]) => count);
    expect(done).toEqual([0, 0, 50, 100, 100, 150, 150, 230, 840, 1100, 1100, 1110]);
    expect(new Set(bytes.map(([, total]) => total))).toEqual(new Set([1110]));
});

test('without the size of each there are steps, and no bar', () => {
    const {steps, bytes} = follow([100, null, 10], lines);
    expect(bytes).toEqual([[0, 0]]);
    expect(steps).toContain('Downloading 2, system');
});
