// SPDX-License-Identifier: GPL-2.0-or-later
// snowctl image against the real object of the image, on a machine in memory.
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import type {BusConnection} from '../../helper/src/host/dbus.ts';
import type {Running} from './harness/processes.ts';
import {type Ended, makeSnowctl, type Snowctl} from './harness/snowctl.ts';
import {initialState, setStage, type Stage} from './harness/stage.ts';
import type {StandInState} from './harness/stand-in.ts';

const SNOWFIELD = 'ghcr.io/frostyard/snowfield:latest';
const ONE_LINE = /^snowctl: [^\n]{1,300}\n$/;

let stage: Stage;
let service: Running;
let program: Snowctl;

/** A machine that follows snow, nbc's by its files, with one channel in them. */
const machine = [
    'touch /run/nbc-booted',
    'mkdir -p /run/snow-control/channels.d',
    `printf '[Channel]\\nName=lab\\nTitle=The lab\\nImage=localhost/lab:1\\n' >/run/snow-control/channels.d/lab.conf`,
].join(' && ');

beforeAll(async () => {
    stage = await setStage({
        rules: `polkit.addRule(function (action, subject) {
            return subject.user === 'root' ? polkit.Result.YES : polkit.Result.NOT_HANDLED;
        });`,
    });
    program = await makeSnowctl(stage, machine);
});
afterAll(() => stage[Symbol.asyncDispose]());

beforeEach(async () => {
    await given({});
    service = await stage.startService();
});
afterEach(() => service[Symbol.asyncDispose]());

const given = (state: Partial<StandInState>): Promise<void> =>
    stage.setState({...initialState, ...state});
const image = (...args: readonly string[]): Promise<Ended> => program.run('image', ...args);
const documentOf = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse((await image(...args, '--json')).stdout);

