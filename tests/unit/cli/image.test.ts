// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {type ImageOutcome, outcomeOf, outcomeText} from '../../../helper/src/cli/image/outcome.ts';
import {
    planRollback,
    planSwitch,
    planUnstage,
    planUpdate,
} from '../../../helper/src/cli/image/plan.ts';
import {type ImageState, imageState} from '../../../helper/src/cli/image/state.ts';
import {findTarget, refuseMalformed, switchQuestion} from '../../../helper/src/cli/image/switch.ts';
import {
    channelsText,
    historyText,
    imageName,
    stateText,
    statusDocument,
    statusText,
} from '../../../helper/src/cli/image/view.ts';
import {SnowError} from '../../../helper/src/host/error.ts';
import {imageOf, SNOW, SNOWFIELD, stateOf} from './image-states.ts';

const plain = {columns: null, isBold: false};
const unmanaged = imageState({Problem: 'Nobody manages it'});

describe('the properties of the bus', () => {
    it('become a state, in which what is not known is null', () => {
        const state = imageState({
            Driver: 'bootc',
            Followed: SNOW,
            Booted: {version: '1', image: SNOW, timestamp: 1_760_000_000, 'soft-reboot': true},
            Staged: {},
            RollbackQueued: false,
            Channels: [{name: 'snow', title: 'Snow', image: SNOW, followed: true}],
            Capabilities: ['check'],
            Extensions: [{feature: 'podman', state: 'missing', text: 'None'}],
            RestartNeeded: true,
            LastCheck: 1_760_000_001,
            LastOutcome: 'available',
            Problem: '',
        });
        expect(state).toMatchObject({
            driver: 'bootc',
            booted: {version: '1', digest: null, timestamp: 1_760_000_000, softReboot: true},
            staged: null,
            rollback: null,
            channels: [{name: 'snow', description: '', followed: true}],
            extensions: [{feature: 'podman', state: 'missing', version: ''}],
            restartNeeded: true,
            lastCheck: 1_760_000_001,
        });
    });

    it('of another kind do no harm', () => {
        const odd = {Booted: 'x', Channels: [1, null], Capabilities: {}, LastCheck: Infinity};
        expect(imageState(odd)).toMatchObject({
            booted: null,
            channels: [{name: ''}, {name: ''}],
            capabilities: [],
            lastCheck: 0,
        });
    });
});

describe('the state', () => {
    const cases: readonly [Partial<ImageState>, string][] = [
        [{}, 'not checked since the boot'],
        [{lastOutcome: 'current'}, 'up to date'],
        [{lastOutcome: 'failed'}, 'the last check failed'],
        [{lastOutcome: 'available', available: imageOf('2')}, 'update available'],
        [{staged: imageOf('2'), lastOutcome: 'staged'}, 'restart to finish'],
        [{rollbackQueued: true}, 'restart to finish'],
        [{booted: null}, 'not known'],
        [{driver: ''}, 'not managed'],
    ];
    it.each(cases)('%j is "%s"', (known, text) => {
        expect(stateText(stateOf(known))).toBe(text);
    });
});

describe('image status', () => {
    const lines = (known: Partial<ImageState>, featuresRestart = false): readonly string[] =>
        statusText(stateOf(known), featuresRestart, plain).trimEnd().split('\n');

    it('shows what runs and what a restart does', () => {
        expect(lines({})).toEqual([
            'State:        not checked since the boot',
            `Follows:      ${SNOW} (bootc)`,
            'Running:      1 (sha256:1aaaaaaaaaaa)',
            'Next restart: starts the same image',
            'Rollback:     0 (sha256:0aaaaaaaaaaa)',
            'Last check:   never',
        ]);
    });

    it('shows what is staged, and which extensions are missing then', () => {
        const extensions = [
            {feature: 'podman', state: 'missing', version: '', text: 'none for Debian 14'},
            {feature: 'docker', state: 'ready', version: '2', text: ''},
        ];
        const staged = imageOf('7', {image: SNOWFIELD, softReboot: true});
        expect(lines({staged, extensions}, true).slice(3, 7)).toEqual([
            `Next restart: starts 7 of ${SNOWFIELD} (sha256:7aaaaaaaaaaa)`,
            '              can be done without the firmware',
            '              makes other versions of extensions active',
            '              without podman: none for Debian 14',
        ]);
    });

    it('shows a rollback that waits, what is downloaded and what is available', () => {
        expect(lines({rollbackQueued: true})[3]).toBe(
            'Next restart: starts 0 (sha256:0aaaaaaaaaaa), a rollback',
        );
        const available = imageOf('3', {digest: null, size: 1.2e9});
        expect(lines({downloaded: imageOf('2'), available})).toEqual(
            expect.arrayContaining([
                'Downloaded:   2 (sha256:2aaaaaaaaaaa)',
                'Available:    3 (1.2 GB)',
            ]),
        );
    });

    it('says no more than is known', () => {
        expect(statusText(unmanaged, false, plain)).toBe(
            'State:        not managed\nProblem:      Nobody manages it\n',
        );
        const nameless = imageOf('', {version: null, slot: 'B', pinned: true});
        expect(lines({booted: nameless})[2]).toBe('Running:      sha256:aaaaaaaaaaaa (B, pinned)');
    });

    it('has a document whose keys stay', () => {
        const document = statusDocument(stateOf({available: imageOf('2')}), true);
        expect(document).toMatchObject({updateAvailable: true, featuresRestartNeeded: true});
        expect(Object.keys(document).sort()).toEqual([
            'available',
            'booted',
            'capabilities',
            'channels',
            'downloaded',
            'driver',
            'extensions',
            'featuresRestartNeeded',
            'followed',
            'lastCheck',
            'lastOutcome',
            'problem',
            'restartNeeded',
            'rollback',
            'rollbackQueued',
            'staged',
            'updateAvailable',
        ]);
        expect(Object.keys(document.booted ?? {}).sort()).toEqual([
            'digest',
            'image',
            'pinned',
            'size',
            'slot',
            'softReboot',
            'timestamp',
            'transport',
            'version',
        ]);
        expect(Object.keys(statusDocument(unmanaged, false))).toEqual(Object.keys(document));
    });
});

