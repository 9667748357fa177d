// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {JobDisplay} from '../../../helper/src/cli/job-display.ts';
import {progressLine, type ProgressState} from '../../../helper/src/cli/progress-line.ts';
import {TransferRate} from '../../../helper/src/cli/transfer-rate.ts';
import {byteProgressText, byteText, durationText} from '../../../helper/src/cli/units.ts';
import {captured} from './captured.ts';

describe('units', () => {
    it.each([
        [0, '0 bytes'],
        [1, '1 byte'],
        [999, '999 bytes'],
        [1000, '1.0 kB'],
        [999_949, '999.9 kB'],
        [999_950, '1.0 MB'],
        [95_000_000, '95.0 MB'],
        [2.5e15, '2500.0 TB'],
    ])('%d bytes are %s', (bytes, text) => {
        expect(byteText(bytes)).toBe(text);
    });

    it('does not name the same unit twice', () => {
        expect(byteProgressText(43.1e6, 95e6)).toBe('43.1 of 95.0 MB');
        expect(byteProgressText(950e3, 95e6)).toBe('950.0 kB of 95.0 MB');
    });

    it.each([
        [0, '0:00'],
        [4.4, '0:04'],
        [59.6, '1:00'],
        [723, '12:03'],
        [3723, '1:02:03'],
    ])('%d seconds are %s', (seconds, text) => {
        expect(durationText(seconds)).toBe(text);
    });
});

describe('rate', () => {
    it('is not known at once, and then that of the last seconds', () => {
        const rate = new TransferRate();
        rate.add(0, 0);
        rate.add(100, 5000);
        expect(rate.speed).toBeNull();
        rate.add(1000, 10_000);
        expect(rate.speed).toBe(10_000);
        expect(rate.secondsTo(30_000)).toBe(2);
        for (let time = 2000; time <= 20_000; time += 1000) rate.add(time, 10_000 + time);
        expect(rate.speed).toBe(1000);
    });

    it('starts anew where the count goes back, and knows no end of what stands still', () => {
        const rate = new TransferRate();
        rate.add(0, 5000);
        rate.add(1000, 100);
        expect(rate.speed).toBeNull();
        rate.add(2000, 100);
        expect(rate.speed).toBe(0);
        expect(rate.secondsTo(200)).toBeNull();
    });
});

describe('line', () => {
    const state: ProgressState = {
        target: 'docker',
        step: 'Downloading docker 5.4.2',
        done: 43.1e6,
        total: 95e6,
        share: null,
        speed: 12.3e6,
        secondsLeft: 4.2,
    };

    it('has a bar, bytes, speed and the time that is left', () => {
        expect(progressLine(state, 100)).toBe(
            'Downloading docker 5.4.2  [#############-----------------]   45%  43.1 of 95.0 MB  12.3 MB/s  0:04',
        );
    });

    it('has a bar where it is known how much is done, without bytes', () => {
        const known = {...state, done: 0, total: 0, share: 0.5, speed: null, secondsLeft: null};
        expect(progressLine(known, 60)).toBe(
            'Downloading docker 5.4.2  [#############-------------]   50%',
        );
        expect(progressLine({...known, share: null}, 60)).toBe('Downloading docker 5.4.2');
    });

    it.each([120, 100, 80, 60, 40, 30, 20, 10, 4, 1, 0])('fits into %d columns', columns => {
        expect(progressLine(state, columns).length).toBeLessThanOrEqual(columns);
        if (columns >= 4) expect(progressLine(state, columns)).toContain('45%');
    });

    it('has no bar while the total is not known, or when all is there', () => {
        expect(progressLine({...state, total: 0}, 100)).toBe('Downloading docker 5.4.2  43.1 MB');
        expect(progressLine({...state, step: 'Merging', done: 95e6}, 100)).toBe('docker: Merging');
    });

    it('holds no control characters of others', () => {
        expect(progressLine({...state, step: 'a\u001b[2Jb\r'}, 100)).not.toMatch(/\p{Cc}/u);
    });
});

describe('a job', () => {
    function play(display: JobDisplay): void {
        display.step('Downloading docker 5.4.2');
        for (let done = 0; done <= 1000; done += 100) display.bytes(done * 1000, 1_000_000);
        display.step('Merging');
        display.end();
    }

    it('is a line a step without a terminal', () => {
        const {output, err, out} = captured();
        play(new JobDisplay(output, 'docker', () => 0));
        expect(err()).toBe('Downloading docker 5.4.2\ndocker: Merging\n');
        expect(out()).toBe('');
    });

    it('is one line on a terminal, which is gone in the end', () => {
        const {output, err} = captured({terminal: 80});
        play(new JobDisplay(output, 'docker', () => 0));
        expect(err()).not.toContain('\n');
        expect(err()).toContain('\rDownloading docker 5.4.2');
        expect(err().endsWith('\r\u001b[K\r')).toBe(true);
    });

    it('draws at most ten times a second', () => {
        let now = 0;
        const {output, err} = captured({terminal: 80});
        const display = new JobDisplay(output, 'docker', () => now);
        for (let done = 0; done < 10_000; done++) {
            now += 1;
            display.bytes(done, 10_000);
        }
        expect(err().split('\r').length - 1).toBeLessThanOrEqual(101);
    });

    it('is events with --json=stream, and nothing with --quiet or --json', () => {
        const stream = captured({json: 'stream'});
        play(new JobDisplay(stream.output, 'docker', () => 0));
        const events = stream
            .out()
            .trim()
            .split('\n')
            .map(line => JSON.parse(line) as Record<string, unknown>);
        expect(events[0]).toEqual({
            type: 'step',
            target: 'docker',
            step: 'Downloading docker 5.4.2',
        });
        expect(events).toContainEqual({
            type: 'progress',
            target: 'docker',
            bytesDone: 1_000_000,
            bytesTotal: 1_000_000,
        });
        for (const options of [
            {json: 'document'},
            {isQuiet: true},
            {isQuiet: true, terminal: 80},
        ] as const) {
            const {output, out, err} = captured(options);
            play(new JobDisplay(output, 'docker', () => 0));
            expect(out() + err()).toBe('');
        }
    });
});
