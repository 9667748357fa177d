// SPDX-License-Identifier: GPL-2.0-or-later
// The main job on a real system: extensions made of Debian's packages, fetched from a signed
// repository, turned on and off, updated and rolled back by an admin.
import {afterAll, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import {componentDirectory} from '../lab/publication.ts';
import {makeImage} from '../lab/images.ts';
import {SnowGuest, imageName} from './support/snow-guest.ts';
import {until} from './support/waiting.ts';

const IMAGES = '/var/lib/extensions.d';
const LINKS = '/var/lib/extensions';

let snow: SnowGuest;

beforeAll(async () => {
    snow = await SnowGuest.boot('desktop', {
        components: [
            {name: 'podman'},
            {name: 'figlet'},
            {name: 'jq'},
            {name: 'tomorrow'},
            {name: 'small', target: {InstancesMax: '2'}},
        ],
    });
    for (const version of ['1', '2', '3', '4'])
        await makeImage(componentDirectory(snow.directory, 'small'), {name: 'small', version});
    await snow.publish('small');
});
afterAll(() => snow?.[Symbol.asyncDispose]());

beforeEach(async () => {
    await snow.repository.clearFaults();
    await snow.disableAll();
    await snow.offer('podman', ['5.4.0']);
    await snow.offer('figlet', ['1.0']);
    await snow.offer('jq', ['1.7']);
    await snow.offer('tomorrow', ['1.0']);
});

/** Which of its versions the system shows; empty: none. */
async function versionInUse(name: string) {
    const {stdout} = await snow.guest.run(['cat', `/usr/share/snow-lab/${name}.version`]);
    return stdout.trim();
}

async function files(directory: string) {
    const {stdout} = await snow.guest.run(['ls', '-A', directory]);
    return stdout.split('\n').filter(Boolean);
}

/** Everything below /etc and /var/lib, with time stamps. */
function everything() {
    return snow.guest.check(
        `find /etc /var/lib -printf '%p %y %m %s %T@ %l\\n' | grep -v /var/lib/systemd/ | sort`,
    );
}

/** How often systemd-sysext was asked to follow the links, since a line of the journal. */
async function refreshes(cursor: string) {
    const log = await snow.guest.check(
        `journalctl --sync; journalctl --no-pager -o cat --after-cursor='${cursor}' UNIT=snow-control-sysext-refresh.service`,
    );
    return log.split('\n').filter(line => line.startsWith('Finished ')).length;
}

async function journalCursor() {
    const text = await snow.guest.check('journalctl --sync; journalctl -n 0 --show-cursor');
    return /cursor: (.*)/.exec(text)?.[1] ?? '';
}

describe('enable and disable', () => {
    test('bring the programs of an extension of real size, and take them away', async () => {
        expect(await snow.guest.run(['podman', '--version'])).toMatchObject({exitCode: 127});
        expect(await snow.ok('features enable podman')).toBe(
            'podman 5.4.0 is enabled and merged.\n',
        );
        expect(await snow.guest.check(['podman', '--version'])).toMatch(/^podman version 5\./);
        expect(await snow.merged()).toEqual(['podman']);
        expect(await snow.feature('podman')).toMatchObject({
            enabled: true,
            merged: true,
            installed: '5.4.0',
            active: '5.4.0',
            problem: '',
        });
        const shown = await snow.ok('features show podman');
        expect(shown).toMatch(/^State: +enabled, merged$/m);
        expect(shown).toMatch(/5\.4\.0 \(\S+ MB, chosen, merged\) \/var\/lib\/extensions\.d\//);

        expect(await snow.ok('features disable podman')).toBe('podman is disabled.\n');
        expect(await snow.guest.run(['podman', '--version'])).toMatchObject({exitCode: 127});
        expect(await snow.merged()).toEqual([]);
        expect([...(await files(IMAGES)), ...(await files(LINKS))]).toEqual([]);
        expect(await snow.feature('podman')).toMatchObject({enabled: false, installed: ''});
    });

    test('of one leave the others where they are: one refresh, and no unmerge', async () => {
        await snow.ok('features enable figlet');
        const watcher = snow.guest.run(['node', '-e', WATCH, '/usr/bin/figlet-figlet', '6000']);
        const cursor = await journalCursor();
        await snow.ok('features enable podman jq');
        await snow.ok('features disable jq');
        expect(await snow.merged()).toEqual(['figlet', 'podman']);
        expect(await refreshes(cursor)).toBe(3);
        const {stdout: gap} = await watcher;
        // what `systemd-sysext refresh` by hand takes, on the same system
        const alone = snow.guest.run(['node', '-e', WATCH, '/usr/bin/figlet-figlet', '2000']);
        for (let count = 0; count < 3; count++)
            await snow.guest.check(['systemd-sysext', 'refresh']);
        const {stdout: gapAlone} = await alone;
        expect(Number(gap)).toBeLessThan(Number(gapAlone) * 3 + 300);
    });

    test('do nothing when there is nothing to do', async () => {
        await snow.ok('features enable figlet');
        const before = await snow.snapshot();
        const cursor = await journalCursor();
        expect(await snow.ok('features enable figlet')).toBe('figlet 1.0 was enabled already.\n');
        expect(await snow.snapshot()).toBe(before);
        expect(await refreshes(cursor)).toBe(0);
        await snow.ok('features disable figlet');
        expect(await snow.ok('features disable figlet')).toBe('figlet was disabled already.\n');
    });

    test('take whatever compression there is, the smallest first', async () => {
        for (const [ending, ...others] of [
            ['.zst', '.xz', '.gz', ''],
            ['.xz', '.gz', ''],
            ['.gz', ''],
            [''],
        ] as const) {
            await snow.offer('figlet', ['1.0'], {endings: [ending, ...others]});
            await snow.repository.clearLog();
            await snow.ok('features enable figlet');
            const {requests} = await snow.repository.log();
            const fetched = requests.map(({path}) => path).filter(path => path.includes('.raw'));
            expect(fetched).toEqual([`/ext/figlet/${imageName('figlet', '1.0')}${ending}`]);
            expect(await versionInUse('figlet')).toBe('1.0');
            await snow.ok('features disable figlet');
        }
    });

    test('refuse an image for another system before anything is merged', async () => {
        await snow.ok('features enable figlet');
        const before = await snow.snapshot();
        const cursor = await journalCursor();
        const {exitCode, stderr, stdout} = await snow.snowctl('features enable tomorrow');
        expect(stderr).toContain('snowctl: tomorrow 1.0 is for debian 99, and this is debian 13\n');
        expect({exitCode, stdout}).toEqual({exitCode: 10, stdout: ''});
        expect(await snow.snapshot()).toBe(before);
        expect(await refreshes(cursor)).toBe(0);
    });
});

describe('update and rollback', () => {
    test('go from 5.4.0 to 5.4.2 and back, and keep both on the disk', async () => {
        await snow.ok('features enable podman');
        await snow.offer('podman', ['5.4.0', '5.4.2']);
        expect(await snow.ok('features check')).toMatch(
            /^podman +enabled, merged, update available/m,
        );
        expect(await versionInUse('podman')).toBe('5.4.0');
        expect(await snow.ok('features update')).toBe('podman is updated.\n');
        expect(await versionInUse('podman')).toBe('5.4.2');
        expect(await snow.feature('podman')).toMatchObject({
            active: '5.4.2',
            versions: ['5.4.2', '5.4.0'],
            updateAvailable: false,
        });

        await snow.repository.clearLog();
        expect(await snow.ok('features rollback podman')).toBe('podman is back at 5.4.0.\n');
        expect(await versionInUse('podman')).toBe('5.4.0');
        expect((await snow.repository.log()).requests).toEqual([]);
        expect(await snow.feature('podman')).toMatchObject({active: '5.4.0', newest: '5.4.2'});
        const none = await snow.snowctl('features rollback podman');
        expect(none).toMatchObject({exitCode: 4});
        expect(none.stderr).toContain('podman has no older version on the disk');
        expect(await snow.ok('features rollback podman 5.4.2')).toBe('podman is back at 5.4.2.\n');
        expect(await versionInUse('podman')).toBe('5.4.2');
    });

    test('never go to an older version because only that is offered', async () => {
        await snow.offer('figlet', ['1.1']);
        await snow.ok('features enable figlet');
        await snow.offer('figlet', ['1.0']);
        expect(await snow.ok('features update figlet')).toBe('figlet 1.1 is the newest already.\n');
        expect(await versionInUse('figlet')).toBe('1.1');
    });

    test('know that a release candidate is older than the release', async () => {
        await snow.offer('jq', ['1.7', '1.8~rc1']);
        await snow.ok('features enable jq');
        expect(await snow.feature('jq')).toMatchObject({active: '1.8~rc1'});
        expect(await snow.guest.check(['jq', '--version'])).toMatch(/^jq-/);
    });

    test('keep as many versions as InstancesMax says, and among them the running one', async () => {
        const offer = async (...versions: string[]) => {
            const names = versions.map(version => `${imageName('small', version)}.zst`);
            const text = await snow.publish('small');
            const lines = text.split('\n').filter(line => names.some(name => line.endsWith(name)));
            await snow.publish('small', {manifest: lines.map(line => `${line}\n`).join('')});
        };
        await offer('1');
        await snow.ok('features enable small');
        await offer('1', '2');
        await snow.ok('features update');
        expect(await files(IMAGES)).toEqual([
            'small.raw',
            imageName('small', '1'),
            imageName('small', '2'),
        ]);
        await offer('1', '2', '3');
        await snow.ok('features update');
        expect((await snow.feature('small')).versions).toEqual(['3', '2']);
        // linked for the next boot; what runs until then may not go
        await offer('1', '2', '3', '4');
        await snow.ok('features update --no-merge');
        expect(await snow.feature('small')).toMatchObject({installed: '4', active: '3'});
        expect((await snow.feature('small')).versions).toEqual(['4', '3']);
        expect(await snow.guest.check(['small'])).toBe('small 3\n');
    });
});

describe('--json', () => {
    test('is exactly one document, also for errors', async () => {
        for (const [line, status] of [
            ['features list', 0],
            ['features show figlet', 0],
            ['features check', 0],
            ['features enable figlet --dry-run', 0],
            ['features enable figlet', 0],
            ['features update', 0],
            ['features auto status', 0],
            ['jobs', 0],
            ['doctor', 0],
            ['features disable figlet', 0],
            ['features show nothing', 4],
            ['features enable tomorrow', 10],
            ['features', 2],
        ] as const) {
            const {stdout, exitCode} = await snow.snowctl(`${line} --json`);
            expect({line, exitCode}).toEqual({line, exitCode: status});
            const document = JSON.parse(stdout) as {error?: unknown};
            expect('error' in document, line).toBe(status !== 0);
        }
    });

    test('=stream is a line for everything that happens, the last one the result or the error', async () => {
        const lines = async (line: string) =>
            (await snow.snowctl(`${line} --json=stream`)).stdout
                .trimEnd()
                .split('\n')
                .map(text => JSON.parse(text) as {type: string; step?: string; error?: unknown});
        const done = await lines('features enable podman');
        expect(done.map(({type}) => type)).toEqual(
            expect.arrayContaining(['job', 'step', 'progress', 'result']),
        );
        expect(done.at(-1)?.type).toBe('result');
        expect(done.flatMap(({step}) => step ?? [])).toEqual([
            'Preparing',
            'Downloading podman 5.4.0',
            'Installing podman 5.4.0',
            'Merging',
        ]);
        const failed = await lines('features enable tomorrow');
        expect(failed.at(-1)).toMatchObject({type: 'error', error: {code: 'WrongState'}});
    });
});

describe('snowctl', () => {
    test('changes nothing with --dry-run, and starts nothing', async () => {
        await snow.ok('features enable figlet');
        await snow.offer('figlet', ['1.0', '1.1']);
        await snow.guest.check(['systemctl', 'stop', 'snowd']);
        const before = await everything();
        const plan = await snow.ok('features update figlet --dry-run');
        expect(plan).toMatch(/^This would be done:\n {2}fetch http.*figlet_1\.1_.* to \/var\/lib/);
        expect(await snow.ok('features enable podman --dry-run')).toContain('merge podman');
        expect(await snow.ok('features disable figlet --dry-run')).toContain('unmerge figlet');
        expect(await snow.snowctl('features rollback figlet --dry-run')).toMatchObject({
            exitCode: 4,
        });
        expect(await everything()).toBe(before);
        expect(await snow.guest.run(['systemctl', 'is-active', 'snowd'])).toMatchObject({
            stdout: 'inactive\n',
        });
    });

    test('ends with the status that the manual gives', async () => {
        await snow.ok('features enable figlet');
        for (const [line, status, message] of [
            ['features enable nothing', 4, 'nothing'],
            ['features enable ../figlet', 4, 'figlet'],
            ['features enable', 2, 'NAME'],
            ['features enable figlet --what', 2, '--what'],
            ['features update podman', 10, 'podman is not enabled'],
            ['features rollback figlet 9.9', 4, '9.9'],
            ['features rollback figlet', 4, 'no older version'],
            ['cancel 999', 4, '999'],
            ['cancel x', 2, 'x'],
            ['features auto sometimes', 2, 'sometimes'],
        ] as const) {
            const {exitCode, stderr, stdout} = await snow.snowctl(line);
            expect({line, exitCode, stdout}).toEqual({line, exitCode: status, stdout: ''});
            expect(stderr).toContain(message);
            expect(stderr).toMatch(/^(figlet: Preparing\n)?snowctl: [^\n]+\n/);
        }
        const denied = await snow.snowctl('features disable figlet --no-ask-password', {
            user: 'bob',
        });
        expect(denied).toMatchObject({exitCode: 3});
        expect(await snow.feature('figlet')).toMatchObject({enabled: true, merged: true});
    });

    test('shows the same to a user without any right', async () => {
        await snow.ok('features enable figlet');
        const asRoot = await snow.ok('features show figlet');
        expect(await snow.ok('features show figlet', {user: 'bob'})).toBe(asRoot);
        expect(await snow.ok('features list', {user: 'bob'})).toBe(await snow.ok('features list'));
    });

    test('--no-wait returns with the job, which goes on', async () => {
        await snow.repository.setFault('*', {kind: 'throttle', bytesPerSecond: 10e6});
        const line = await snow.ok('features enable podman --no-wait');
        const number = /^Job (\d+) is started\.\n$/.exec(line)?.[1];
        expect(await snow.ok('jobs')).toMatch(
            new RegExp(`^${number} +running +features.enable +podman`, 'm'),
        );
        const busy = await snow.snowctl('features enable figlet');
        expect(busy).toMatchObject({exitCode: 5});
        await until(
            'the job ends',
            async () => new RegExp(`^${number} +done`, 'm').test(await snow.ok('jobs')),
            {timeout: 60_000},
        );
        expect(await snow.merged()).toEqual(['podman']);
    });

    test('cancel in the middle of a download leaves nothing', async () => {
        const before = await snow.snapshot();
        await snow.repository.setFault('*', {kind: 'throttle', bytesPerSecond: 5e6});
        const enabling = snow.snowctl('features enable podman');
        const number = await until('it downloads', async () => {
            const jobs = await snow.jobs();
            return jobs.find(job => job.state === 'running' && job.bytesDone > 1e6)?.number;
        });
        expect(await files(IMAGES)).toEqual([expect.stringMatching(/^\.#snow-control\./)]);
        expect(await snow.ok(`cancel ${number}`)).toBe(`Job ${number} is canceled.\n`);
        expect(await enabling).toMatchObject({exitCode: 130, stdout: ''});
        expect(await snow.snapshot()).toBe(before);
    });

    test('on a terminal shows a bar, and Ctrl-C takes all of it back', async () => {
        const before = await snow.snapshot();
        await snow.repository.setFault('*', {kind: 'throttle', bytesPerSecond: 5e6});
        const terminal = snow.guest.startTerminal(['snowctl', 'features', 'enable', 'podman']);
        await terminal.waitFor(/[1-9]\d?%.*MB/);
        terminal.interrupt();
        expect(await terminal.exit).toBe(130);
        expect(terminal.text).toContain('Canceling');
        expect(await snow.snapshot()).toBe(before);
    });

    test('--root works on an image tree, without the service', async () => {
        await snow.guest
            .check(`rm -rf /var/tmp/tree; mkdir -p /var/tmp/tree/usr/lib /var/tmp/tree/etc/systemd
            cp -a /usr/lib/sysupdate.figlet.d /usr/lib/os-release /var/tmp/tree/usr/lib/
            cp /etc/machine-id /var/tmp/tree/etc/
            cp /etc/systemd/import-pubring.pgp /var/tmp/tree/etc/systemd/
            systemctl stop snowd`);
        const before = await snow.snapshot();
        expect(await snow.ok('features enable figlet --root=/var/tmp/tree')).toBe(
            'figlet 1.0 is enabled.\n',
        );
        const listing = await snow.guest.check(
            `cd /var/tmp/tree && readlink -f var/lib/extensions/figlet.raw && cat etc/sysupdate.figlet.d/figlet.feature.d/00-updex.conf`,
        );
        expect(listing).toBe(
            `/var/tmp/tree${IMAGES}/${imageName('figlet', '1.0')}\n[Feature]\nEnabled=true\n`,
        );
        await snow.ok('features disable figlet --root=/var/tmp/tree');
        expect(await files(`/var/tmp/tree${IMAGES}`)).toEqual([]);
        expect(await snow.snapshot()).toBe(before);
        expect(await snow.guest.run(['systemctl', 'is-active', 'snowd'])).toMatchObject({
            stdout: 'inactive\n',
        });
    });

    test('doctor says what is wrong and what to do, until that is done', async () => {
        await snow.ok('features enable figlet');
        expect(await snow.ok('doctor')).toBe('No problem was found.\n');
        await snow.guest.check(['systemd-sysext', 'unmerge']);
        await snow.guest.check(['systemctl', '--quiet', 'disable', 'systemd-sysext.service']);
        const {stdout, exitCode} = await snow.snowctl('doctor');
        expect(exitCode).toBe(1);
        expect(stdout).toMatch(/^Problem: figlet: figlet 1\.0 is installed, but not merged/m);
        expect(stdout).toContain('Run "systemctl enable systemd-sysext.service".');
        await snow.guest.check(['systemctl', '--quiet', 'enable', 'systemd-sysext.service']);
        await snow.ok('features update figlet');
        expect(await snow.merged()).toEqual(['figlet']);
        expect(await snow.ok('doctor')).toBe('No problem was found.\n');
    });
});

describe('automatic updates', () => {
    const isMergedAndLinked = async () => {
        const {active, installed} = await snow.feature('figlet');
        return {active, installed};
    };

    test('fetch and link new versions, which are merged by the next boot', async () => {
        expect(await snow.ok('features auto status')).toContain('Automatic updates are off.');
        await snow.ok('features enable figlet jq');
        expect(await snow.ok('features auto on')).toBe('Automatic updates are on.\n');
        const timer = 'snow-features-update.timer';
        expect(await snow.guest.check(['systemctl', 'is-enabled', timer])).toBe('enabled\n');
        expect(await snow.guest.check(['systemctl', 'is-active', timer])).toBe('active\n');
        expect(await snow.guest.check(['systemctl', 'cat', timer])).toMatch(/RandomizedDelaySec=/);

        await snow.offer('figlet', ['1.0', '1.1']);
        const cursor = await journalCursor();
        await snow.guest.check(['systemctl', 'start', 'snow-features-update.service']);
        expect(await isMergedAndLinked()).toEqual({active: '1.0', installed: '1.1'});
        expect(await versionInUse('figlet')).toBe('1.0');
        expect(await refreshes(cursor)).toBe(0);
        expect((await snow.feature('podman')).enabled).toBe(false);

        await snow.reboot();
        expect(await snow.merged()).toEqual(['figlet', 'jq']);
        expect(await versionInUse('figlet')).toBe('1.1');
        expect(await isMergedAndLinked()).toEqual({active: '1.1', installed: '1.1'});
        expect(await snow.guest.check(['systemctl', 'is-active', timer])).toBe('active\n');
        expect(await snow.ok('doctor')).toBe('No problem was found.\n');

        expect(await snow.ok('features auto off')).toBe('Automatic updates are off.\n');
        expect(await snow.guest.run(['systemctl', 'is-enabled', timer])).toMatchObject({
            stdout: 'disabled\n',
        });
        expect(await snow.guest.run(['systemctl', 'is-active', timer])).toMatchObject({
            stdout: 'inactive\n',
        });
    });

    test('leave alone what was rolled back from, until somebody updates by hand', async () => {
        await snow.ok('features enable figlet');
        await snow.offer('figlet', ['1.0', '1.1']);
        await snow.ok('features update');
        await snow.ok('features rollback figlet');
        await snow.guest.check(['systemctl', 'start', 'snow-features-update.service']);
        expect(await isMergedAndLinked()).toEqual({active: '1.0', installed: '1.0'});
        await snow.ok('features update figlet');
        expect(await isMergedAndLinked()).toEqual({active: '1.1', installed: '1.1'});
    });
});

describe('the service', () => {
    test('writes one line for an operation: what, for whom, how it ended, how long it took', async () => {
        const cursor = await journalCursor();
        await snow.ok('features enable figlet');
        await snow.snowctl('features enable tomorrow');
        await snow.ok('features disable figlet');
        const log = await snow.guest.check(
            `journalctl --sync; journalctl --no-pager -o cat --after-cursor='${cursor}' _SYSTEMD_UNIT=snowd.service`,
        );
        expect(log.trimEnd().split('\n')).toEqual([
            expect.stringMatching(
                /^features\.enable figlet for uid 0: done in \d+\.\d\d s \(job \d+\)$/,
            ),
            expect.stringMatching(
                /^features\.enable tomorrow for uid 0: failed in .* s \(job \d+\): WrongState: tomorrow 1\.0 is for debian 99/,
            ),
            expect.stringMatching(/^features\.disable figlet for uid 0: done in /),
        ]);
    });

    test('ends when it was idle for half a minute, and is started by the next call', async () => {
        const started = Date.now();
        await snow.ok('features check');
        await until(
            'snowd ends',
            async () =>
                (await snow.guest.run(['systemctl', 'is-active', 'snowd'])).stdout === 'inactive\n',
            {timeout: 45_000, interval: 250},
        );
        expect(Date.now() - started).toBeGreaterThan(28_000);
        // to say that there are none, the service need not be started
        expect(await snow.ok('jobs')).toBe('There are no jobs.\n');
        expect(await snow.guest.run(['systemctl', 'is-active', 'snowd'])).toMatchObject({
            stdout: 'inactive\n',
        });
        await snow.ok('features check');
        expect(await snow.guest.check(['systemctl', 'is-active', 'snowd'])).toBe('active\n');
    });
});

/** Prints for how many milliseconds at most a file was not there. */
const WATCH = `
const {existsSync} = require('node:fs');
const [path, length] = process.argv.slice(1);
const end = performance.now() + Number(length);
let gone = null;
let gap = 0;
while (performance.now() < end) {
    if (existsSync(path)) gone = null;
    else gap = Math.max(gap, performance.now() - (gone ??= performance.now()));
}
console.log(gap.toFixed(1));
`;
