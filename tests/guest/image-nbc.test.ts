// SPDX-License-Identifier: GPL-2.0-or-later
// The nbc driver through the service and its worker, on slots that are really mounted and written. nbc,
// the boot loader and the firmware are stand-ins, see tests/lab/image/nbc.
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import {Guest} from '../lab/guest.ts';
import {
    type FaultName,
    NbcMachine,
    type NbcOptions,
    SNOW,
    imageOf,
    nbcPrograms,
} from '../lab/image/nbc/stand-in.ts';
import {installedSystem} from '../lab/installation.ts';
import {ImageBus} from './support/image-bus.ts';
import {expectPermissions} from './support/image-permissions.ts';
import {SnowBus} from './support/snow-bus.ts';
import {until} from './support/waiting.ts';

const FIRST = '20260101000000';
const SECOND = '20260201000000';
const THIRD = '20260301000000';
const OTHER = 'ghcr.io/frostyard/snowloaded:latest';

let guest: Guest;
let machine: NbcMachine;
let image: ImageBus;

async function boot(options: NbcOptions = {}) {
    guest = await Guest.boot('desktop', {
        name: 'nbc',
        install: await installedSystem(),
        files: await nbcPrograms(),
    });
    machine = await NbcMachine.install(guest, {installed: imageOf(FIRST), ...options});
    image = new ImageBus(guest);
}

async function offer(version: string, reference = SNOW) {
    await machine.publish({[reference]: imageOf(version)});
}

/** The versions, or the beginnings of digests where there are none. */
async function shown() {
    const {Booted, Staged, Rollback, RollbackQueued, Downloaded, Problem} =
        await image.properties();
    const digest = Downloaded.digest ?? '';
    return {
        booted: Booted.version,
        staged: Staged.version ?? null,
        rollback: Rollback.version ?? null,
        isRollbackQueued: RollbackQueued,
        downloaded: digest === '' ? null : digest,
        problem: Problem,
    };
}

const nothingElse = {
    staged: null,
    rollback: null,
    isRollbackQueued: false,
    downloaded: null,
    problem: '',
};

async function done(method: string, ...args: readonly string[]) {
    const job = await image.run(method, ...args);
    expect(job.error).toBeNull();
    return job;
}

