// SPDX-License-Identifier: GPL-2.0-or-later
import type {Progress} from '../host/domain.ts';
import type {Output} from './output.ts';
import {type ProgressState, progressLine, stepText} from './progress-line.ts';
import {TransferRate} from './transfer-rate.ts';

/** Milliseconds between two drawings, or two events of bytes. */
const MIN_INTERVAL = 100;

const started: Omit<ProgressState, 'target'> = {
    step: '',
    done: 0,
    total: 0,
    share: null,
    speed: null,
    secondsLeft: null,
};

/**
 * Shows a job while it runs: a line with a bar on a terminal, a line a step elsewhere, events with
 * --json=stream. It draws when something is told, never by a timer.
 */
export class JobDisplay implements Progress {
    readonly #output: Output;
    readonly #now: () => number;
    #state: ProgressState;
    #rate = new TransferRate();
    #shownAt = -Infinity;
    #isDrawn = false;

    constructor(output: Output, target: string, now: () => number = () => performance.now()) {
        this.#output = output;
        this.#now = now;
        this.#state = {target, ...started};
    }

    step(text: string): void {
        if (text === '' || text === this.#state.step) return;
        this.#state = {...this.#state, step: text};
        const {target} = this.#state;
        this.#output.event({type: 'step', target, step: text});
        if (this.#output.progressColumns === null) this.#output.note(stepText(this.#state));
        else this.#draw();
    }

    bytes(done: number, total: number): void {
        const now = this.#now();
        this.#rate.add(now, done);
        this.#state = {
            ...this.#state,
            done,
            total,
            speed: this.#rate.speed,
            secondsLeft: this.#rate.secondsTo(total),
        };
        const isComplete = total > 0 && done >= total;
        if (!isComplete && now - this.#shownAt < MIN_INTERVAL) return;
        this.#shownAt = now;
        const {target} = this.#state;
        this.#output.event({type: 'progress', target, bytesDone: done, bytesTotal: total});
        this.#draw();
    }

    fraction(done: number): void {
        this.#state = {...this.#state, share: done};
        const {target} = this.#state;
        this.#output.event({type: 'progress', target, fraction: done});
        this.#draw();
    }

    /** Removes the line, for what is printed next. */
    end(): void {
        if (this.#isDrawn) this.#output.status('');
        this.#isDrawn = false;
    }

    #draw(): void {
        const columns = this.#output.progressColumns;
        if (columns === null) return;
        // The last column stays free: some terminals wrap there.
        this.#output.status(progressLine(this.#state, columns - 1));
        this.#isDrawn = true;
    }
}
