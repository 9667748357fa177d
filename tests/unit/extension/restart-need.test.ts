// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {restartNeed} from '../../../extension/src/restart-need.ts';
import {activeFeature, deployment, feature, image} from './objects.ts';

const summary = {LastCheck: 0, Automatic: false, RestartNeeded: true, Problem: ''};
const features = [
    activeFeature('docker', '27'),
    activeFeature('incus', '6', {Installed: '7'}),
    feature('podman', {Enabled: true, Installed: '5'}),
    activeFeature('jq', '1', {Enabled: false}),
];
const staged = image({Staged: deployment('20261110'), RestartNeeded: true});

test('counts the extensions that a restart changes', () => {
    expect(restartNeed(image(), summary, features)).toEqual({
        isNeeded: true,
        image: null,
        featureCount: 3,
    });
});

test('names the image that a restart starts', () => {
    expect(restartNeed(staged, {...summary, RestartNeeded: false}, features)).toMatchObject({
        isNeeded: true,
        image: {version: '20261110'},
        featureCount: 0,
    });
    const rolledBack = image({RollbackQueued: true, RestartNeeded: true});
    expect(restartNeed(rolledBack, null, [])).toMatchObject({image: {version: '20261029'}});
});

test('tells of both at once', () => {
    expect(restartNeed(staged, summary, features)).toMatchObject({
        isNeeded: true,
        image: {version: '20261110'},
        featureCount: 3,
    });
});

test('needs none where the service says so, whatever is staged', () => {
    const shown = {...staged, RestartNeeded: false};
    expect(restartNeed(shown, {...summary, RestartNeeded: false}, features)).toEqual({
        isNeeded: false,
        image: null,
        featureCount: 0,
    });
    expect(restartNeed(null, null, [])).toMatchObject({isNeeded: false});
});
