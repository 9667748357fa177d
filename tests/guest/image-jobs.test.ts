// SPDX-License-Identifier: GPL-2.0-or-later
// What goes on around a change of the OS image on a real system: its unit, snowd's death, other tools'
// timers, and who may. The image is one of the stand-in for bootc.
import {setTimeout as sleep} from 'node:timers/promises';

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import {Guest} from '../lab/guest.ts';
import {BootcStandIn, bootcFiles} from '../lab/image/bootc/stand-in.ts';
import {installedSystem} from '../lab/installation.ts';
import type {Session} from '../lab/session.ts';
import {changing, expectJobs, expectPassword, updating} from './support/image-permissions.ts';
import {BUS_NAME, IMAGE, ROOT, SnowBus} from './support/snow-bus.ts';
import {until} from './support/waiting.ts';

const UNIT = 'snow-image-job.service';
/** Milliseconds. */
const DOWNLOAD_TIME = 1500;

let guest: Guest;
let bus: SnowBus;
let bootc: BootcStandIn;
let version = 1;

/** What the other tool does: it says when it began, and ends when it is told to. */
const otherUnit = `[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cat /proc/uptime >/run/other-began; until [ -e /run/other-go ]; do sleep .1; done; touch /run/other-ended'
`;

beforeAll(async () => {
    guest = await Guest.boot('desktop', {
        name: 'image-jobs',
        install: await installedSystem(),
        files: {
            ...(await bootcFiles({downloadTime: DOWNLOAD_TIME})),
            '/usr/lib/systemd/system/bootc-update-stage.service': otherUnit,
        },
    });
    bus = new SnowBus(guest);
    bootc = new BootcStandIn(guest);
});
afterAll(() => guest?.kill());

beforeEach(async () => {
    version += 1;
    await bootc.offer({version: String(version)});
});

afterEach(async () => {
    await bootc.setFaults({});
    await until('the unit is gone', async () => (await unitState()) === 'inactive');
    if ((await staged()) === null) return;
    expect(await bus.end(await bus.start('Unstage'))).toMatchObject({state: 'done'});
});

async function unitState(): Promise<string> {
    return (await guest.run(['systemctl', 'is-active', UNIT])).stdout.trim();
}

/** Version of what bootc has staged. */
async function staged(): Promise<string | null> {
    return (await bootc.status()).status.staged?.image.version ?? null;
}

async function untilWorking(): Promise<void> {
    await until('the worker is at it', async () => (await unitState()) === 'activating');
}

async function killService(): Promise<void> {
    await guest.check(['systemctl', 'kill', '--signal=KILL', 'snowd.service']);
    await until('snowd is gone', async () => {
        const {stdout} = await guest.run(['systemctl', 'is-active', 'snowd.service']);
        return stdout.trim() !== 'active';
    });
}

describe('a job', () => {
    test('runs in a unit of its own, tells of itself and is written down', async () => {
        const path = await bus.start('Update');
        await untilWorking();
        expect(await bus.job(path)).toMatchObject({
            Operation: 'image.update',
            StartedByUID: 0,
            State: 'running',
        });
        expect(await bus.end(path)).toEqual({state: 'done', error: '', text: ''});
        expect(await staged()).toBe(String(version));
        expect(await bus.imageProperties()).toMatchObject({
            Driver: 'bootc',
            Staged: {version: String(version)},
            RestartNeeded: true,
            LastOutcome: 'staged',
            Problem: '',
        });
        expect(await guest.check(['cat', '/run/snosi/update-staged'])).toMatch(
            /^image=ghcr\.io\/frostyard\/snow:latest\ndigest=sha256:[0-9a-f]{64}\nstaged_at=\S+\n$/,
        );
        const history = await guest.check(['cat', '/var/lib/snow-control/image/history.jsonl']);
        expect(JSON.parse(history.trim().split('\n').at(-1) ?? '')).toMatchObject({
            operation: 'update',
            uid: 0,
            outcome: 'done',
            to: {version: String(version)},
        });
        expect(await guest.journal('snow-image-job')).toMatch(
            /image\.update for uid 0: done in \d+\.\d\d s/,
        );
        expect((await guest.run(['systemctl', 'is-failed', UNIT])).stdout.trim()).toBe('inactive');
    });

    test('is the only one, which the second caller is told', async () => {
        const path = await bus.start('Update');
        await untilWorking();
        for (const method of ['Update', 'Check', 'Rollback', 'Unstage']) {
            const {stderr} = await bus.image(method);
            expect(stderr).toContain(`Another operation is running: ${path}`);
        }
        expect(await bus.end(path)).toMatchObject({state: 'done'});
    });

    test('of a tool that does nothing failed', async () => {
        await bootc.setFaults({upgrade: 'silent'});
        const end = await bus.end(await bus.start('Update'));
        expect(end).toMatchObject({state: 'failed', error: 'Failed'});
        expect(end.text).toContain('nothing is staged');
        expect(await guest.check(['cat', '/run/snosi/update-check'])).toContain('outcome=failed');
    });

    test('keeps nobody from reading the features', async () => {
        const path = await bus.start('Update');
        await untilWorking();
        const start = performance.now();
        await guest.check(
            `busctl call ${BUS_NAME} ${ROOT} org.freedesktop.DBus.ObjectManager GetManagedObjects >/dev/null`,
        );
        expect(performance.now() - start).toBeLessThan(15_000);
        expect(await bus.end(path)).toMatchObject({state: 'done'});
    });
});