describe('with systemd-boot', () => {
    beforeEach(() => boot());
    afterEach(() => guest?.[Symbol.asyncDispose]());

    test('check, update, restart, back and forth', async () => {
        expect(await image.properties()).toMatchObject({
            Driver: 'nbc',
            Followed: SNOW,
            Booted: {version: FIRST, digest: imageOf(FIRST).digest, image: SNOW, slot: 'A'},
            Capabilities: ['check', 'update', 'download-only', 'switch', 'rollback', 'unstage'],
            RestartNeeded: false,
        });
        expect((await done('Check')).results).toMatchObject({outcome: 'current'});
        expect((await done('Update')).results).toMatchObject({outcome: 'current'});

        await offer(SECOND);
        expect((await done('Check')).results).toMatchObject({
            outcome: 'available',
            digest: imageOf(SECOND).digest,
        });
        expect(await shown()).toEqual({...nothingElse, booted: FIRST});
        expect((await done('Update')).results).toMatchObject({
            outcome: 'staged',
            version: SECOND,
            digest: imageOf(SECOND).digest,
        });
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: SECOND});
        expect((await image.properties()).RestartNeeded).toBe(true);
        expect(await guest.check(['cat', '/run/snosi/update-staged'])).toContain(
            `digest=${imageOf(SECOND).digest}\n`,
        );
        expect(await guest.check(['cat', '/run/snow-control/next-system/os-release'])).toContain(
            SECOND,
        );
        // staged already
        expect((await done('Check')).results).toMatchObject({outcome: 'staged'});

        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(SECOND);
        expect(await shown()).toEqual({...nothingElse, booted: SECOND, rollback: FIRST});

        await done('Rollback');
        expect(await shown()).toEqual({
            ...nothingElse,
            booted: SECOND,
            rollback: FIRST,
            isRollbackQueued: true,
        });
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(FIRST);
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, rollback: SECOND});
        // what was rolled back from is not taken again
        expect((await done('Check')).results).toMatchObject({outcome: 'held-rollback'});
        expect((await image.run('Update')).error?.[0]).toBe('WrongState');
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(FIRST);

        // what is newer is, and started
        await offer(THIRD);
        await done('Update');
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: THIRD});
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(THIRD);
        expect(await shown()).toEqual({...nothingElse, booted: THIRD, rollback: FIRST});

        // what goes wrong before the other slot is touched leaves it as it is, and later not
        await offer('20260401000000');
        await machine.setFaults('lost-network');
        expect((await image.run('Update')).error?.[0]).toBe('Network');
        expect(await shown()).toEqual({...nothingElse, booted: THIRD, rollback: FIRST});
        await machine.setFaults('crash-early');
        expect((await image.run('Update')).error?.[0]).toBe('Failed');
        expect(await shown()).toEqual({...nothingElse, booted: THIRD});
        expect((await image.run('Rollback')).error?.[0]).toBe('WrongState');
    });

    test('switch, and take it back', async () => {
        const before = await machine.snapshot();
        await offer(SECOND, OTHER);
        await done('SwitchReference', OTHER);
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: SECOND});
        expect((await image.properties()).Followed).toBe(OTHER);
        await done('Unstage');
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, rollback: SECOND});
        expect((await image.properties()).Followed).toBe(SNOW);
        expect(await guest.check(['cat', '/var/lib/nbc/state/config.json'])).toContain(
            imageOf(FIRST).digest,
        );
        expect(before).toContain(imageOf(FIRST).digest);
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(FIRST);

        // what was taken back can be had again
        await done('SwitchReference', OTHER);
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(SECOND);
        expect((await image.properties()).Followed).toBe(OTHER);
        // and a reference whose image is the same one is followed as well
        await machine.publish({[SNOW]: imageOf(SECOND)});
        await done('SwitchReference', SNOW);
        expect((await image.properties()).Followed).toBe(SNOW);
    });

    test('by snowctl, a channel by its name', async () => {
        const snowctl = (line: string) => guest.run(`snowctl image ${line}`);
        await machine.publish({[SNOW]: imageOf(SECOND), [OTHER]: imageOf(THIRD)});
        expect((await snowctl('check')).stdout).toMatch(/^An update is available: sha256:/);
        expect((await snowctl('update --dry-run')).exitCode).toBe(0);
        expect(await shown()).toEqual({...nothingElse, booted: FIRST});
        const updated = await snowctl('update');
        expect(updated.stdout).toBe(`${SECOND} is staged; restart to use it.\n`);
        expect(updated.stderr).toContain('Mounting target partition');
        expect((await snowctl('switch snowloaded --yes')).stdout).toContain(`${THIRD} of ${OTHER}`);
        expect((await image.properties()).Followed).toBe(OTHER);
        expect((await snowctl('unstage')).exitCode).toBe(0);
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, rollback: THIRD});
        expect(JSON.parse((await snowctl('status --json')).stdout)).toMatchObject({
            driver: 'nbc',
            followed: SNOW,
            booted: {version: FIRST, slot: 'A'},
            staged: null,
            rollback: {version: THIRD, image: OTHER, slot: 'B'},
        });
        for (const reference of ['-- --help', "'a b'", "'x;reboot'", 'docker://ghcr.io/a/b'])
            expect((await snowctl(`switch --yes ${reference}`)).exitCode).toBe(2);
    });

    test('what somebody does by hand is understood', async () => {
        await offer(SECOND);
        await guest.check(['nbc', 'update', '--json']);
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: SECOND});
        // nbc has forgotten what the running system is; from now on anything is newer
        await done('Unstage');
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, rollback: SECOND});
        expect((await done('Check')).results).toMatchObject({outcome: 'available'});
        await done('Update');
        await guest.reboot();
        await done('Rollback');
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(FIRST);

        // by hand after a rollback: the boot loader was told to start the older one
        await offer(THIRD);
        await guest.check(['nbc', 'update', '--json']);
        const found = await shown();
        expect(found).toMatchObject({booted: FIRST, staged: null, rollback: THIRD});
        expect(found.problem).toContain('snowctl image rollback');
        await done('Rollback');
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: THIRD});
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(THIRD);
    });

    test('download, then apply without a network', async () => {
        await offer(SECOND);
        expect((await done('Download')).results).toMatchObject({outcome: 'available'});
        expect(await shown()).toEqual({
            ...nothingElse,
            booted: FIRST,
            downloaded: imageOf(SECOND).digest,
        });
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(FIRST);
        await machine.setFaults('lost-network');
        await done('Update');
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: SECOND});
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(SECOND);
    });

    test('a second update replaces the first, and a cancelled one leaves a system to start', async () => {
        await offer(SECOND);
        await done('Update');
        await offer(THIRD);
        await done('Update');
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: THIRD});

        await offer('20260401000000');
        await machine.configure({stepTime: 300});
        const job = await image.start('Update');
        await image.step(/Extracting/);
        await image.cancel(job);
        expect(await image.end(job)).toMatchObject({
            state: 'cancelled',
            error: ['Cancelled', expect.anything()],
        });
        expect(await shown()).toEqual({...nothingElse, booted: FIRST});
        expect(await machine.snapshot()).not.toMatch(/\/(tmp|run)\/nbc-/);
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(FIRST);
        // and it works another time
        await machine.configure({stepTime: 0});
        await done('Update');
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe('20260401000000');
    });
});

