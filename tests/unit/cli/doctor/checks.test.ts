// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, it} from 'vitest';

import {type CheckName, diagnose} from '../../../../helper/src/cli/doctor/checks.ts';
import type {Facts} from '../../../../helper/src/cli/doctor/facts.ts';
import {featureState} from '../feature-states.ts';

const healthy: Facts = {
    isOffline: false,
    features: [
        featureState('docker', {Enabled: true, Installed: '1.1', Active: '1.1'}),
        featureState('podman'),
    ],
    definitionProblems: [],
    needsKeys: true,
    keyrings: ['/etc/systemd/import-pubring.gpg'],
    missingPrograms: [],
    isSysextEnabled: true,
    leftovers: [],
    space: [{path: '/var/lib/extensions.d', freeBytes: 50e9}],
    missingFiles: [],
    isAutomatic: true,
    extensions: [
        {path: '/var/lib/extensions/docker.raw', image: '/var/lib/extensions.d/docker_1.1.raw'},
    ],
    image: null,
    intune: null,
};

it('finds nothing on a healthy machine', () => {
    expect(diagnose(healthy)).toEqual([]);
});

const cases: readonly [CheckName, Partial<Facts>, RegExp][] = [
    ['definitions', {definitionProblems: ['/etc/sysupdate.d/x: no section']}, /no section/],
    [
        'features',
        {features: [featureState('docker', {Enabled: true, Problem: 'No manifest'})]},
        /docker: No manifest/,
    ],
    ['merged', {features: [featureState('docker', {Enabled: true})]}, /docker is enabled, but not/],
    [
        'merged',
        {features: [featureState('docker', {Enabled: true, Installed: '1.1'})]},
        /docker 1\.1 is installed, but not merged/,
    ],
    ['keyring', {keyrings: []}, /no key/],
    [
        'programs',
        {
            missingPrograms: [
                {names: ['gpgv', 'sqv'], package: 'gpgv', purpose: 'signatures are verified'},
            ],
        },
        /gpgv or sqv is missing/,
    ],
    ['boot', {isSysextEnabled: false}, /systemd-sysext\.service is off/],
    ['space', {space: [{path: '/var', freeBytes: 120e6}]}, /Only 120\.0 MB are left for \/var/],
    [
        'installation',
        {missingFiles: ['/usr/lib/systemd/system/snowd.service']},
        /snowd\.service is/,
    ],
    [
        'links',
        {extensions: [{path: '/etc/extensions/gone.raw', image: null}]},
        /\/etc\/extensions\/gone\.raw leads nowhere/,
    ],
    [
        'links',
        {
            extensions: [
                {path: '/var/lib/extensions/a.raw', image: '/var/lib/extensions.d/x.raw'},
                {path: '/var/lib/extensions/b.raw', image: '/var/lib/extensions.d/x.raw'},
            ],
        },
        /a\.raw and \/var\/lib\/extensions\/b\.raw are the same image/,
    ],
    [
        'links',
        {
            extensions: [
                {path: '/etc/extensions/a', image: '/etc/extensions/a'},
                {path: '/var/lib/extensions/a.raw', image: '/var/lib/extensions.d/x.raw'},
            ],
        },
        /have the same name/,
    ],
];

it.each(cases)('%s: a problem with %j', (check, facts, message) => {
    const findings = diagnose({...healthy, ...facts});
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({check, severity: 'problem'});
    expect(findings[0]?.message).toMatch(message);
    expect(findings[0]?.advice).not.toBe('');
});

const notes: readonly [CheckName, Partial<Facts>][] = [
    [
        'merged',
        {features: [featureState('docker', {Enabled: true, Installed: '1.1', Active: '1.0'})]},
    ],
    ['leftovers', {leftovers: ['/var/lib/extensions.d/.#x']}],
    ['automatic', {features: [featureState('podman')]}],
    ['installation', {isOffline: true, missingFiles: ['/usr/lib/systemd/system/snowd.service']}],
];

it.each(notes)('%s: a note with %j', (check, facts) => {
    expect(diagnose({...healthy, ...facts})).toMatchObject([{check, severity: 'note'}]);
});

it('does not ask for what is not needed', () => {
    expect(diagnose({...healthy, needsKeys: false, keyrings: []})).toEqual([]);
    const off = {features: [featureState('podman')], isAutomatic: false};
    expect(diagnose({...healthy, ...off, isSysextEnabled: false})).toEqual([]);
});

it('puts problems before notes', () => {
    const findings = diagnose({...healthy, leftovers: ['/x'], isSysextEnabled: false});
    expect(findings.map(({severity}) => severity)).toEqual(['problem', 'note']);
});
