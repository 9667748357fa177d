// SPDX-License-Identifier: GPL-2.0-or-later
import type {JobProperties} from '../generated/dbus.ts';
import type {Progress} from '../host/domain.ts';

/** Milliseconds between two reports: ten a second, as fast as an eye follows a bar. */
const INTERVAL = 100;

export type ProgressProperties = Pick<
    JobProperties,
    'Step' | 'Progress' | 'BytesDone' | 'BytesTotal'
>;

/** What a job says of itself: every step, its bytes thinned out; the fraction never goes backwards. */
export class JobProgress implements Progress {
    readonly #report: (changed: Partial<ProgressProperties>) => void;
    #now: ProgressProperties = {Step: '', Progress: -1, BytesDone: 0, BytesTotal: 0};
    #changed: Partial<ProgressProperties> = {};
    #timer: NodeJS.Timeout | null = null;
    #isEnded = false;

    constructor(report: (changed: Partial<ProgressProperties>) => void) {
        this.#report = report;
    }

    /** A step is never held back: whoever reads along misses none, however quick it is. */
    step(text: string): void {
        if (this.#timer) clearTimeout(this.#timer);
        this.#timer = null;
        this.#change({Step: text});
    }

    bytes(done: number, total: number): void {
        const bytesDone = wholeNumber(done);
        const bytesTotal = wholeNumber(total);
        const fraction = bytesTotal > 0 ? Math.min(1, bytesDone / bytesTotal) : -1;
        this.#change({
            BytesDone: bytesDone,
            BytesTotal: bytesTotal,
            Progress: Math.max(this.#now.Progress, fraction),
        });
    }

    fraction(done: number): void {
        if (done >= 0 && done <= 1) this.#change({Progress: Math.max(this.#now.Progress, done)});
    }

    /** Nothing is reported after this; what was held back is returned. */
    end(): Partial<ProgressProperties> {
        this.#isEnded = true;
        if (this.#timer) clearTimeout(this.#timer);
        return this.#changed;
    }

    #change(properties: Partial<ProgressProperties>): void {
        if (this.#isEnded) return;
        this.#now = {...this.#now, ...properties};
        this.#changed = {...this.#changed, ...properties};
        if (!this.#timer) this.#flush();
    }

    #flush(): void {
        const changed = this.#changed;
        this.#changed = {};
        this.#timer = null;
        if (Object.keys(changed).length === 0) return;
        this.#timer = setTimeout(() => this.#flush(), INTERVAL);
        this.#report(changed);
    }
}

function wholeNumber(value: number): number {
    return Number.isFinite(value) && value > 0 ? Math.trunc(value) : 0;
}