describe('what goes wrong', () => {
    beforeAll(() => boot());
    afterAll(() => guest?.[Symbol.asyncDispose]());
    afterEach(async () => {
        await machine.setFaults();
        await machine.configure({stepTime: 0, version: '0.17.1'});
    });

    test.each<[FaultName, string, string]>([
        ['silent-no-op', 'Update', 'Failed'],
        ['nothing-staged', 'Update', 'Failed'],
        ['lost-network', 'Update', 'Network'],
        ['lost-network', 'Check', 'Network'],
        ['lost-network', 'Download', 'Network'],
        ['no-such-image', 'Check', 'Failed'],
        ['no-space', 'Update', 'NoSpace'],
        ['bad-signature', 'Update', 'VerificationFailed'],
        ['bad-signature', 'Download', 'VerificationFailed'],
        ['no-space', 'Download', 'NoSpace'],
        ['nothing-staged', 'Download', 'Failed'],
        ['crash-early', 'Update', 'Failed'],
        ['crash-late', 'Update', 'Failed'],
        ['crash-early', 'Download', 'Failed'],
        ['garbage', 'Update', 'Failed'],
        ['malformed-status', 'Check', 'Failed'],
    ])('%s, %s: %s, and the machine is as before', async (fault, method, code) => {
        await offer(SECOND);
        const before = await machine.snapshot();
        await machine.setFaults(fault);
        const job = await image.run(method);
        expect(job.error).toEqual([code, expect.stringMatching(/^[^\n]{10,500}$/)]);
        await machine.setFaults();
        expect(await machine.snapshot()).toBe(before);
        expect(await shown()).toEqual({...nothingElse, booted: FIRST});
    });

    test('a field that is wrong is named, also on the bus', async () => {
        await machine.setFaults('malformed-status');
        await guest.run(['systemctl', 'stop', 'snowd.service']);
        expect((await image.properties()).Problem).toContain('digest is no string');
    });

    test('another tool at work is Busy, its lock or its timer', async () => {
        await offer(SECOND);
        const before = await machine.snapshot();
        const holder = guest.start(['flock', '-x', '/run/nbc/system.lock', 'sleep', '60']);
        await guest.check('until ! flock -n -x /run/nbc/system.lock true; do sleep 0.05; done');
        expect((await image.run('Update')).error?.[0]).toBe('Busy');
        await guest.run(['pkill', '-f', 'sleep 60']);
        holder.kill();
        expect(await machine.snapshot()).toBe(before);

        await machine.configure({stepTime: 3000});
        await guest.check(['systemctl', 'start', '--no-block', 'nbc-update-download.service']);
        const {error} = await image.run('Update');
        expect(error?.[0]).toBe('Busy');
        expect(error?.[1]).toContain('nbc-update-download.service');
        await guest.check('systemctl stop nbc-update-download.service; rm -rf /var/cache/nbc');
    });

    test('a download that is cancelled leaves nothing, deaf as nbc is', async () => {
        await offer(SECOND);
        const before = await machine.snapshot();
        await machine.setFaults('hang');
        const job = await image.start('Download');
        await image.step(/Downloading/);
        await guest.check(
            'until ls -A /var/cache/nbc/staged-update | grep -q .; do sleep 0.05; done',
        );
        await image.cancel(job);
        expect((await image.end(job)).state).toBe('cancelled');
        expect(await machine.snapshot()).toBe(before);
    });

    test.each<FaultName>(['hang', 'stubborn-hang'])('cancel during a %s', async fault => {
        await offer(SECOND);
        const before = await machine.snapshot();
        await machine.setFaults(fault);
        const job = await image.start('Update');
        await image.step(/Extracting/);
        await image.cancel(job);
        expect((await image.end(job)).state).toBe('cancelled');
        expect(await machine.snapshot()).toBe(before);
        expect(await shown()).toEqual({...nothingElse, booted: FIRST});
    });

    test('the worker killed: the next job tidies up', async () => {
        await offer(SECOND);
        const before = await machine.snapshot();
        await machine.configure({stepTime: 2000});
        const job = await image.start('Update');
        await image.step(/kernel and initramfs/);
        await guest.check(['systemctl', 'kill', '-s', 'KILL', 'snow-image-job.service']);
        expect((await image.end(job)).error?.[0]).toBe('Failed');
        await machine.configure({stepTime: 0});
        await done('Check');
        expect(await machine.snapshot()).toBe(before);
        expect(await shown()).toEqual({...nothingElse, booted: FIRST});
    });

    test('a job is the only one, and goes on when snowd is killed; the next one finds it', async () => {
        await offer(SECOND);
        await machine.configure({stepTime: 700});
        const bus = new SnowBus(guest);
        const path = await bus.start('Update');
        await image.step(/Clearing/);
        const {stderr} = await bus.image('Update');
        expect(stderr).toContain(`Another operation is running: ${path}`);
        await guest.check(['systemctl', 'kill', '--signal=KILL', 'snowd.service']);
        const [found = '', ...more] = await until('the next one is there', async () => {
            const jobs = await bus.jobs();
            return jobs.length > 0 && jobs;
        });
        expect(more).toEqual([]);
        expect(await bus.job(found)).toMatchObject({
            Operation: 'image.update',
            State: 'running',
            StartedByUID: 0,
        });
        expect(await bus.end(found)).toMatchObject({state: 'done'});
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: SECOND});

        // one that was taken over can be cancelled, too
        await done('Unstage');
        await offer(THIRD);
        await bus.start('Update');
        await image.step(/Extracting/);
        await guest.check(['systemctl', 'kill', '--signal=KILL', 'snowd.service']);
        const [again = ''] = await until('the next one is there', async () => {
            const jobs = await bus.jobs();
            return jobs.length > 0 && jobs;
        });
        expect((await bus.cancel(again)).exitCode).toBe(0);
        expect(await bus.end(again)).toMatchObject({state: 'cancelled'});
        expect((await guest.run(['systemctl', 'is-active', 'snow-image-job'])).stdout).toBe(
            'inactive\n',
        );
        expect(await shown()).toEqual({...nothingElse, booted: FIRST});
    });

    test('who may', async () => {
        await offer(SECOND);
        await expectPermissions(new SnowBus(guest));
        await done('Unstage');
    });

    test('options that an older version lacks, and a system that is not its own', async () => {
        expect(
            await guest.run(['nbc', 'update', '--cosign-key=x', '--json', '--check']),
        ).toMatchObject({exitCode: 0, stderr: ''});
        await machine.configure({version: '0.15.0'});
        expect((await guest.run(['nbc', 'update', '--cosign-key=x'])).stderr).toContain(
            'nknown flag',
        );
        await guest.check(
            'echo "root=UUID=1 composefs=abc" >/tmp/cmdline; mount --bind /tmp/cmdline /proc/cmdline',
        );
        try {
            expect((await image.run('Check')).error?.[0]).toBe('NotSupported');
        } finally {
            await guest.check(['umount', '/proc/cmdline']);
        }
    });

    test.each<FaultName>(['huge-lines', 'unknown-events', 'missing-fields'])(
        '%s stop nothing',
        async fault => {
            await offer(SECOND);
            await machine.setFaults(fault);
            await done('Update');
            expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: SECOND});
            await machine.setFaults();
            await done('Unstage');
            expect(await shown()).toMatchObject({booted: FIRST, staged: null, rollback: SECOND});
        },
    );

    test('an error beside success is an error', async () => {
        await offer(THIRD);
        await machine.setFaults('error-and-success');
        const {error} = await image.run('Update');
        expect(error).toEqual(['Failed', expect.stringContaining('the disk is on fire')]);
    });
});

