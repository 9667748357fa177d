// SPDX-License-Identifier: GPL-2.0-or-later
// Progress as bootc writes it: lines of JSON, at most five a second, on a pipe and nothing else.

import {fstatSync, writeSync} from 'node:fs';

import type {Fault} from './configuration.ts';
import type {SourceImage} from './source.ts';

const INTERVAL = 200;
const LONG_LINE = 12 * 1024;

export class ProgressWriter {
    readonly #fd: number | null;
    readonly #fault: Fault | null;
    #hasStarted = false;
    #lastWrite = 0;

    constructor(fd: number | null, fault: Fault | null) {
        if (fd !== null && fd <= 2) throw new Error(`Cannot use fd ${fd} for progress JSON`);
        if (fd !== null && !fstatSync(fd).isFIFO()) throw new Error('not a pipe');
        this.#fd = fd;
        this.#fault = fault;
    }

    pull({digest, size}: SourceImage, share: number): void {
        const bytes = Math.floor(size * share);
        const subtask = (index: number): object => ({
            subtask: 'ostree_chunk',
            description: `ostree_chunk: ${digest.slice(7, 19)}${index}`,
            id: `${digest}${index}`,
            bytesCached: 0,
            bytes,
            bytesTotal: size,
        });
        const count = this.#fault === 'long-progress' ? Math.ceil(LONG_LINE / 200) : 1;
        this.#write(
            {
                type: 'ProgressBytes',
                task: this.#fault === 'unknown-progress' ? 'defrosting' : 'pulling',
                description: `Pulling Image: ${digest}`,
                id: digest,
                bytesCached: 0,
                bytes,
                bytesTotal: size,
                stepsCached: 0,
                steps: share === 1 ? 1 : 0,
                stepsTotal: 1,
                subtasks: Array.from({length: count}, (_, index) => subtask(index)),
                ...(this.#fault === 'unknown-progress' ? {temperature: -3} : {}),
            },
            share === 1,
        );
        if (this.#fault === 'unknown-progress') this.#write({type: 'Weather', snow: true}, true);
        if (this.#fault === 'broken-progress') this.#writeLine('{"type": "ProgressBytes", "ta');
    }

    stage(digest: string): void {
        for (const steps of [0, 1, 2, 3])
            this.#write(
                {
                    type: 'ProgressSteps',
                    task: 'staging',
                    description: 'Deploying Image',
                    id: digest,
                    stepsCached: 0,
                    steps,
                    stepsTotal: 3,
                    subtasks: [
                        {
                            subtask: 'merging',
                            description: 'Merging Image',
                            id: 'fetching',
                            completed: steps > 0,
                        },
                    ],
                },
                true,
            );
    }

    #write(event: object, isRequired: boolean): void {
        if (!this.#hasStarted) {
            this.#hasStarted = true;
            this.#writeLine(JSON.stringify({type: 'Start', version: '0.1.0'}));
        }
        const now = performance.now();
        if (!isRequired && now - this.#lastWrite < INTERVAL) return;
        this.#lastWrite = now;
        this.#writeLine(JSON.stringify(event));
    }

    #writeLine(line: string): void {
        if (this.#fd !== null) writeSync(this.#fd, `${line}\n`);
    }
}
