// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, test} from 'vitest';

import {PullProgress, importProgress} from '../../../../helper/src/image/bootc/progress.ts';

const start = {type: 'Start', version: '0.1.0'};

function layer(id: string, bytes: number, bytesTotal: number, subtask = 'ostree_chunk') {
    return {subtask, description: `${subtask}: ${id}`, id, bytesCached: 0, bytes, bytesTotal};
}

function pulling(bytes: number, bytesTotal: number, subtasks = [layer('a', bytes, bytesTotal)]) {
    return {
        type: 'ProgressBytes',
        task: 'pulling',
        description: 'Pulling Image: sha256:a',
        id: 'sha256:a',
        bytesCached: 10,
        bytes,
        bytesTotal,
        stepsCached: 0,
        steps: 0,
        stepsTotal: 3,
        subtasks,
    };
}

function steps(task: string, description = task) {
    return {
        type: 'ProgressSteps',
        task,
        description,
        id: task,
        stepsCached: 0,
        steps: 0,
        stepsTotal: 3,
        subtasks: [{subtask: 'merging', description: 'Merging', id: 'x', completed: false}],
    };
}

function told(...lines: readonly (object | string)[]) {
    const said: (string | readonly [number, number])[] = [];
    const progress = new PullProgress({
        step: text => void said.push(text),
        bytes: (done, total) => void said.push([done, total]),
    });
    for (const line of lines) progress.take(typeof line === 'string' ? line : JSON.stringify(line));
    return said;
}

test('an update is told step by step', () => {
    expect(
        told(
            start,
            pulling(0, 0),
            pulling(5, 9),
            pulling(9, 9),
            steps('importing'),
            steps('staging'),
        ),
    ).toEqual([
        'Downloading the image',
        [0, 0],
        [5, 9],
        [9, 9],
        'Unpacking the image',
        'Staging the image for the next restart',
    ]);
});

test('a line of 12 KiB is one like another', () => {
    const layers = Array.from({length: 90}, (_, index) => layer(`sha256:${index}`, 1, 2));
    const line = JSON.stringify(pulling(90, 180, layers));
    expect(line.length).toBeGreaterThan(10 * 1024);
    expect(told(line)).toEqual(['Downloading the image', [90, 180]]);
});

test('a task that nobody knows is told in its own words', () => {
    expect(told(steps('defrosting', 'Defrosting'), steps('singing', 'x'.repeat(500)))).toEqual([
        'Defrosting',
        `${'x'.repeat(79)}…`,
    ]);
});

test('what is no progress is left out', () => {
    const lines = ['', '{"type": "Progr', '[]', '5', 'null', '{}', '{"type": "Weather"}'];
    const wrong = [
        {...pulling(1, 2), bytes: -1},
        {...pulling(1, 2), bytes: 'many'},
        {...steps('staging'), description: 'a\nb'},
        {...pulling(1, 2), subtasks: [5]},
    ];
    expect(told(...lines, ...wrong)).toEqual([]);
});

describe('layers of a composefs store', () => {
    const at = (...layers: readonly [string, number, number][]) => {
        const known = layers.map(([id, bytes, total]) =>
            layer(id, bytes, total, 'composefs_layer'),
        );
        const sum = known.reduce((total, {bytes}) => total + bytes, 0);
        return pulling(sum, 0, known);
    };

    test('add up, although they are told of only while they are fetched', () => {
        const bytes = told(
            at(['a', 5, 10]),
            at(['a', 9, 10], ['b', 1, 20]),
            at(['b', 15, 20]),
            at(),
        ).filter(one => typeof one !== 'string');
        expect(bytes).toEqual([
            [5, 0],
            [10, 0],
            [25, 0],
            [30, 0],
        ]);
    });
});

test('what is wrong with a line is named', () => {
    expect(() => importProgress(JSON.stringify({...pulling(1, 2), bytesTotal: null}))).toThrow(
        'bytesTotal is no whole number',
    );
});
