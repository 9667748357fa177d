// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import type {ImageDriver} from './driver.ts';
import type {ImageStatus} from './model.ts';

/** Milliseconds; who waits on the bus gives up after 25 s. */
const TIMEOUT = 20_000;

/** Reads the state of the image, and does not wait for ever for a program that hangs. */
export class StatusReader {
    readonly #timeout: number;
    /** What takes too long; nothing else is asked before it has answered. */
    #late: Promise<unknown> | null = null;
    /** What was read last. */
    last: ImageStatus | null = null;

    constructor(timeout = TIMEOUT) {
        this.#timeout = timeout;
    }

    /** Throws what the driver throws, and SnowError Failed when it takes too long. */
    async read(host: Host, driver: ImageDriver): Promise<ImageStatus> {
        const tooLong = new SnowError(
            'Failed',
            `The state of the system image cannot be read: ${driver.name} does not answer`,
        );
        if (this.#late) throw tooLong;
        const reading = driver.status(host);
        let timer: NodeJS.Timeout | undefined;
        const timeUp = new Promise<never>((_resolve, reject) => {
            timer = setTimeout(() => {
                this.#late = reading;
                const forget = (): void => void (this.#late = null);
                reading.then(forget, forget);
                reject(tooLong);
            }, this.#timeout);
        });
        try {
            this.last = await Promise.race([reading, timeUp]);
            return this.last;
        } finally {
            clearTimeout(timer);
        }
    }
}