describe('snowd that dies during a job', () => {
    test('leaves it alone, and the next one follows it, and the one after that', async () => {
        await bus.start('Update');
        await untilWorking();
        for (let death = 0; death < 2; death++) {
            await killService();
            const [adopted = '', ...more] = await bus.jobs();
            expect(more).toEqual([]);
            expect(await bus.job(adopted)).toMatchObject({
                Operation: 'image.update',
                StartedByUID: 0,
                State: 'running',
            });
        }
        const [adopted = ''] = await bus.jobs();
        expect(await bus.end(adopted)).toMatchObject({state: 'done'});
        expect(await staged()).toBe(String(version));
    });

    test('after the end finds what was done, and no job', async () => {
        await bus.start('Update');
        await untilWorking();
        await killService();
        await until('the worker ends', async () => (await unitState()) === 'inactive');
        expect(await bus.jobs()).toEqual([]);
        expect(await bus.imageProperties()).toMatchObject({Staged: {version: String(version)}});
    });

    test('by being stopped leaves it alone as well', async () => {
        await bus.start('Update');
        await untilWorking();
        await guest.check(['systemctl', 'stop', 'snowd.service']);
        expect(await unitState()).toBe('activating');
        const [adopted = ''] = await bus.jobs();
        expect(await bus.end(adopted)).toMatchObject({state: 'done'});
        expect(await staged()).toBe(String(version));
    });

    test('does not keep the next one from cancelling it', async () => {
        await bus.start('Update');
        await untilWorking();
        await killService();
        const [adopted = ''] = await bus.jobs();
        expect((await bus.cancel(adopted)).exitCode).toBe(0);
        expect(await bus.end(adopted)).toMatchObject({state: 'cancelled', error: 'Cancelled'});
        expect(await staged()).toBeNull();
    });
});

describe('cancelling', () => {
    const instants = [0, 100, 400, 1000, 2000, 3000, 4500];

    test.each(instants)('after %i ms leaves what was, or what was asked for', async instant => {
        const path = await bus.start('Update');
        await sleep(instant);
        await bus.cancel(path);
        const {state, error} = await bus.end(path);
        expect([instant, state, error]).toEqual([
            instant,
            ...((await staged()) === null ? ['cancelled', 'Cancelled'] : ['done', '']),
        ]);
        // Nothing is left that keeps the next one from it.
        expect(await bus.end(await bus.start('Update'))).toMatchObject({state: 'done'});
        expect(await staged()).toBe(String(version));
    });

    test('ends a program that does not want to, too', async () => {
        await bootc.setFaults({upgrade: 'stubborn'});
        const isUpgrading = async () =>
            (await guest.run("pgrep -af '[b]in/bootc upgrade' | grep -v -e --check")).stdout !== '';
        const path = await bus.start('Update');
        await until('bootc is at it', isUpgrading);
        // It has yet to say that it does not care.
        await sleep(2000);
        await bus.cancel(path);
        expect(await bus.end(path)).toMatchObject({state: 'cancelled'});
        expect(await isUpgrading()).toBe(false);
    });
});

