// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, it} from 'vitest';

import {diagnoseIntune} from '../../../../helper/src/cli/doctor/intune-checks.ts';
import type {IntuneFacts} from '../../../../helper/src/cli/doctor/intune-facts.ts';
import {parseInspection} from '../../../../helper/src/cli/intune/inspection.ts';
import {containerSummary} from '../../../../helper/src/cli/intune/state.ts';

const container = {
    uid: 1000,
    state: containerSummary({State: 'running'}),
    failure: '',
    inspection: null,
};
const healthy: IntuneFacts = {
    containers: [container],
    tools: ['skopeo', 'umoci'],
    hasNspawn: true,
    kernel: '6.12.3-amd64',
    fileSystems: [
        {path: '/var/lib/machines', type: 'btrfs'},
        {path: '/home/alice', type: 'ext4'},
    ],
    settingProblems: [],
    missingFiles: [],
};

it('finds nothing where all is well, or where nobody needs it', () => {
    expect(diagnoseIntune(healthy)).toEqual([]);
    expect(diagnoseIntune(null)).toEqual([]);
});

it.each<readonly [Partial<IntuneFacts>, RegExp, RegExp]>([
    [{hasNspawn: false}, /systemd-nspawn is missing/, /systemd-container/],
    [{tools: ['skopeo']}, /no program that images are fetched with/, /skopeo and umoci/],
    [{kernel: '5.10.0-30-amd64'}, /kernel 5\.10\.0-30-amd64 cannot ID-map/, /5\.12/],
    [
        {fileSystems: [{path: '/home/alice', type: 'nfs4'}]},
        /\/home\/alice is on nfs4/,
        /ext4, xfs or btrfs/,
    ],
    [
        {fileSystems: [{path: '/home/alice', type: 'fuse.gocryptfs'}]},
        /is on fuse\.gocryptfs/,
        /ext4/,
    ],
    [{settingProblems: ['/etc/snow-control/intune.conf:3: Gpu= takes yes or no']}, /:3: /, /line/],
    [{missingFiles: ['/usr/lib/snow-control/snow-intune-job']}, /snow-intune-job is/, /again/],
    [
        {containers: [{...container, state: null, failure: 'The service is away'}]},
        /cannot be read: The service is away/,
        /journalctl/,
    ],
    [
        {containers: [{...container, state: containerSummary({Problem: 'It ended'})}]},
        /It ended/,
        /intune status/,
    ],
    [
        {
            containers: [
                {
                    ...container,
                    inspection: parseInspection(
                        '{"problems":[{"problem":"The keyring is locked","remedy":"Restart it"}]}',
                    ),
                },
            ],
        },
        /The keyring is locked/,
        /Restart it/,
    ],
])('%j is a problem with a remedy', (facts, message, advice) => {
    expect(diagnoseIntune({...healthy, ...facts})).toEqual([
        {
            severity: 'problem',
            message: expect.stringMatching(message) as unknown,
            advice: expect.stringMatching(advice) as unknown,
        },
    ]);
});

it('only notes what keeps somebody without a container from having one', () => {
    const facts = {...healthy, containers: [], tools: [], hasNspawn: false};
    expect(diagnoseIntune(facts)).toMatchObject([{severity: 'note'}, {severity: 'note'}]);
});

it('recommends what does it better, and a newer image', () => {
    expect(diagnoseIntune({...healthy, tools: ['podman']})).toMatchObject([
        {severity: 'note', message: expect.stringContaining('fetched with podman')},
    ]);
    const outdated = containerSummary({State: 'stopped', NewestDigest: 'sha256:2'});
    expect(
        diagnoseIntune({...healthy, containers: [{...container, state: outdated}]}),
    ).toMatchObject([{severity: 'note', message: expect.stringContaining('newer image')}]);
});

it('says whose container it is where there are more', () => {
    const broken = {...container, uid: 1001, state: containerSummary({Problem: 'It ended'})};
    expect(diagnoseIntune({...healthy, containers: [container, broken]})).toMatchObject([
        {message: 'Intune of user 1001: It ended.'},
    ]);
});
