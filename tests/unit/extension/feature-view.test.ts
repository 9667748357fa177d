// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {
    type Surroundings,
    hasUpdate,
    percent,
    summarize,
    viewFeature,
} from '../../../extension/src/feature-view.ts';
import {activeFeature, feature, job} from './objects.ts';

const QUIET: Surroundings = {jobs: [], asked: new Map(), refusals: new Map()};
const podman = feature('podman', {Newest: '5.4.2'});

test('shows a feature that is off with the version it would get', () => {
    expect(viewFeature(podman, QUIET)).toEqual({
        path: podman.path,
        name: 'podman',
        description: 'The podman extension',
        version: '5.4.2',
        isOn: false,
        isBusy: false,
        job: null,
        problem: '',
        pending: 'none',
    });
});

test.each([
    ['an update', {Newest: '5.5.0'}, '5.4.2 → 5.5.0'],
    ['only an older one offered', {Newest: '5.4.0'}, '5.4.2'],
    ['nothing offered', {Newest: ''}, '5.4.2'],
    ['an update that the next boot merges', {Installed: '5.5.0', Newest: '5.5.0'}, '5.4.2 → 5.5.0'],
])('tells the version with %s', (_what, values, version) => {
    expect(viewFeature(activeFeature('podman', '5.4.2', values), QUIET).version).toBe(version);
});

test('offers no update of a feature that is off', () => {
    const off = activeFeature('podman', '5.4.2', {Enabled: false, Newest: '5.5.0'});
    expect(hasUpdate(off)).toBe(false);
    expect(viewFeature(off, QUIET).version).toBe('5.4.2');
});

test.each([
    ['on but not merged', {Enabled: true, Installed: '5.4.2', Active: ''}, 'merged-at-boot'],
    [
        'on, with another version merged',
        {Enabled: true, Installed: '2', Active: '1'},
        'merged-at-boot',
    ],
    ['off but still merged', {Enabled: false, Active: '5.4.2'}, 'unmerged-at-boot'],
    ['on and merged', {Enabled: true, Installed: '1', Active: '1'}, 'none'],
    ['on and not even installed', {Enabled: true}, 'none'],
] as const)('says what a restart brings to a feature that is %s', (_what, values, pending) => {
    expect(viewFeature(feature('podman', values), QUIET).pending).toBe(pending);
});

test('shows the switch as asked for while the call waits, and as it is when it was refused', () => {
    const asked = {...QUIET, asked: new Map([[podman.path, true]])};
    expect(viewFeature(podman, asked)).toMatchObject({isOn: true, isBusy: true});
    const refusals = new Map([[podman.path, {name: 'Busy', message: 'Another one runs'}]]);
    expect(viewFeature(podman, {...QUIET, refusals})).toMatchObject({
        isOn: false,
        isBusy: false,
        problem: 'Another one runs',
    });
});

test('shows the switch where its job takes it, and no problem while it runs', () => {
    const broken = feature('podman', {Problem: 'Not merged'});
    expect(viewFeature(broken, {...QUIET, jobs: [job(1)]})).toMatchObject({
        isOn: true,
        isBusy: true,
        job: job(1),
        problem: '',
    });
    const on = activeFeature('podman', '5.4.2');
    const disable = job(2, {Operation: 'features.disable'});
    expect(viewFeature(on, {...QUIET, jobs: [disable]}).isOn).toBe(false);
    const update = job(3, {Operation: 'features.update'});
    expect(viewFeature(on, {...QUIET, jobs: [update]}).isOn).toBe(true);
});

test('tells what the last job failed with until another one went well', () => {
    const failed = job(1, {State: 'failed', Error: ['x.NoSpace', 'Disk full']});
    expect(viewFeature(podman, {...QUIET, jobs: [failed]}).problem).toBe('Disk full');
    const done = job(2, {State: 'done'});
    expect(viewFeature(podman, {...QUIET, jobs: [failed, done]}).problem).toBe('');
});

test('takes the job of another feature for none of its own', () => {
    const other = job(1, {Target: 'podman-docker'});
    expect(viewFeature(podman, {...QUIET, jobs: [other]})).toMatchObject({job: null, isOn: false});
});

test('sums up what is merged, what has an update, and what goes on', () => {
    const features = [
        activeFeature('docker', '27', {Newest: '28'}),
        activeFeature('incus', '6'),
        podman,
    ];
    const check = job(1, {Operation: 'features.check', Target: ''});
    const enable = job(2);
    expect(summarize(features, [check, enable])).toEqual({
        activeCount: 2,
        updateCount: 1,
        job: enable,
        commonJob: check,
        commonProblem: '',
    });
});

test('tells what the last job for all failed with', () => {
    const failed = job(1, {Target: '', State: 'failed', Error: ['x.Network', 'No route']});
    expect(summarize([], [failed])).toMatchObject({job: null, commonProblem: 'No route'});
});

test.each([
    [-1, 0, null],
    [0, 0, 0],
    [0.456, 0, 45],
    [0.999, 0, 99],
    [1, 0, null],
    [1, 95e6, 100],
    [7, 95e6, 100],
])('shows a progress of %d, of %d bytes, as %s', (progress, total, shown) => {
    expect(percent(job(1, {Progress: progress, BytesTotal: total}))).toBe(shown);
});