describe('a worker that is killed', () => {
    test('has failed, and the next try works', async () => {
        const path = await bus.start('Update');
        await untilWorking();
        await sleep(600);
        await guest.check(['systemctl', 'kill', '--signal=KILL', UNIT]);
        const end = await bus.end(path);
        expect(end).toMatchObject({state: 'failed', error: 'Failed'});
        expect(end.text).toContain('killed');
        expect(await bus.imageProperties()).toMatchObject({Staged: {}});
        expect(await bus.end(await bus.start('Update'))).toMatchObject({state: 'done'});
        expect(await staged()).toBe(String(version));
    });
});

describe('the other tool’s unit', () => {
    const isThere = async (path: string): Promise<boolean> =>
        (await guest.run(['test', '-e', path])).exitCode === 0;

    beforeEach(() => guest.check('rm -f /run/other-*'));

    test('that is at work is not disturbed', async () => {
        await guest.check(['systemctl', 'start', '--no-block', 'bootc-update-stage.service']);
        await until('it began', () => isThere('/run/other-began'));
        const end = await bus.end(await bus.start('Update'));
        await guest.check(['touch', '/run/other-go']);
        expect(end).toMatchObject({state: 'failed', error: 'Busy'});
        expect(end.text).toContain('bootc-update-stage.service');
        await until('it ended', () => isThere('/run/other-ended'));
    });

    test('that is to start meanwhile waits for the end of ours', async () => {
        await guest.check(['touch', '/run/other-go']);
        await bus.start('Update');
        await untilWorking();
        await guest.check(['systemctl', 'start', '--no-block', 'bootc-update-stage.service']);
        await until('ours ended', async () => {
            const [isOurs, isOther] = [await unitState(), await isThere('/run/other-began')];
            expect([isOurs, isOther]).not.toEqual(['activating', true]);
            return isOther;
        });
        expect(await staged()).toBe(String(version));
    });
});

describe('an image that another program staged', () => {
    const RELEASE = '/run/snow-control/next-system/os-release';

    test('is looked into for the extensions', async () => {
        expect((await guest.run(['test', '-e', RELEASE])).exitCode).toBe(1);
        await guest.check(['bootc', 'upgrade']);
        const digest = (await bootc.status()).status.staged?.image.imageDigest;
        await guest.check(
            `printf 'image=ghcr.io/frostyard/snow:latest\\ndigest=${digest}\\nstaged_at=%s\\n' "$(date --iso-8601=seconds)" >/run/snosi/update-staged`,
        );
        await until('it was looked into', async () => {
            const {stdout} = await guest.run(['cat', RELEASE]);
            return stdout.includes(`IMAGE_VERSION="${version}"`);
        });
    });
});

describe('who may', () => {
    let session: Session;
    let alice = 0;

    beforeAll(async () => {
        session = await guest.openSession('alice');
        alice = Number(await guest.check(['id', '-u', 'alice']));
    });
    afterAll(() => session?.close());

    test('an active user may check and update, and nothing else without a password', async () => {
        await expectJobs(bus, updating, {session}, alice);
        await expectPassword(bus, changing, {session});
    });

    test('a user whose session is in the background may nothing', async () => {
        await using other = await guest.openSession('bob');
        expect(await other.isActive()).toBe(true);
        await expectPassword(bus, [...updating, ...changing], {session});
    });

    test('a user without a session may nothing but look', async () => {
        await expectPassword(bus, [...updating, ...changing], {user: 'bob'});
        const {stdout} = await bus.call(
            `${IMAGE} org.freedesktop.DBus.Properties Get ss ${BUS_NAME}.Image Driver`,
            {user: 'bob'},
        );
        expect(stdout).toContain('bootc');
        expect(
            await guest.check(['cat', '/var/lib/snow-control/image/history.jsonl'], {user: 'bob'}),
        ).toContain('update');
    });

    test('a job is cancelled by the one who started it, and root', async () => {
        await session.activate();
        const path = await bus.start('Update', undefined, {session});
        await untilWorking();
        expect((await bus.cancel(path, {user: 'bob'})).exitCode).not.toBe(0);
        // The service that started it is gone, and the next one still knows whose it is.
        await killService();
        const [adopted = ''] = await bus.jobs();
        expect((await bus.cancel(adopted, {user: 'bob'})).stderr).toContain('another user');
        expect((await bus.cancel(adopted, {user: 'alice'})).exitCode).toBe(0);
        expect(await bus.end(adopted)).toMatchObject({state: 'cancelled'});
    });
});
