// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, it} from 'vitest';

import {diagnoseImage} from '../../../../helper/src/cli/doctor/image-checks.ts';
import type {ImageFacts} from '../../../../helper/src/cli/doctor/image-facts.ts';
import {imageOf, stateOf} from '../image-states.ts';

const healthy: ImageFacts = {
    driver: 'bootc',
    state: stateOf({lastOutcome: 'current'}),
    failure: '',
    checkFailure: '',
    noted: null,
};
const noted = (key: 'digest' | 'version', value: string): ImageFacts['noted'] => ({
    image: '',
    identity: {key, value},
    stagedAt: 0,
});

it('finds nothing on a healthy machine, and nothing where there is no image', () => {
    expect(diagnoseImage(healthy)).toEqual([]);
    expect(diagnoseImage(null)).toEqual([]);
    const staged = imageOf('2');
    const updated = {
        ...healthy,
        state: stateOf({staged}),
        noted: noted('digest', staged.digest ?? ''),
    };
    expect(diagnoseImage(updated)).toEqual([]);
});

const cases: readonly [string, Partial<ImageFacts>, RegExp][] = [
    ['the service does not answer', {state: null, failure: 'No bus'}, /\(bootc\).*: No bus\.$/],
    [
        'bootc cannot be read',
        {state: stateOf({booted: null, problem: 'bootc does not answer'})},
        /cannot be read: bootc does not answer\.$/,
    ],
    [
        'there is a problem',
        {state: stateOf({problem: 'It is odd.'})},
        /^System image: It is odd\.$/,
    ],
    [
        'the last check failed',
        {state: stateOf({lastOutcome: 'failed'}), checkFailure: 'No route to the registry'},
        /failed: No route to the registry\.$/,
    ],
    [
        'another entry is the default',
        {state: stateOf(), noted: noted('version', '2')},
        /^2 was staged, but the next restart does not start it\.$/,
    ],
    [
        'a rollback is queued over a staged image',
        {state: stateOf({staged: imageOf('2'), rollbackQueued: true})},
        /^2 is staged, but the next restart goes back to 0\.$/,
    ],
    [
        'an extension is missing then',
        {
            state: stateOf({
                staged: imageOf('2'),
                extensions: [
                    {feature: 'podman', state: 'missing', version: '', text: 'No version for it'},
                    {feature: 'docker', state: 'ready', version: '1', text: ''},
                ],
            }),
        },
        /^podman will be missing after the restart: No version for it\.$/,
    ],
];

it.each(cases)('has a problem and a remedy when %s', (_, facts, message) => {
    const findings = diagnoseImage({...healthy, ...facts});
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({severity: 'problem'});
    expect(findings[0]?.message).toMatch(message);
    expect(findings[0]?.advice).not.toBe('');
});

it('has a note when an update is held back', () => {
    const state = stateOf({lastOutcome: 'held-rollback'});
    expect(diagnoseImage({...healthy, state})).toMatchObject([{severity: 'note'}]);
});