describe('with GRUB', () => {
    beforeEach(() => boot({bootLoader: 'grub2'}));
    afterEach(() => guest?.[Symbol.asyncDispose]());

    test('rollback and unstage say what to do by hand', async () => {
        expect((await image.properties()).Capabilities).toEqual([
            'check',
            'update',
            'download-only',
            'switch',
        ]);
        await offer(SECOND);
        await done('Update');
        expect(await shown()).toEqual({...nothingElse, booted: FIRST, staged: SECOND});
        await offer(THIRD);
        expect((await image.run('Update')).error?.[0]).toBe('WrongState');
        await expect(image.start('Unstage')).rejects.toThrow(/boot menu/);
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(SECOND);
        expect(await shown()).toEqual({...nothingElse, booted: SECOND, rollback: FIRST});
        await expect(image.start('Rollback')).rejects.toThrow(/"\(Previous\)"/);

        // a person does it
        await machine.chooseInMenu(1);
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(FIRST);
        expect(await shown()).toEqual({
            ...nothingElse,
            booted: FIRST,
            rollback: SECOND,
            isRollbackQueued: true,
        });
        await done('Update');
        expect(await shown()).toMatchObject({booted: FIRST, staged: THIRD});
        await guest.reboot();
        expect(await machine.bootedVersion()).toBe(THIRD);
    });
});
