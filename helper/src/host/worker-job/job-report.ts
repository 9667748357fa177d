// SPDX-License-Identifier: GPL-2.0-or-later
import type {Progress} from '../domain.ts';
import type {Host} from '../host.ts';
import type {JobIdentity} from './job-kind.ts';
import {type JobState, initialState, writeJobState} from './job-state.ts';

/** Milliseconds between two writes: five a second. */
const INTERVAL = 200;

type Change = Partial<Pick<JobState, 'step' | 'bytesDone' | 'bytesTotal' | 'fraction'>>;

/** Writes what a job says of itself to its file, not too often; the last word always. */
export class JobReport<Operation extends string> implements Progress {
    readonly #host: Host;
    readonly #path: string;
    readonly #onFailure: (error: unknown) => void;
    #state: JobState<Operation>;
    #timer: NodeJS.Timeout | null = null;
    #isChanged = false;
    /** The write that is under way, after those before it. */
    #writing: Promise<void> = Promise.resolve();

    /** @param onFailure told once or more that the file cannot be written; the work goes on */
    constructor(
        host: Host,
        path: string,
        request: JobIdentity<Operation>,
        onFailure: (error: unknown) => void,
    ) {
        this.#host = host;
        this.#path = path;
        this.#onFailure = onFailure;
        this.#state = initialState(request);
    }

    step(text: string): void {
        this.#change({step: text});
    }

    bytes(done: number, total: number): void {
        this.#change({bytesDone: wholeNumber(done), bytesTotal: wholeNumber(total)});
    }

    fraction(done: number): void {
        if (done >= 0 && done <= 1) this.#change({fraction: done});
    }

    /** Says how it ended; nothing is said after that. */
    async end(change: Pick<JobState, 'state' | 'error' | 'results'>): Promise<JobState<Operation>> {
        this.#state = {...this.#state, ...change};
        this.#isChanged = false;
        if (this.#timer) clearTimeout(this.#timer);
        this.#write();
        await this.#writing;
        return this.#state;
    }

    #change(change: Change): void {
        if (this.#state.state !== 'running') return;
        this.#state = {...this.#state, ...change};
        this.#isChanged = true;
        if (!this.#timer) this.#flush();
    }

    #flush(): void {
        this.#timer = null;
        if (!this.#isChanged) return;
        this.#isChanged = false;
        this.#timer = setTimeout(() => this.#flush(), INTERVAL);
        this.#write();
    }

    #write(): void {
        const state = this.#state;
        this.#writing = this.#writing
            .then(() => writeJobState(this.#host, this.#path, state))
            .catch((error: unknown) => this.#onFailure(error));
    }
}

function wholeNumber(value: number): number {
    return Number.isSafeInteger(Math.trunc(value)) && value > 0 ? Math.trunc(value) : 0;
}
