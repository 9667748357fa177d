// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {findFeature} from '../../../helper/src/cli/feature-names.ts';
import {listText, stateText} from '../../../helper/src/cli/feature-view.ts';
import {type Outcome, outcomeText} from '../../../helper/src/cli/outcomes.ts';
import {featureState} from './feature-states.ts';

const plain = {columns: null, isBold: false};

describe('the state in words', () => {
    it.each([
        [{}, 'disabled'],
        [{Enabled: true, Installed: '1.0', Active: '1.0', Newest: '1.0'}, 'enabled, merged'],
        [
            {Enabled: true, Installed: '1.0', Active: '1.0', Newest: '1.1'},
            'enabled, merged, update available',
        ],
        [{Enabled: true, Installed: '1.1', Active: '1.0'}, 'enabled, merged, restart needed'],
        [{Enabled: true, Installed: '1.10', Newest: '1.9'}, 'enabled'],
        [{Enabled: true, Problem: 'x'}, 'enabled, problem'],
    ])('%j is %s', (known, text) => {
        expect(stateText(featureState('docker', known))).toBe(text);
    });
});

it('lists features, and what is wrong with them below', () => {
    const docker = {Enabled: true, Problem: 'It is on, but not installed', Newest: '1.1'};
    expect(listText([featureState('docker', docker), featureState('podman')], plain)).toBe(
        [
            'NAME    STATE             VERSION  NEWEST  DESCRIPTION\n',
            'docker  enabled, problem  -        1.1     The docker extension\n',
            'podman  disabled          -        -       The podman extension\n',
            '\n',
            'docker: It is on, but not installed\n',
        ].join(''),
    );
});

describe('a name', () => {
    const states = [
        featureState('docker'),
        featureState('work/dev', {Name: 'dev'}),
        featureState('home/dev', {Name: 'dev'}),
        featureState('lab/nix', {Name: 'nix'}),
    ];

    it.each([
        ['docker', 'docker'],
        ['home/dev', 'home/dev'],
        ['nix', 'lab/nix'],
    ])('%s is %s', (word, id) => {
        expect(findFeature(states, word).id).toBe(id);
    });

    it('that several have is an error that names them', () => {
        expect(() => findFeature(states, 'dev')).toThrow('work/dev and home/dev');
    });

    it('that none has is an error with what was meant', () => {
        expect(() => findFeature(states, 'dokcer')).toThrow(
            'There is no feature "dokcer"; did you mean "docker"?',
        );
    });
});

describe('the sentence', () => {
    const outcome: Outcome = {
        operation: 'enable',
        feature: 'docker',
        version: '1.1',
        merged: true,
        warnings: [],
        features: ['docker'],
    };

    it.each([
        [{}, 'docker 1.1 is enabled and merged.'],
        [{merged: false}, 'docker 1.1 is enabled; restart to use it.'],
        [{features: []}, 'docker 1.1 was enabled already.'],
        [{operation: 'disable', version: ''}, 'docker is disabled.'],
        [{operation: 'disable', version: '', features: []}, 'docker was disabled already.'],
        [{operation: 'update'}, 'docker is updated to 1.1.'],
        [{operation: 'update', features: []}, 'docker 1.1 is the newest already.'],
        [
            {operation: 'update', feature: '', version: '', features: ['a', 'b', 'c']},
            'a, b and c are updated.',
        ],
        [
            {operation: 'update', feature: '', version: '', features: ['a'], merged: false},
            'a is updated; restart to use it.',
        ],
        [{operation: 'update', feature: '', features: []}, 'Everything is up to date.'],
        [{operation: 'rollback', version: '1.0'}, 'docker is back at 1.0.'],
    ] as const)('for %j is "%s"', (known, text) => {
        expect(outcomeText({...outcome, ...known}, false)).toBe(text);
    });

    it('speaks of no restart where a tree is changed', () => {
        expect(outcomeText({...outcome, merged: false}, true)).toBe('docker 1.1 is enabled.');
    });
});
