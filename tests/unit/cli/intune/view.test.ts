// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {failedInspection, parseInspection} from '../../../../helper/src/cli/intune/inspection.ts';
import {
    planAdopt,
    planDestroy,
    planInit,
    planRecreate,
    planRestore,
} from '../../../../helper/src/cli/intune/plan.ts';
import {containerSummary} from '../../../../helper/src/cli/intune/state.ts';
import {statusDocument, statusText} from '../../../../helper/src/cli/intune/view.ts';

const NOW = 1_760_000_100;
const plain = {columns: null, isBold: false};
const running = containerSummary({
    State: 'running',
    Image: 'ghcr.io/frostyard/ubuntu-intune:latest',
    Digest: `sha256:${'1'.repeat(64)}`,
    Channel: 'stable',
    StartedAt: NOW - 100,
    Settings: {channel: 'stable', gpu: true, audio: false, 'memory-max': '4G', 'cpu-quota': ''},
    Bindings: [{kind: 'gpu', source: '/dev/dri', target: '/dev/dri', present: true}],
    CanRestore: true,
});

describe('the state of a container', () => {
    it('is read from properties, and none is trusted to be there', () => {
        expect(containerSummary({})).toMatchObject({state: 'absent', settings: {}, bindings: []});
        expect(
            containerSummary({State: 3, Settings: [1], Bindings: [null], LastCheck: 'x'}),
        ).toMatchObject({
            state: 'absent',
            settings: {},
            bindings: [{kind: '', present: false}],
            lastCheck: 0,
        });
    });

    it('says since when it runs, what it has and how it goes back', () => {
        const text = statusText(running, null, NOW, plain);
        expect(text).toMatch(/^State: +running since .* \(1:40\)$/m);
        expect(text).toMatch(/^Settings: +gpu memory-max=4G$/m);
        expect(text).toMatch(/^From this machine: +gpu: \/dev\/dri$/m);
        expect(text).toMatch(/^Can go back: +snowctl intune recreate --undo$/m);
        expect(text).not.toMatch(/Keyring|Problem|Newer/);
    });

    it('says what to do where there is none', () => {
        expect(statusText(containerSummary({}), null, NOW, plain)).toBe(
            'State: absent; "snowctl intune init" makes a container\n',
        );
    });

    it('lets nothing of a container drive the terminal', () => {
        const inspection = parseInspection(
            JSON.stringify({keyring: '\u001b[2J', problems: [{problem: 'a\nb', remedy: '\u0007'}]}),
        );
        // eslint-disable-next-line no-control-regex
        expect(statusText(running, inspection, NOW, plain)).not.toMatch(/[\u001b\u0007]|^b/m);
    });

    it('has every problem once, with its remedy', () => {
        const broken = {...running, problem: 'It is on fire'};
        const inspection = parseInspection('{"problems":[{"problem":"p","remedy":"r"}]}');
        expect(statusDocument(1000, broken, inspection, NOW)).toMatchObject({
            uid: 1000,
            uptime: 100,
            problems: [
                {problem: 'It is on fire', remedy: ''},
                {problem: 'p', remedy: 'r'},
            ],
        });
    });
});

describe('a report', () => {
    it.each(['', 'null', '[]', '{"problems":{"a":1}}', '{"lastCompliance":[]}'])(
        'that is %j is no accident',
        text => {
            expect(parseInspection(text).session).toMatchObject({
                sessionBus: null,
                keyring: '',
                lastCompliance: null,
            });
        },
    );

    it('that cannot be had is a problem', () => {
        expect(parseInspection('{').problems).toHaveLength(1);
        expect(failedInspection('it hangs').problems).toEqual([
            {
                problem: 'The container cannot be looked into: it hangs',
                remedy: 'Restart the container (snowctl intune restart)',
            },
        ]);
    });
});

describe('a plan', () => {
    const source = {channel: '', image: ''};

    it('names the image that is fetched', () => {
        expect(planInit(null, source).steps[0]).toBe(
            'fetch the newest image of the channel stable',
        );
        expect(planInit(null, {channel: 'insiders', image: ''}).steps[0]).toContain('insiders');
        expect(planInit(null, {channel: '', image: 'x/y:1'}).steps[0]).toBe('fetch x/y:1');
        const custom = {...running, channel: 'custom', image: 'x/y:2'};
        expect(planRecreate(custom, source).steps[0]).toBe('fetch x/y:2');
        expect(planRecreate(custom, {channel: 'stable', image: ''}).steps[0]).toContain('stable');
        expect(planAdopt(null).steps).toHaveLength(4);
    });

    it('says what is stopped for it', () => {
        expect(planRestore(running).steps).toEqual([
            'stop the container, which closes its applications',
            'put the other one into its place, and keep it',
            'start the container',
        ]);
        expect(planRestore({...running, state: 'stopped'}).steps).toHaveLength(1);
    });

    it('names all that is removed, and nothing else of the user', () => {
        const {steps} = planDestroy(1000, running, false);
        expect(steps).toContain('remove /var/lib/machines/.intune-u1000.previous');
        expect(steps.filter(step => step.includes('~/Intune/'))).toHaveLength(6);
        expect(steps).not.toContain('remove the settings');
        expect(planDestroy(1000, null, true).steps.at(-1)).toBe('remove the settings');
    });
});
