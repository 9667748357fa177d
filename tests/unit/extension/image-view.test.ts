// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import type {ImageProperties} from '../../../extension/src/generated/dbus.ts';
import {
    type ImageSurroundings,
    type ImageView,
    viewImage,
} from '../../../extension/src/image-view.ts';
import {restartNeed} from '../../../extension/src/restart-need.ts';
import {deployment, image, job} from './objects.ts';

const newer = deployment('20261110');
const offered = image({Available: newer, LastOutcome: 'available'});
const staged = image({Staged: newer, RestartNeeded: true, LastOutcome: 'staged'});
const rolledBack = image({RollbackQueued: true, RestartNeeded: true});

function view(shown: ImageProperties, around: Partial<ImageSurroundings> = {}): ImageView {
    return viewImage(shown, {
        jobs: [],
        isAsking: false,
        refusal: null,
        restart: restartNeed(shown, null, []),
        ...around,
    });
}

const update = job(1, {Operation: 'image.update', Target: ''});
const failed = job(1, {...update, State: 'failed', Error: ['x.Network', 'No route']});
const done = job(2, {...update, State: 'done'});

test.each([
    ['nothing to be done', image(), {}, 'current'],
    ['an update', offered, {}, 'available'],
    ['a staged update', staged, {}, 'restart'],
    ['a queued rollback', rolledBack, {}, 'restart'],
    [
        'a newer image than the staged one',
        {...staged, Available: deployment('2027')},
        {},
        'restart',
    ],
    ['a running job', staged, {jobs: [update]}, 'working'],
    ['a failed job', image(), {jobs: [failed]}, 'failed'],
    ['a failed job, and one that went well since', image(), {jobs: [failed, done]}, 'current'],
    ['a failed job, and something staged', staged, {jobs: [failed]}, 'restart'],
    ['a check that failed elsewhere', image({LastOutcome: 'failed'}), {}, 'failed'],
    ['a problem', {...staged, Problem: 'No signature policy'}, {}, 'problem'],
    [
        'an update that was rolled back from',
        {...offered, Rollback: newer, LastOutcome: 'held-rollback'},
        {},
        'held-rollback',
    ],
    ['no check since the boot', image({LastOutcome: ''}), {}, 'unknown'],
    [
        'an offer that is staged already',
        {...staged, RestartNeeded: false, Available: newer},
        {},
        'current',
    ],
    ['an offer that runs already', image({Available: deployment('20261105')}), {}, 'current'],
] as const)('tells of %s', (_what, shown, around, state) => {
    expect(view(shown, around).state).toBe(state);
});

test('shows each image once, for what it is', () => {
    const kinds = (shown: ImageProperties) =>
        view(shown).rows.map(({kind, deployment: {version}}) => `${kind} ${version}`);
    expect(kinds(image())).toEqual(['running 20261105', 'rollback 20261029']);
    expect(kinds({...staged, Available: newer, Downloaded: newer})).toEqual([
        'running 20261105',
        'next 20261110',
        'rollback 20261029',
    ]);
    expect(kinds({...offered, Downloaded: newer})).toEqual([
        'running 20261105',
        'available 20261110',
        'downloaded 20261110',
        'rollback 20261029',
    ]);
    expect(kinds(rolledBack)).toEqual(['running 20261105', 'next 20261029']);
    expect(kinds({...offered, Rollback: newer})).toEqual(['running 20261105', 'rollback 20261110']);
});

test('says which image is another one than what runs', () => {
    const other = deployment('1', {image: 'ghcr.io/frostyard/snowloaded:latest'});
    const {rows} = view({...staged, Staged: other});
    expect(rows.map(({kind, isOther}) => [kind, isOther])).toEqual([
        ['running', false],
        ['next', true],
        ['rollback', false],
    ]);
});

test.each([
    ['nothing to be done', image(), ['check', 'rollback']],
    ['an update', offered, ['update', 'download', 'check', 'rollback']],
    ['one that is downloaded', {...offered, Downloaded: newer}, ['update', 'check', 'rollback']],
    ['a staged update', staged, ['check', 'rollback', 'unstage']],
    ['a queued rollback', rolledBack, ['check', 'unstage']],
    ['nothing to go back to', image({Rollback: {}}), ['check']],
    ['a driver that can do nothing', {...offered, Capabilities: []}, []],
    ['a driver that cannot check', image({Capabilities: ['update']}), ['update']],
] as const)('offers with %s what can be done', (_what, shown, actions) => {
    expect([...view(shown).actions]).toEqual(actions);
});

test('offers a switch where there is another channel and the driver can', () => {
    expect(view(image())).toMatchObject({canSwitch: true, followed: 'Snow'});
    const [snow = {}] = image().Channels;
    expect(view(image({Channels: [snow]})).canSwitch).toBe(false);
    expect(view(image({Capabilities: ['update']})).canSwitch).toBe(false);
    expect(view(image({Channels: []})).followed).toBe('ghcr.io/frostyard/snow:latest');
});

test('names what would be undone', () => {
    expect(view(staged).undo).toBe('update');
    expect(view(rolledBack).undo).toBe('rollback');
    const other = deployment('1', {image: 'ghcr.io/frostyard/cayo:latest'});
    expect(view({...staged, Staged: other}).undo).toBe('switch');
});

test('keeps quiet about problems while something is done about them', () => {
    const refusal = {name: 'x.Busy', message: 'Another job runs'};
    const broken = image({Problem: 'No signature policy'});
    expect(view(broken).problem).toBe('No signature policy');
    expect(view(broken, {jobs: [failed]}).problem).toBe('No route');
    expect(view(broken, {jobs: [failed], refusal}).problem).toBe('Another job runs');
    expect(view(broken, {jobs: [failed, update]})).toMatchObject({problem: '', isBusy: true});
    expect(view(broken, {isAsking: true})).toMatchObject({problem: '', isBusy: true, job: null});
});

test('names the extensions that will be missing, or may be', () => {
    const Extensions = ['ready', 'missing', 'unknown'].map(state => ({
        feature: state,
        state,
        version: '',
        text: `is ${state}`,
    }));
    expect(view({...staged, Extensions}).outlooks).toEqual([
        {feature: 'missing', state: 'missing', text: 'is missing'},
        {feature: 'unknown', state: 'unknown', text: 'is unknown'},
    ]);
});

test('makes do with images of which little is known', () => {
    const shown = image({
        Booted: {version: 7, digest: 'sha256:0123456789abcdef'},
        Rollback: {pinned: true},
        Channels: [{name: 'snow'}],
        Extensions: [{state: 'missing'}],
    });
    expect(view(shown)).toMatchObject({
        rows: [
            {deployment: {version: '', digest: 'sha256:0123456789abcdef', timestamp: 0}},
            {kind: 'rollback'},
        ],
        channels: [{name: 'snow', title: 'snow', isFollowed: false}],
        outlooks: [{feature: '', state: 'missing', text: ''}],
    });
});
