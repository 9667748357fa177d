// SPDX-License-Identifier: GPL-2.0-or-later
// What goes on around a change of a container on a real system: its unit, snowd's death and its own at
// any instant, a full disk, and who may. The root directories are of a few files, from no registry.
import {resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import {build} from 'esbuild';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {programOptions} from '../../helper/bundle.mjs';
import {Guest, type RunOptions} from '../lab/guest.ts';
import {installedSystem} from '../lab/installation.ts';
import {BUS_NAME, ROOT, SnowBus} from './support/snow-bus.ts';
import {until} from './support/waiting.ts';

const ALICE = 1001;
const BOB = 1002;
const unit = (uid: number) => `snow-intune-job-u${uid}.service`;

/** While it is there, nothing is fetched to the end. */
const HOLD = '/run/lab-intune-hold';

let guest: Guest;
let bus: SnowBus;
let version = 0;

beforeAll(async () => {
    const {outputFiles} = await build({
        absWorkingDir: resolve(import.meta.dirname, '../..'),
        entryPoints: ['tests/guest/support/intune-worker-program.ts'],
        write: false,
        ...programOptions('1.2.3'),
        banner: {js: '#!/usr/bin/node'},
    });
    guest = await Guest.boot('desktop', {
        name: 'intune-jobs',
        machines: true,
        install: await installedSystem(),
        files: {
            '/usr/lib/snow-control/container/snow-intune-session': '',
            '/usr/lib/snow-control/snow-intune-job': {
                content: outputFiles?.[0]?.text ?? '',
                mode: 0o755,
            },
        },
    });
    bus = new SnowBus(guest);
    await guest.check('chmod 0700 /var/lib/machines; loginctl enable-linger alice bob');
    await until('both are logged in', async () => {
        const {exitCode} = await guest.run('test -d /run/user/1001 && test -d /run/user/1002');
        return exitCode === 0;
    });
});
afterAll(() => guest?.kill());

const objectOf = (uid: number) => `${ROOT}/Intune/u${uid}`;

function ask(method: string, words = "'a{sv}' 0", uid = ALICE, options: RunOptions = {}) {
    return bus.call(`${objectOf(uid)} ${BUS_NAME}.Intune ${method} ${words}`, options);
}

async function start(method: string, words?: string, uid = ALICE): Promise<string> {
    const {stdout, stderr} = await ask(method, words, uid);
    const path = /^o "(\/\S+)"/.exec(stdout)?.[1];
    if (path === undefined) throw new Error(`${method}: ${stderr}`);
    return path;
}

async function perform(method: string, words?: string, uid = ALICE) {
    return bus.end(await start(method, words, uid));
}

const done = {state: 'done', error: '', text: ''};

async function offer(): Promise<string> {
    version += 1;
    await guest.check(`echo ${version} >/etc/lab-intune-version`);
    return String(version);
}

/** What is below /var/lib/machines, with the version of each that is whole. */
async function machines(): Promise<Readonly<Record<string, string>>> {
    const text = await guest.check(
        'cd /var/lib/machines; for d in $(ls -A); do echo "$d $(cat $d/whole 2>/dev/null)"; done',
    );
    return Object.fromEntries(
        text
            .split('\n')
            .filter(line => line !== '')
            .map(line => line.split(' ') as [string, string]),
    );
}

async function isWorking(uid = ALICE): Promise<boolean> {
    const {stdout} = await guest.run(['systemctl', 'is-active', unit(uid)]);
    return stdout.trim() === 'activating';
}

describe('containers on the bus', () => {
    test('are of those who are logged in, and absent at first', async () => {
        for (const uid of [ALICE, BOB])
            expect(await bus.properties(objectOf(uid), 'Intune')).toMatchObject({
                State: 'absent',
                Channel: 'stable',
                Problem: '',
                Settings: {channel: 'stable', autostart: false, 'memory-max': ''},
            });
    });

    test('are made, made anew, restored and removed', async () => {
        const first = await offer();
        expect(await perform('Init')).toEqual(done);
        expect(await machines()).toEqual({'intune-u1001': first});
        expect(await bus.properties(objectOf(ALICE), 'Intune')).toMatchObject({
            State: 'stopped',
            Image: 'ghcr.io/frostyard/ubuntu-intune:latest',
            Digest: `sha256:${first.padStart(64, '0')}`,
            CanRestore: false,
        });
        const second = await offer();
        expect(await perform('Recreate')).toEqual(done);
        expect(await machines()).toEqual({'intune-u1001': second, '.intune-u1001.previous': first});
        expect(await perform('Restore')).toEqual(done);
        expect(await machines()).toEqual({'intune-u1001': first, '.intune-u1001.previous': second});
        expect(await perform('Destroy')).toEqual(done);
        expect(await machines()).toEqual({});
    });

    test('have the home directory that is there, or a new one, with the rights of its user', async () => {
        await offer();
        await guest.check('rm -rf /home/alice/Intune');
        expect(await perform('Init')).toEqual(done);
        expect(await guest.check('stat -c "%U %G %a" /home/alice/Intune')).toBe(
            'alice alice 700\n',
        );
        await guest.check('echo mine >/home/alice/Intune/file');
        await offer();
        expect(await perform('Recreate')).toEqual(done);
        expect(await guest.check('cat /home/alice/Intune/file')).toBe('mine\n');
        expect(await perform('Destroy')).toEqual(done);

        await guest.check('mv /home/alice /home/real && ln -s /home/bob /home/alice');
        try {
            expect(await perform('Init')).toMatchObject({
                state: 'failed',
                text: '/home/alice is no directory of its own; put a real directory in its place',
            });
            expect(await guest.run('ls -d /home/bob/Intune')).not.toMatchObject({exitCode: 0});
            expect(await machines()).toEqual({});
        } finally {
            await guest.check('rm /home/alice && mv /home/real /home/alice');
        }
    });

    test('get a password that no process list shows', async () => {
        await offer();
        await guest.check('rm -f /run/lab-intune-password; mkdir -m 0700 /run/pw');
        await guest.check('mkfifo -m 0600 /run/pw/password');
        const job = await start('Init', "'a{sv}' 1 pipes s /run/pw");
        await guest.check("printf '%s\\n' 'Ice-Floe 4711' >/run/pw/password");
        expect(await bus.end(job)).toEqual(done);
        expect(await guest.check('cat /run/lab-intune-password')).toBe('Ice-Floe 4711\n');
        expect(await perform('Destroy')).toEqual(done);
    });

    test('read no password where somebody else could have put something', async () => {
        await guest.check('mkdir -m 0700 /run/user/1001/pw && mkfifo /run/user/1001/pw/password', {
            user: 'alice',
        });
        await guest.check(
            'ln -s /run/pw /run/link; mkdir -m 0777 /run/open; mkdir -m 0700 /run/file',
        );
        await guest.check('mkfifo /run/open/password; ln -s /etc/shadow /run/file/password');
        for (const pipes of ['/run/user/1001/pw', '/run/link', '/run/open', '/run/file']) {
            const end = await perform('Init', `'a{sv}' 1 pipes s ${pipes}`);
            expect([pipes, end.state]).toEqual([pipes, 'failed']);
        }
        for (const pipes of ['/run/../etc', '/etc', '/run', 'run/pw'])
            expect((await ask('Init', `'a{sv}' 1 pipes s ${pipes}`)).stderr).toContain(
                'below /run',
            );
        expect(await machines()).toEqual({});
    });

    test('of two users are made side by side', async () => {
        const made = await offer();
        await guest.check(['touch', HOLD]);
        const jobs = [await start('Init'), await start('Init', undefined, BOB)];
        expect((await ask('Init')).stderr).toContain(`Another operation is running: ${jobs[0]}`);
        await guest.check(['rm', HOLD]);
        for (const job of jobs) expect(await bus.end(job)).toEqual(done);
        expect(await machines()).toEqual({'intune-u1001': made, 'intune-u1002': made});
        const bases = await guest.check('cat /var/lib/snow-control/intune/u100[12]/container.json');
        const [one, other] = [...bases.matchAll(/"uidBase": (\d+)/g)].map(([, base]) => base);
        expect(one).not.toBe(other);
        expect(await perform('Destroy', undefined, BOB)).toEqual(done);
        expect(await perform('Destroy')).toEqual(done);
    });
});

describe('a second user', () => {
    const methods: readonly (readonly [string, string])[] = [
        ...['Init', 'Start', 'Stop', 'Restart', 'Check', 'Inspect', 'Recreate'].map(
            name => [name, "'a{sv}' 0"] as const,
        ),
        ...['Restore', 'Destroy', 'Adopt'].map(name => [name, "'a{sv}' 0"] as const),
        ['Open', "'sa{sv}' edge 0"],
        ['Run', "'asa{sv}' 0 0"],
        ['Configure', "'a{sv}a{sv}' 0 0"],
    ];

    test.each(methods)('may not %s the container of the first', async (method, words) => {
        const {exitCode, stderr} = await ask(method, words, ALICE, {user: 'bob'});
        expect([exitCode, stderr]).toEqual([
            1,
            expect.stringContaining('The container is another user’s'),
        ]);
    });

    test('is asked for a password about one of his own', async () => {
        const {stderr} = await ask('Init', "'a{sv}' 0", BOB, {user: 'bob'});
        expect(stderr).toContain('Authentication is required');
    });
});

describe('settings', () => {
    test('are the administrator’s, then the user’s, and what is wrong is named', async () => {
        await guest.check(
            `mkdir -p /etc/snow-control; printf '[Intune]\\nMemoryMax=4G\\nMemroyMax=5G\\nGpu=maybe\\n' >/etc/snow-control/intune.conf`,
        );
        expect(await perform('Configure', "'a{sv}a{sv}' 1 tasks-max s 500 0")).toEqual(done);
        expect(await bus.properties(objectOf(ALICE), 'Intune')).toMatchObject({
            Settings: {'memory-max': '4G', 'tasks-max': '500', gpu: true},
            Problem: expect.stringMatching(/intune\.conf:[34]: /),
        });
        for (const words of ['1 tasks-max s many 0', '1 tasks b true 0', '1 gpu s yes 0'])
            expect((await ask('Configure', `'a{sv}a{sv}' ${words}`)).exitCode).toBe(1);
        await guest.check('rm /etc/snow-control/intune.conf');
        expect(await perform('Configure', "'a{sv}a{sv}' 1 tasks-max s '' 0")).toEqual(done);
    });
});

describe('snowd that dies', () => {
    test('leaves the job alone, and the next one follows it', async () => {
        const made = await offer();
        await guest.check(['touch', HOLD]);
        await start('Init');
        await until('the worker is at it', () => isWorking());
        await guest.check(['systemctl', 'kill', '--signal=KILL', 'snowd.service']);
        const [adopted = ''] = await until('a job is there', async () => {
            const jobs = await bus.jobs();
            return jobs.length > 0 && jobs;
        });
        expect(await bus.job(adopted)).toMatchObject({Operation: 'intune.init'});
        await guest.check(['rm', HOLD]);
        expect(await bus.end(adopted)).toEqual(done);
        expect(await machines()).toEqual({'intune-u1001': made});
    });
});

describe('a kill of everything at any instant', () => {
    const instants = Array.from({length: 10}, (_, index) => 40 + index * 60);
    const killAll = `systemctl kill --signal=KILL snowd.service; systemctl kill --signal=KILL ${unit(ALICE)}`;

    async function killedAt(instant: number, method: string): Promise<void> {
        await start(method);
        await sleep(instant);
        await guest.run(killAll);
        await until('both are gone', async () => {
            const units = ['snowd.service', unit(ALICE)];
            const {stdout} = await guest.run(['systemctl', 'is-active', ...units]);
            return !/^(active|activating|deactivating)$/m.test(stdout);
        });
        // It is not killed as often as that otherwise.
        await guest.run(['systemctl', 'reset-failed', 'snowd.service']);
    }

    test.each(instants)('%i ms after Init leaves none or a whole one', async instant => {
        await perform('Destroy');
        const made = await offer();
        await killedAt(instant, 'Init');
        const current = (await machines())['intune-u1001'];
        expect([undefined, made]).toContain(current);
        const {State} = await bus.properties(objectOf(ALICE), 'Intune');
        expect(State).toBe(current === undefined ? 'absent' : 'stopped');
        if (current === undefined) expect(await perform('Init')).toEqual(done);
        expect(await machines()).toEqual({'intune-u1001': made});
    });

    test.each(instants)('%i ms after Recreate leaves the old or the new one', async instant => {
        const {'intune-u1001': before = ''} = await machines();
        const made = await offer();
        await killedAt(instant, 'Recreate');
        const current = (await machines())['intune-u1001'];
        expect([before, made]).toContain(current);
        expect(await bus.properties(objectOf(ALICE), 'Intune')).toMatchObject({
            State: 'stopped',
            Digest: `sha256:${current?.padStart(64, '0')}`,
        });
        const next = await offer();
        expect(await perform('Recreate')).toEqual(done);
        expect(await machines()).toEqual({'intune-u1001': next, '.intune-u1001.previous': current});
    });

    test.each(instants)('%i ms after Destroy is finished by the next one', async instant => {
        const made = await offer();
        if (!('intune-u1001' in (await machines()))) expect(await perform('Init')).toEqual(done);
        await killedAt(Math.round(instant / 3), 'Destroy');
        expect([undefined, made]).toContain(
            (await machines())['intune-u1001'] === undefined ? undefined : made,
        );
        expect(await perform('Destroy')).toEqual(done);
        expect(await machines()).toEqual({});
    });
});

describe('a full disk', () => {
    test('is said before anything is fetched', async () => {
        await offer();
        await guest.check('mount -t tmpfs -o size=8M,mode=0700 tmpfs /var/lib/machines');
        try {
            expect(await perform('Init')).toMatchObject({state: 'failed', error: 'NoSpace'});
            expect(await machines()).toEqual({});
        } finally {
            await guest.check('umount /var/lib/machines');
        }
    });
});