it('names an image by what there is', () => {
    const nothing = {version: null, digest: null, image: null};
    expect(imageName({...nothing, version: '1'})).toBe('1');
    expect(imageName({...nothing, digest: 'sha256:0123456789abcdef'})).toBe('sha256:0123456789ab');
    expect(imageName({...nothing, image: SNOW})).toBe(SNOW);
    expect(imageName(nothing)).toBe('an image without a name');
});

describe('channels', () => {
    it('are a table with the followed one marked', () => {
        expect(channelsText(stateOf().channels, plain)).toBe(
            [
                '   NAME       IMAGE                               DESCRIPTION\n',
                `*  snow       ${SNOW}       Snow\n`,
                `   snowfield  ${SNOWFIELD}  Snowfield: For Surface\n`,
            ].join(''),
        );
    });

    it('may be none', () => {
        expect(channelsText([], plain)).toBe('There are no channels for this system.\n');
    });
});

describe('the history', () => {
    it('is a table with what failed and why', () => {
        const one = {image: SNOW, version: '1', digest: null};
        const entry = {time: 0, operation: 'update', target: '', uid: 1000, from: one};
        const text = historyText(
            [
                {...entry, to: {...one, version: '2'}, outcome: 'done', error: ''},
                {...entry, to: null, uid: 1001, outcome: 'failed', error: 'No \u001b[2Jnetwork'},
            ],
            new Map([[1001, 'alice']]),
            plain,
        );
        expect(text).toBe(
            [
                'TIME   OPERATION  TARGET  FROM  TO  USER   OUTCOME\n',
                'never  update     -       1     2   1000   done\n',
                'never  update     -       1     -   alice  failed: No \ufffd[2Jnetwork\n',
            ].join(''),
        );
    });

    it('may be empty', () => {
        expect(historyText([], new Map(), plain)).toBe('Nothing was done to the image yet.\n');
    });
});

describe('the sentence', () => {
    const results = {outcome: 'staged', image: SNOW, version: '2', digest: 'sha256:2'};
    const cases: readonly [ImageOutcome['operation'], Record<string, string>, string][] = [
        ['check', {outcome: 'current', version: '1'}, 'The system is up to date (1).'],
        ['check', {outcome: 'current', version: '', digest: ''}, 'The system is up to date.'],
        [
            'check',
            {outcome: 'available'},
            'An update is available: 2; "snowctl image update" stages it.',
        ],
        ['check', {}, '2 is staged; restart to use it.'],
        [
            'check',
            {outcome: 'held-rollback'},
            'The newest image, 2, is one that was rolled back from or undone, and is not staged again.',
        ],
        ['update', {}, '2 is staged; restart to use it.'],
        ['update', {version: '', digest: ''}, 'The newest image is staged; restart to use it.'],
        ['download', {outcome: 'available'}, '2 is downloaded; "snowctl image update" stages it.'],
        [
            'switch',
            {},
            `2 of ${SNOW} is staged; restart to use it. "snowctl image unstage" takes it back.`,
        ],
        ['rollback', {}, 'The next restart starts 2 again.'],
        ['unstage', {outcome: 'current'}, 'The next restart starts the running image, 2.'],
    ];
    it.each(cases)('for %s with %j is "%s"', (operation, known, text) => {
        expect(outcomeText(outcomeOf(operation, '', {...results, ...known}))).toBe(text);
    });

    it('is made of a document whose keys stay', () => {
        expect(outcomeOf('update', '', {...results, 'soft-reboot': true})).toEqual({
            operation: 'update',
            target: '',
            outcome: 'staged',
            image: SNOW,
            version: '2',
            digest: 'sha256:2',
            softReboot: true,
            features: [],
            warnings: [],
        });
    });
});