describe('image status', () => {
    it('says what runs, and what a restart does', async () => {
        const {status, stdout, stderr} = await image('status');
        expect([status, stderr]).toEqual([0, '']);
        expect(stdout).toMatch(/^State: +not checked since the boot$/m);
        expect(stdout).toMatch(/^Follows: +ghcr\.io\/frostyard\/snow:latest \(bootc\)$/m);
        expect(stdout).toMatch(/^Running: +1 \([-0-9: ]+, sha256:310000000000\)$/m);
        expect(stdout).toMatch(/^Next restart: +starts the same image$/m);

        await image('update');
        expect((await image('status')).stdout).toMatch(/^Next restart: +starts 2 \(/m);
    });

    it('is one document with --json', async () => {
        expect(await documentOf('status')).toMatchObject({
            driver: 'bootc',
            booted: {version: '1', softReboot: false, size: null},
            staged: null,
            rollbackQueued: false,
            restartNeeded: false,
            featuresRestartNeeded: false,
            updateAvailable: false,
            lastCheck: 0,
        });
    });

    it('is of the running system only', async () => {
        expect(await image('status', '--root=/mnt')).toMatchObject({
            status: 2,
            stderr: expect.stringContaining('running system only'),
        });
    });
});

describe('a check', () => {
    it('says what it found, and changes the status of the image and not of the program', async () => {
        expect(await image('check')).toMatchObject({
            status: 0,
            stdout: 'An update is available: 2; "snowctl image update" stages it.\n',
        });
        expect(await documentOf('status')).toMatchObject({
            updateAvailable: true,
            available: {version: '2', size: 1000},
            lastOutcome: 'available',
        });
        await given({image: {newest: '1'}});
        // The stand-in looks at what it is given when it is read.
        await image('status');
        expect(await image('check')).toMatchObject({
            status: 0,
            stdout: 'The system is up to date (1).\n',
        });
    });

    it('holds back what was rolled back from', async () => {
        await given({image: {newest: '0'}});
        expect(await documentOf('check')).toMatchObject({
            operation: 'check',
            outcome: 'held-rollback',
            version: '0',
        });
        const {status, stderr} = await image('update');
        expect(status).toBe(10);
        expect(stderr).toMatch(/rolled back from/);
    });
});

describe('an update', () => {
    it('is staged, shown and told', async () => {
        const {status, stdout, stderr} = await image('update');
        expect([status, stdout]).toEqual([0, '2 is staged; restart to use it.\n']);
        expect(stderr).toContain('Looking at the system\n');
        expect(await image('update')).toMatchObject({
            status: 0,
            stdout: '2 is staged; restart to use it.\n',
        });
    });

    it('is one document, or JSON lines of which it is the last', async () => {
        const wanted = {operation: 'update', outcome: 'staged', version: '2', warnings: []};
        expect(await documentOf('update')).toMatchObject(wanted);
        await image('unstage');
        const {stdout} = await image('update', '--json=stream');
        const events = stdout
            .trimEnd()
            .split('\n')
            .map(line => JSON.parse(line) as unknown);
        expect(events[0]).toMatchObject({type: 'job', operation: 'update', target: ''});
        expect(events).toContainEqual({type: 'step', target: '', step: 'Looking at the system'});
        expect(events.at(-1)).toMatchObject({type: 'result', result: wanted});
    });

    it('is only downloaded, and staged later', async () => {
        expect(await image('update', '--download-only')).toMatchObject({
            status: 0,
            stdout: '2 is downloaded; "snowctl image update" stages it.\n',
        });
        expect(await documentOf('status')).toMatchObject({
            staged: null,
            downloaded: {version: '2'},
        });
        expect((await image('update', '--dry-run')).stdout).toContain(
            'take 2, which was downloaded before',
        );
        expect((await image('update')).stdout).toBe('2 is staged; restart to use it.\n');
    });

    it('says with --dry-run what would be done, and does nothing', async () => {
        expect(await image('update', '--dry-run', '--apply')).toMatchObject({
            status: 0,
            stdout: [
                'This would be done:\n',
                '  fetch 2 of ghcr.io/frostyard/snow:latest (1.0 kB)\n',
                '  stage it for the next restart\n',
                '  fetch the extensions that fit it\n',
                '  restart the system\n',
            ].join(''),
        });
        expect(await documentOf('status')).toMatchObject({staged: null});
    });

    it('is canceled by Ctrl+C', async () => {
        await given({image: {duration: 2000}});
        const {child, ended, waitFor} = program.start(['image', 'update']);
        await waitFor('Pulling');
        child.kill('SIGINT');
        expect((await ended).status).toBe(130);
        expect(await documentOf('status')).toMatchObject({staged: null});
    });

    it('is only started with --no-wait, and the second one is told its number', async () => {
        await given({image: {duration: 3000}});
        const {job} = (await documentOf('update', '--no-wait')) as {readonly job: string};
        expect(await image('rollback')).toMatchObject({
            status: 5,
            stderr: `snowctl: Another operation is running: job ${job}; see "snowctl jobs"\n`,
        });
        expect((await program.run('jobs')).stdout).toMatch(/1 +running +image\.update +- /);
        expect(await program.run('cancel', job)).toMatchObject({status: 0});
    });

    it('draws its bar on a terminal', async () => {
        await given({image: {duration: 500}});
        const {ended} = program.start(['image', 'update'], {hasTerminal: true});
        const {status, stdout} = await ended;
        expect(status).toBe(0);
        expect(stdout).toMatch(/\rPulling {2}\[#+-+\]/);
    });

    it('is refused to those who may not, without a question', async () => {
        const {ended} = program.start(['image', 'update', '--no-ask-password'], {user: 'games'});
        const {status, stdout, stderr} = await ended;
        expect([status, stdout]).toEqual([3, '']);
        expect(stderr).toMatch(ONE_LINE);
    });
});

describe('an update with --apply', () => {
    let logind: BusConnection;
    let calls: unknown[];
    let answer: 'yes' | 'no';

    beforeEach(async () => {
        calls = [];
        answer = 'yes';
        logind = await stage.connect();
        logind.handleCalls(call => {
            calls.push([call.member, ...call.body]);
            if (answer === 'yes') logind.reply(call, '', []);
            else logind.replyError(call, 'org.freedesktop.DBus.Error.AccessDenied', 'Not you');
        });
        await logind.requestName('org.freedesktop.login1');
    });
    afterEach(() => logind.close());

    it('has logind restart once it is staged', async () => {
        expect(await image('update', '--apply')).toMatchObject({
            status: 0,
            stdout: '2 is staged; restart to use it. The system restarts now.\n',
        });
        expect(calls).toEqual([['Reboot', true]]);
    });

    it('restarts for what is staged already, and not for nothing', async () => {
        await given({image: {newest: '1'}});
        expect(await image('update', '--apply', '--json')).toMatchObject({
            status: 0,
            stdout: expect.stringContaining('"restart": null'),
        });
        expect(calls).toEqual([]);
        await given({image: {newest: '2'}});
        await image('status');
        await image('update');
        await image('update', '--apply', '--soft-reboot', '--no-ask-password');
        // It cannot be started without the firmware.
        expect(calls).toEqual([['Reboot', false]]);
    });

    it('does not restart after an error', async () => {
        await given({image: {doesNothing: true}});
        expect((await image('update', '--apply')).status).toBe(1);
        expect(calls).toEqual([]);
    });

    it('tells what is staged where the restart is refused', async () => {
        answer = 'no';
        const {status, stdout, stderr} = await image('update', '--apply', '--json');
        expect(status).toBe(3);
        expect(stderr).toBe('snowctl: The system is not restarted: Not you\n');
        expect(JSON.parse(stdout)).toMatchObject({
            error: {code: 'NotAuthorized'},
            outcome: 'staged',
            version: '2',
            restart: null,
        });
    });
});

describe('a switch', () => {
    it('is to a channel by its name or its reference', async () => {
        expect(await image('switch', 'snowfield')).toMatchObject({
            status: 0,
            stdout: `7 of ${SNOWFIELD} is staged; restart to use it. "snowctl image unstage" takes it back.\n`,
        });
        expect((await program.run('jobs')).stdout).toMatch(/done +image\.switch +snowfield /);
        expect(await image('switch', SNOWFIELD)).toMatchObject({
            status: 10,
            stderr: expect.stringContaining(`This system follows ${SNOWFIELD} already`),
        });
        expect((await image('channels')).stdout).toMatch(/^\* +snowfield +ghcr\.io/m);
    });

    it('is to any reference', async () => {
        const reference = 'registry.example:5000/mine/os:1';
        expect(await documentOf('switch', reference)).toMatchObject({
            operation: 'switch',
            target: reference,
            image: reference,
        });
    });

    it('says with --dry-run what would be done', async () => {
        const {stdout} = await image('switch', 'snowfield', '--dry-run');
        expect(stdout).toContain(`  fetch the newest image of ${SNOWFIELD}\n`);
        expect((await program.run('jobs')).stdout).toBe('There are no jobs.\n');
    });

    it('is asked for on a terminal, with what it means', async () => {
        const {child, ended, waitFor} = program.start(['image', 'switch', 'snowfield'], {
            hasTerminal: true,
        });
        await waitFor('Switch? [y/N] ');
        child.stdin?.write('n\n');
        const {status, stdout} = await ended;
        expect(status).toBe(130);
        expect(stdout).toContain(`it would follow ${SNOWFIELD} (snowfield).`);
        expect(stdout).toContain('snowctl: Nothing was changed');

        const again = program.start(['image', 'switch', 'snowfield'], {hasTerminal: true});
        await again.waitFor('Switch? [y/N] ');
        again.child.stdin?.write('y\n');
        expect(await again.ended).toMatchObject({
            status: 0,
            stdout: expect.stringContaining('is staged'),
        });
    });

    it('is left by Ctrl+C while it is asked for', async () => {
        const {child, ended, waitFor} = program.start(['image', 'switch', 'snowfield'], {
            hasTerminal: true,
        });
        await waitFor('Switch? [y/N] ');
        child.stdin?.write('\u0003');
        expect((await ended).status).toBe(130);
        expect(await documentOf('status')).toMatchObject({staged: null});
    });

    it('is not asked for with --yes', async () => {
        const {ended} = program.start(['image', 'switch', 'snowfield', '--yes'], {
            hasTerminal: true,
        });
        const {status, stdout} = await ended;
        expect(status).toBe(0);
        expect(stdout).not.toContain('Switch?');
    });

    it('to what is no image ends with one line, and nothing is done', async () => {
        const hostile: readonly (readonly [status: number, ...words: string[]])[] = [
            [2, '--option'],
            [2, '--', '--option'],
            [2, ';'],
            [2, 'ghcr.io/a;b'],
            [2, 'ghcr.io/frostyard/snow latest'],
            [2, '$(reboot)'],
            [2, 'ghcr.io/frostyard/snöw'],
            [2, '\u202eghcr.io/frostyard/snow'],
            [2, 'docker://ghcr.io/frostyard/snow'],
            [2, '../../etc/passwd'],
            [2, 'x'.repeat(65_536)],
            [2, 'a\u0007'],
            [4, 'snowfeild'],
        ];
        for (const [wanted, ...words] of hostile) {
            const {status, stdout, stderr} = await image('switch', ...words);
            expect([words[0]?.slice(0, 80), status, stdout]).toEqual([
                words[0]?.slice(0, 80),
                wanted,
                '',
            ]);
            expect(stderr).toMatch(ONE_LINE);
        }
        expect((await program.run('jobs')).stdout).toBe('There are no jobs.\n');
    });
});

describe('the way back', () => {
    it('is a rollback, which unstage takes back', async () => {
        await image('update');
        expect(await image('rollback')).toMatchObject({
            status: 0,
            stdout: 'The next restart starts 0 again.\n',
            stderr: expect.stringContaining('2, which is staged, is discarded.'),
        });
        expect((await image('status')).stdout).toMatch(/starts 0 \(.*\), a rollback$/m);
        expect((await image('rollback', '--dry-run')).stdout).toBe('There is nothing to do.\n');
        expect((await image('unstage', '--dry-run')).stdout).toBe(
            'This would be done:\n  take the rollback back\n  have the next restart start 1\n',
        );
        expect(await image('unstage')).toMatchObject({
            status: 0,
            stdout: 'The next restart starts the running image, 1.\n',
        });
        expect(await image('unstage')).toMatchObject({
            status: 10,
            stderr: 'snowctl: The next restart starts the running image already\n',
        });
    });
});

it('shows the job of an earlier service', async () => {
    await service[Symbol.asyncDispose]();
    await given({isImageChanging: true});
    service = await stage.startService();
    expect((await program.run('jobs')).stdout).toMatch(
        /1 +(running|done) +image\.switch +snowfield/,
    );
});

describe('doctor', () => {
    const imageFindings = async (): Promise<readonly unknown[]> => {
        const {stdout} = await program.run('doctor', '--json');
        const {findings} = JSON.parse(stdout) as {
            readonly findings: readonly {readonly check: string}[];
        };
        return findings.filter(({check}) => check === 'image');
    };

    it('asks the service how the image is', async () => {
        expect(await imageFindings()).toEqual([]);
        await given({image: {newest: '0'}});
        await image('status');
        await image('check');
        expect(await imageFindings()).toMatchObject([
            {severity: 'note', message: expect.stringContaining('held back')},
        ]);
        await service[Symbol.asyncDispose]();
        expect(await imageFindings()).toMatchObject([
            {severity: 'problem', message: expect.stringContaining('cannot be read')},
        ]);
    });
});

it('offers channels to the shells, without the service', async () => {
    await service[Symbol.asyncDispose]();
    const {stdout} = await program.run('__complete', 'channel');
    expect(stdout.split('\n')).toContain('lab\tThe lab');
});

it('says that there is no service', async () => {
    await service[Symbol.asyncDispose]();
    expect(await image('status')).toMatchObject({
        status: 9,
        stderr: 'snowctl: The service snowd is not installed on this machine\n',
    });
    expect(await image('history')).toMatchObject({status: 0});
});
