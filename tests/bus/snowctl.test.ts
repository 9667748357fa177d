// SPDX-License-Identifier: GPL-2.0-or-later
// snowctl against the service, in a mount namespace where /run has the stand-in's features.
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

import type {Running} from './harness/processes.ts';
import {makeSnowctl, type Snowctl, type Started} from './harness/snowctl.ts';
import {initialState, setStage, type Stage} from './harness/stage.ts';

let stage: Stage;
let service: Running;
let program: Snowctl;

beforeAll(async () => {
    stage = await setStage({
        rules: `polkit.addRule(function (action, subject) {
            return subject.user === 'root' ? polkit.Result.YES : polkit.Result.NOT_HANDLED;
        });`,
    });
    [service, program] = await Promise.all([
        stage.startService(),
        makeSnowctl(stage, defineFeatures),
    ]);
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Definitions by the names of the stand-in, for what snowctl reads from the machine. */
const defineFeatures = Object.keys(initialState.features)
    .map(
        name =>
            `mkdir /run/sysupdate.${name}.d && ` +
            `printf '[Feature]\\nEnabled=${name === 'brief'}\\n' >/run/sysupdate.${name}.d/${name}.feature`,
    )
    .join(' && ');

const start: Snowctl['start'] = (...args) => program.start(...args);
const snowctl: Snowctl['run'] = (...args) => program.run(...args);

describe('a change', () => {
    it('is done by the service, and told as a sentence', async () => {
        expect(await snowctl('features', 'enable', 'quick')).toEqual({
            status: 0,
            stdout: 'quick 1.0 is enabled and merged.\n',
            stderr: 'Working on quick\n',
        });
        expect((await stage.readState()).features['quick']).toBe(true);
    });

    it('of several is made one after the other', async () => {
        const {status, stdout} = await snowctl('features', 'disable', 'quick', 'brief', '--json');
        expect(status).toBe(0);
        expect(JSON.parse(stdout)).toMatchObject({
            results: [
                {operation: 'disable', feature: 'quick', features: ['quick']},
                {operation: 'disable', feature: 'brief', features: ['brief']},
            ],
        });
    });

    it('that fails ends with its code, and says what was done before', async () => {
        const {status, stdout, stderr} = await snowctl(
            ...['features', 'enable', 'quick', 'failing', 'brief', '--json'],
        );
        expect(status).toBe(6);
        expect(JSON.parse(stdout)).toMatchObject({
            error: {code: 'Network', message: 'The server does not answer'},
            results: [{feature: 'quick'}],
        });
        expect(stderr).toBe('snowctl: The server does not answer\n');
    });

    it('is JSON lines with --json=stream', async () => {
        const {stdout} = await snowctl('features', 'enable', 'brief', '--json=stream');
        const lines = stdout.trimEnd().split('\n');
        const events = lines.map(line => JSON.parse(line) as {readonly type: string});
        expect(events[0]).toMatchObject({type: 'job', operation: 'enable', target: 'brief'});
        expect(events).toContainEqual({type: 'step', target: 'brief', step: 'Working on brief'});
        expect(events.at(-1)).toMatchObject({type: 'result'});
    });

    it('is refused to those who may not, without a question', async () => {
        const {ended} = start(['features', 'enable', 'quick', '--no-ask-password'], {
            user: 'games',
        });
        const {status, stdout, stderr} = await ended;
        expect([status, stdout]).toEqual([3, '']);
        expect(stderr).toMatch(/^snowctl: [^\n]+\n$/);
    });
});

describe('a job', () => {
    it('is canceled by Ctrl+C', async () => {
        const {child, ended, waitFor} = start(['features', 'enable', 'slow']);
        await waitFor('Working on slow');
        child.kill('SIGINT');
        const {status, stderr} = await ended;
        expect(status).toBe(130);
        expect(stderr).toMatch(/snowctl: [^\n]+\n$/);
        expect(await snowctl('jobs')).toMatchObject({
            status: 0,
            stdout: expect.stringMatching(/cancelled +features\.enable +slow/),
        });
    });

    it('is only started with --no-wait, listed and canceled by its number', async () => {
        const started = await snowctl('features', 'enable', 'slow', '--no-wait', '--json');
        const {job} = JSON.parse(started.stdout) as {readonly job: string};
        const {jobs} = JSON.parse((await snowctl('jobs', '--json')).stdout) as {
            readonly jobs: readonly {readonly number: string}[];
        };
        expect(jobs.find(({number}) => number === job)).toMatchObject({
            state: 'running',
            target: 'slow',
            startedByUid: 0,
            error: null,
        });

        expect(await snowctl('features', 'enable', 'quick')).toMatchObject({
            status: 5,
            stderr: expect.stringMatching(/^snowctl: [^\n]+\n$/),
        });
        expect(await snowctl('__complete', 'job')).toMatchObject({
            stdout: `${job}\tfeatures.enable slow\n`,
        });
        expect(await snowctl('cancel', job)).toMatchObject({
            status: 0,
            stdout: `Job ${job} is canceled.\n`,
        });
    });

    it('that is not there cannot be canceled', async () => {
        expect(await snowctl('cancel', '99999')).toMatchObject({
            status: 4,
            stderr: 'snowctl: There is no job 99999\n',
        });
    });

    it('that another user started cannot be canceled', async () => {
        const {stdout} = await snowctl('features', 'enable', 'slow', '--no-wait', '--json');
        const {job} = JSON.parse(stdout) as {readonly job: string};
        const {status} = await start(['cancel', job, '--no-ask-password'], {user: 'games'}).ended;
        expect(status).toBe(3);
        await snowctl('cancel', job);
    });
});

describe('on a terminal', () => {
    const onTerminal = (user: string, ...args: readonly string[]): Started =>
        start(args, {user, hasTerminal: true});

    it('shows a bar, and cancels by Ctrl+C', async () => {
        const {child, ended, waitFor} = onTerminal('root', 'features', 'enable', 'slow');
        await waitFor('of 1.0 kB');
        child.stdin?.write('\u0003');
        const {status, stdout} = await ended;
        expect(status).toBe(130);
        expect(stdout).toMatch(/\rWorking on slow {2}\[#+-+\] +\d+% {2}\d+ bytes of 1\.0 kB/);
        // The bar is gone before the last line comes.
        expect(stdout.split('\u001b[K').at(-1)).toMatch(/^\rsnowctl: [^\n]+\r\n$/);
    });

    it('has the password asked for there, and leaves by Ctrl+C', async () => {
        const {child, ended, waitFor} = onTerminal('games', 'features', 'enable', 'quick');
        await waitFor('AUTHENTICATING FOR org.frostyard.Snow1.features.manage');
        await waitFor('Password: ');
        child.stdin?.write('\u0003');
        expect((await ended).status).toBe(130);
    });

    it('asks nothing with --no-ask-password', async () => {
        const {ended} = onTerminal('games', 'features', 'enable', 'quick', '--no-ask-password');
        const {status, stdout} = await ended;
        expect(status).toBe(3);
        expect(stdout).not.toContain('AUTHENTICATING');
    });
});

it('says it where the service dies in the middle, and knows no jobs then', async () => {
    const {ended, waitFor} = start(['features', 'enable', 'slow', '--json=stream']);
    await waitFor('"progress"');
    service.child.kill('SIGKILL');
    const {status, stdout, stderr} = await ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(/^snowctl: The service snowd stopped in the middle; [^\n]+\n$/);
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
        type: 'error',
        error: {code: 'Failed'},
    });
    expect(await snowctl('jobs')).toEqual({status: 0, stdout: 'There are no jobs.\n', stderr: ''});
    expect(await snowctl('features', 'enable', 'quick')).toMatchObject({
        status: 9,
        stderr: 'snowctl: The service snowd is not installed on this machine\n',
    });
});