describe('a plan', () => {
    const settings = {isDownloadOnly: false, isApplying: false};
    const found = (outcome: string): ImageOutcome =>
        outcomeOf('check', '', {outcome, version: '2'});

    it('for an update is what the check found', () => {
        const state = stateOf({available: imageOf('2', {size: 5e8})});
        expect(planUpdate(state, found('available'), settings).steps).toEqual([
            `fetch 2 of ${SNOW} (500.0 MB)`,
            'stage it for the next restart',
            'fetch the extensions that fit it',
        ]);
        const download = {...settings, isDownloadOnly: true};
        expect(planUpdate(state, found('available'), download)).toMatchObject({
            operation: 'download',
            steps: [`fetch 2 of ${SNOW} (500.0 MB)`],
        });
    });

    it('has no steps when there is nothing to do', () => {
        const apply = {...settings, isApplying: true};
        expect(planUpdate(stateOf(), found('current'), apply).steps).toEqual([]);
        const download = {...settings, isDownloadOnly: true};
        const state = stateOf({downloaded: imageOf('2')});
        expect(planUpdate(state, found('available'), download).steps).toEqual([]);
        expect(planRollback(stateOf({rollbackQueued: true})).steps).toEqual([]);
    });

    it('restarts for what is staged already', () => {
        const apply = {...settings, isApplying: true};
        const state = stateOf({staged: imageOf('2')});
        expect(planUpdate(state, found('staged'), apply).steps).toEqual(['restart the system']);
    });

    it('is refused for what was rolled back from', () => {
        expect(() => planUpdate(stateOf(), found('held-rollback'), settings)).toThrow(
            'The newest image, 2, is one that was rolled back from or undone',
        );
    });

    it('says what is discarded', () => {
        const state = stateOf({staged: imageOf('2')});
        for (const plan of [planSwitch(state, SNOWFIELD), planRollback(state), planUnstage(state)])
            expect(plan.steps).toContain('discard 2, which is staged');
    });
});

describe('what to switch to', () => {
    it('is a channel by its name, or by the reference of one', () => {
        for (const word of ['snowfield', SNOWFIELD, 'ghcr.io/frostyard/snowfield'])
            expect(findTarget(stateOf(), word)).toMatchObject({
                kind: 'channel',
                channel: {name: 'snowfield'},
            });
    });

    it('is any other reference', () => {
        const reference = 'ghcr.io/frostyard/snowfield:old';
        expect(findTarget(stateOf(), reference)).toEqual({kind: 'reference', reference});
    });

    it('is not a name that no channel has', () => {
        expect(() => findTarget(stateOf(), 'snowfeild')).toThrow(
            'There is no channel "snowfeild" for this system; did you mean "snowfield"?',
        );
        expect(() => findTarget(stateOf(), 'zzz')).toThrow('"snowctl image channels" lists them');
    });

    it.each([
        '--option',
        ';',
        'a b',
        'a/b',
        '../x',
        'x'.repeat(65_536),
        'snöw',
        '日本',
        'ghcr.io/a:b:c',
        'docker://ghcr.io/a/b',
    ])('is refused before anybody is asked: %j', word => {
        let thrown: unknown = null;
        try {
            refuseMalformed(word);
        } catch (error) {
            thrown = error;
        }
        expect(thrown).toBeInstanceOf(SnowError);
        const {code, message} = thrown as SnowError;
        expect(code).toBe('InvalidArgs');
        expect(message.length).toBeLessThan(200);
    });

    it('is said with what it means', () => {
        const state = stateOf({staged: imageOf('2')});
        const question = switchQuestion(state, findTarget(state, 'evil.example/os'));
        expect(question).toContain(`This system follows ${SNOW}.`);
        expect(question).toContain('whoever makes that image controls this machine');
        expect(question).toContain('2, which is staged, is discarded.');
        const listed = switchQuestion(stateOf(), findTarget(stateOf(), 'snowfield'));
        expect(listed).toContain(`would follow ${SNOWFIELD} (Snowfield).`);
        expect(listed).not.toContain('controls this machine');
    });
});
