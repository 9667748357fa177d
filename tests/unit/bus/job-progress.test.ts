// SPDX-License-Identifier: GPL-2.0-or-later
import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';

import {JobProgress, type ProgressProperties} from '../../../helper/src/bus/job-progress.ts';

let reports: Partial<ProgressProperties>[];
let progress: JobProgress;

beforeEach(() => {
    vi.useFakeTimers();
    reports = [];
    progress = new JobProgress(changed => reports.push(changed));
});

afterEach(() => {
    vi.useRealTimers();
});

describe('the progress of a job', () => {
    it('is told at once, and then what came of a tenth of a second', () => {
        progress.step('Downloading');
        for (let done = 1; done <= 50; done += 1) progress.bytes(done, 100);
        expect(reports).toEqual([{Step: 'Downloading'}]);
        vi.advanceTimersByTime(100);
        expect(reports.slice(1)).toEqual([{BytesDone: 50, BytesTotal: 100, Progress: 0.5}]);
        vi.advanceTimersByTime(10_000);
        expect(reports).toHaveLength(2);
    });

    it('tells every step at once, with the bytes that were held back', () => {
        progress.step('Preparing');
        progress.step('Downloading');
        progress.bytes(1, 4);
        progress.step('Merging');
        expect(reports).toEqual([
            {Step: 'Preparing'},
            {Step: 'Downloading'},
            {Step: 'Merging', BytesDone: 1, BytesTotal: 4, Progress: 0.25},
        ]);
    });

    it('has a fraction where bytes are not known', () => {
        progress.fraction(0.25);
        for (const done of [0.5, 0.3, 2, -1, NaN]) progress.fraction(done);
        vi.advanceTimersByTime(100);
        expect(reports).toEqual([{Progress: 0.25}, {Progress: 0.5}]);
    });

    it('never goes backwards, nor beyond the end', () => {
        for (const [done, total] of [
            [50, 100],
            [10, 100],
            [300, 200],
            [0, 0],
        ] as const) {
            progress.bytes(done, total);
            vi.advanceTimersByTime(100);
        }
        expect(reports.map(report => report.Progress)).toEqual([0.5, 0.5, 1, 1]);
    });

    it('is unknown while the total is, and takes no nonsense for a number', () => {
        progress.bytes(Number.NaN, Infinity);
        expect(reports).toEqual([{BytesDone: 0, BytesTotal: 0, Progress: -1}]);
    });

    it('ends with what was held back, and is silent then', () => {
        progress.bytes(1, 4);
        progress.bytes(3, 4);
        expect(progress.end()).toEqual({BytesDone: 3, BytesTotal: 4, Progress: 0.75});
        progress.step('Late');
        vi.advanceTimersByTime(1000);
        expect(reports).toHaveLength(1);
    });
});
