// SPDX-License-Identifier: GPL-2.0-or-later
// The lines that bootc writes to the pipe of --progress-fd. Some may be missing, and some may be of
// a kind that came later.

import type {Progress} from '../../host/domain.ts';
import {SnowError} from '../../host/error.ts';
import {
    array,
    count,
    importJson,
    line,
    map,
    object,
    oneOf,
    optional,
    string,
} from '../../host/importer.ts';

/** Characters; those with very many layers are 12 Ki long. */
const MAX_LENGTH = 64 * 1024;
const MAX_DESCRIPTION = 80;

export type ProgressEvent =
    | {
          readonly type: 'bytes';
          readonly task: string;
          readonly description: string;
          readonly bytes: number;
          /** 0: not known. */
          readonly bytesTotal: number;
          readonly layers: readonly Layer[];
      }
    | {readonly type: 'steps'; readonly task: string; readonly description: string};

interface Layer {
    readonly subtask: string;
    readonly id: string;
    readonly bytes: number;
    readonly bytesTotal: number;
}

const kind = object({type: string});

const task = {task: string, description: optional(line, '')};

const bytesEvent = map(
    object({
        type: oneOf('ProgressBytes'),
        ...task,
        bytes: count,
        bytesTotal: count,
        subtasks: optional(
            array(object({subtask: string, id: string, bytes: count, bytesTotal: count})),
            [],
        ),
    }),
    ({subtasks, ...rest}): ProgressEvent => ({...rest, type: 'bytes', layers: subtasks}),
);

const stepsEvent = map(object({type: oneOf('ProgressSteps'), ...task}), (found): ProgressEvent => ({
    ...found,
    type: 'steps',
}));

/**
 * One line; null: it tells nothing that is shown.
 * Throws SnowError Failed that names the field which is wrong.
 */
export function importProgress(text: string): ProgressEvent | null {
    const source = 'the progress of bootc';
    const {type} = importJson(source, text, kind, {maxLength: MAX_LENGTH});
    switch (type) {
        case 'ProgressBytes':
            return importJson(source, text, bytesEvent);
        case 'ProgressSteps':
            return importJson(source, text, stepsEvent);
        default:
            return null;
    }
}

const knownTasks: ReadonlyMap<string, string> = new Map([
    ['pulling', 'Downloading the image'],
    ['importing', 'Unpacking the image'],
    ['staging', 'Staging the image for the next restart'],
]);

/** What lines of progress come to for a person. */
export class PullProgress {
    readonly #progress: Progress;
    /** Each layer of a composefs store is in the lines only while it is fetched. */
    readonly #layers = new Map<string, Layer>();
    #step = '';

    constructor(progress: Progress) {
        this.#progress = progress;
    }

    /** A line that cannot be understood is left out: it is no reason to stop what it tells of. */
    take(text: string): void {
        let event: ProgressEvent | null;
        try {
            event = importProgress(text);
        } catch (error) {
            if (error instanceof SnowError) return;
            throw error;
        }
        if (!event) return;
        this.#tellStep(knownTasks.get(event.task) ?? shorten(event.description));
        if (event.type === 'bytes') this.#tellBytes(event);
    }

    #tellStep(step: string): void {
        if (step === '' || step === this.#step) return;
        this.#step = step;
        this.#progress.step(step);
    }

    #tellBytes({bytes, bytesTotal, layers}: Extract<ProgressEvent, {type: 'bytes'}>): void {
        const isByLayer = this.#layers.size > 0 || layers.some(isOfComposefs);
        if (!isByLayer) {
            this.#progress.bytes(bytes, bytesTotal);
            return;
        }
        const current = new Set(layers.map(({id}) => id));
        for (const [id, layer] of this.#layers)
            if (!current.has(id)) this.#layers.set(id, {...layer, bytes: layer.bytesTotal});
        for (const layer of layers) this.#layers.set(layer.id, layer);
        const all = [...this.#layers.values()];
        const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
        // How many are to come is not known, so that a share would go back and forth.
        this.#progress.bytes(sum(all.map(layer => layer.bytes)), 0);
    }
}

function isOfComposefs({subtask}: Layer): boolean {
    return subtask === 'composefs_layer';
}

function shorten(text: string): string {
    return text.length > MAX_DESCRIPTION ? `${text.slice(0, MAX_DESCRIPTION - 1)}…` : text;
}
