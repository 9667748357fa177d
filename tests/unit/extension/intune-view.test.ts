// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {type IntuneSurroundings, viewIntune} from '../../../extension/src/intune-view.ts';
import {isOfUser} from '../../../extension/src/snow-objects.ts';
import {absent, failed, outdated, running, stopped} from '../../desktop/containers.ts';
import {job} from './objects.ts';

const around: IntuneSurroundings = {jobs: [], isAsking: false, refusal: null};
const intuneJob = (verb: string, values = {}) =>
    job(1, {Operation: `intune.${verb}`, Target: 'intune-u1000', ...values});

test.each([
    [absent, 'start', 'starting'],
    [stopped, 'open', 'starting'],
    [running, 'open', 'running'],
    [running, 'restart', 'starting'],
    [running, 'stop', 'stopping'],
    [running, 'check', 'running'],
    [running, 'recreate', 'working'],
    [absent, 'init', 'working'],
] as const)('%# a job tells its state', (intune, verb, state) => {
    const view = viewIntune(intune, {...around, jobs: [intuneJob(verb)]});
    expect(view).toMatchObject({state, isBusy: true, problem: ''});
});

test.each([
    [absent, 'absent', null],
    [{...absent, State: 'something new'}, 'absent', null],
    [stopped, 'stopped', 'start'],
    [failed, 'failed', 'start'],
    [running, 'running', 'stop'],
    [{...stopped, State: 'starting'}, 'starting', 'stop'],
    [{...running, State: 'stopping'}, 'stopping', null],
] as const)('%# a state tells what a click does', (intune, state, click) => {
    expect(viewIntune(intune, around)).toMatchObject({state, click});
});

test('a container that runs is used, started and stopped while the next one is made', () => {
    const recreate = intuneJob('recreate');
    const jobs = [recreate, job(2, {Operation: 'intune.stop', Target: 'intune-u1000'})];
    const [alone, beside] = [[recreate], jobs].map(some =>
        viewIntune(running, {...around, jobs: some}),
    );
    expect(alone).toMatchObject({state: 'working', isOn: true, click: 'stop', canOpen: true});
    expect(beside).toMatchObject({state: 'stopping', click: null, canOpen: false, job: recreate});
    const restore = {...around, jobs: [intuneJob('restore')]};
    expect(viewIntune(running, restore)).toMatchObject({click: null, canOpen: false});
    expect(viewIntune(running, {...around, isAsking: true}).click).toBeNull();
});

test('a start that failed shows until something else is done', () => {
    const end = {State: 'failed', Error: ['x', 'No space']};
    const jobs = [intuneJob('start', end)];
    expect(viewIntune(stopped, {...around, jobs})).toMatchObject({
        state: 'failed',
        problem: 'No space',
        click: 'start',
    });
    expect(viewIntune(running, {...around, jobs})).toMatchObject({state: 'running'});
    const refusal = {name: 'x', message: 'Busy'};
    expect(viewIntune(stopped, {...around, refusal})).toMatchObject({
        state: 'stopped',
        problem: 'Busy',
    });
});

test('an update is offered where the channel has another image, and there is a container', () => {
    expect(viewIntune(outdated, around).canUpdate).toBe(true);
    expect(viewIntune(running, around).canUpdate).toBe(false);
    expect(viewIntune({...running, NewestDigest: running.Digest}, around).canUpdate).toBe(false);
    expect(viewIntune({...outdated, State: 'absent'}, around).canUpdate).toBe(false);
});

test('applications without an id are left out, and those without a name have their id', () => {
    const Applications = [{id: 'edge'}, {name: 'Portal'}, {id: 7}];
    expect(viewIntune({...running, Applications}, around).applications).toEqual([
        {id: 'edge', name: 'edge', icon: ''},
    ]);
});

test('devices are those that are there, while it runs', () => {
    expect(viewIntune(running, around).devices).toEqual(['gpu', 'smart-cards']);
    expect(viewIntune({...running, State: 'stopped'}, around).devices).toEqual([]);
});

test('a job is of the user whose container it changes', () => {
    expect(isOfUser(intuneJob('start', {StartedByUID: 0}), 1000)).toBe(true);
    expect(isOfUser(intuneJob('start', {Target: 'intune-u1001'}), 1000)).toBe(false);
    expect(isOfUser(intuneJob('start', {Target: 'edge', StartedByUID: 1000}), 1000)).toBe(true);
    expect(isOfUser(intuneJob('run'), 1000)).toBe(false);
    expect(isOfUser(job(1), 4711)).toBe(true);
});
