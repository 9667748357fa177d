// SPDX-License-Identifier: GPL-2.0-or-later
// The native driver on real partitions, with the systemd-sysupdate of systemd 262. What the firmware
// and the boot loader do is done by the lab: bootctl's variables are a file, and a restart is what
// systemd-boot and systemd-bless-boot do to the names of images.
import {setTimeout as sleep} from 'node:timers/promises';

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import type {Driven} from '../lab/image/native/drive-program.ts';
import {CHANNEL, FIRST, NativeMachine, environment} from '../lab/image/native/machine.ts';
import {installedSystem} from '../lab/installation.ts';
import {makeKey} from '../lab/signing.ts';
import {expectPermissions} from './support/image-permissions.ts';
import {SnowBus} from './support/snow-bus.ts';
import {until} from './support/waiting.ts';

const SECOND = '20260201000000';
const THIRD = '20260301000000';
const FOURTH = '20260401000000';

/** Its tests share a machine of their own. */
const SERVICE = 'through the service';

let machine: NativeMachine;

beforeEach(async ({task}) => {
    if (task.suite?.name !== SERVICE) machine = await NativeMachine.boot();
});
afterEach(async ({task}) => {
    if (task.suite?.name !== SERVICE) await machine?.[Symbol.asyncDispose]();
});

/** The versions that a driver's answer names. */
function versions({after}: Driven) {
    const {booted, staged, rollback, downloaded, isRollbackQueued} = after ?? {};
    return {
        booted: booted?.version,
        staged: staged?.version ?? null,
        rollback: rollback?.version ?? null,
        downloaded: downloaded?.version ?? null,
        isRollbackQueued,
    };
}

const nothingElse = {staged: null, rollback: null, downloaded: null, isRollbackQueued: false};

async function update() {
    const driven = await machine.drive('update');
    expect(driven.error).toBeNull();
    return driven;
}

/** Names and UUIDs of the partitions of the slot that is not FIRST's. */
async function otherSlot() {
    return (await machine.partitions()).filter(({name}) => !name.includes(FIRST));
}

test('check, update, restart, and back', async () => {
    await machine.offer(FIRST);
    const current = await machine.drive('check');
    expect(current.check).toEqual({outcome: 'current'});
    expect(current.after).toMatchObject({
        followed: CHANNEL,
        capabilities: ['check', 'update', 'download-only', 'rollback', 'unstage'],
        problem: '',
        booted: {
            version: FIRST,
            image: CHANNEL,
            slot: `${CHANNEL}_${FIRST}.efi`,
            timestamp: Date.UTC(2026, 0, 1) / 1000,
        },
    });
    expect(versions(current)).toEqual({booted: FIRST, ...nothingElse});

    await machine.offer(SECOND);
    const {check} = await machine.drive('check');
    expect(check).toMatchObject({outcome: 'available', offer: {version: SECOND}});
    expect(check?.outcome === 'available' && check.offer.size).toBeGreaterThan(3_000_000);

    const updated = await update();
    expect(versions(updated)).toEqual({booted: FIRST, ...nothingElse, staged: SECOND});
    expect(updated.release).toMatchObject({IMAGE_VERSION: SECOND, VERSION_ID: '13'});
    expect(updated.steps).toContain(`Downloading ${SECOND}, system`);
    const done = updated.bytes.map(([bytes]) => bytes);
    expect(done).toEqual([...done].sort((one, other) => one - other));
    expect(updated.bytes.at(-1)?.[0]).toBe(updated.bytes.at(-1)?.[1]);
    expect(await machine.bootFiles()).toEqual([
        `${CHANNEL}_${FIRST}.efi`,
        `${CHANNEL}_${SECOND}+3-0.efi`,
    ]);
    const slot = await otherSlot();
    expect(slot.map(({name}) => name)).toEqual([`snow_${SECOND}_v`, `snow_${SECOND}_r`]);
    expect((await machine.pathOf(SECOND, 'root')).toLowerCase()).toContain(
        slot[1]?.uuid.toLowerCase(),
    );
    expect((await machine.drive('check')).check).toMatchObject({
        outcome: 'staged',
        offer: {version: SECOND},
    });

    expect(await machine.restart()).toBe(SECOND);
    const restarted = await machine.drive('status');
    expect(versions(restarted)).toEqual({booted: SECOND, ...nothingElse, rollback: FIRST});

    const back = await machine.drive('rollback');
    expect(back.error).toBeNull();
    expect(versions(back)).toEqual({
        booted: SECOND,
        ...nothingElse,
        rollback: FIRST,
        isRollbackQueued: true,
    });
    expect(back.release).toMatchObject({IMAGE_VERSION: FIRST});
    expect(await machine.restart()).toBe(FIRST);
    const after = await machine.drive('check');
    expect(after.check).toMatchObject({outcome: 'held-rollback', offer: {version: SECOND}});
    expect(versions(after)).toEqual({booted: FIRST, ...nothingElse, rollback: SECOND});
    expect(after.after?.problem).toBe('');
    // It stays there, until there is something newer than what was rolled back from.
    expect(await machine.restart()).toBe(FIRST);
    await machine.offer(THIRD);
    expect((await machine.drive('check')).check).toMatchObject({outcome: 'available'});
    await update();
    expect(await machine.restart()).toBe(THIRD);
});

test('two updates in a row take turns with the slots', async () => {
    await machine.offer(SECOND);
    await update();
    await machine.restart();
    await machine.offer(THIRD);
    await update();
    const names = (await machine.partitions()).map(({name}) => name);
    expect(names).toEqual([
        `snow_${THIRD}_v`,
        `snow_${THIRD}_r`,
        `snow_${SECOND}_v`,
        `snow_${SECOND}_r`,
    ]);
    expect(await machine.bootFiles()).toEqual([
        `${CHANNEL}_${SECOND}.efi`,
        `${CHANNEL}_${THIRD}+3-0.efi`,
    ]);
    expect(await machine.restart()).toBe(THIRD);
    expect(versions(await machine.drive('status'))).toEqual({
        booted: THIRD,
        ...nothingElse,
        rollback: SECOND,
    });
});

test('a second update before the restart replaces the first, or does nothing', async () => {
    await machine.offer(SECOND);
    await update();
    const again = await machine.drive('update');
    expect(again.error?.[0]).toBe('WrongState');
    expect(versions(again).staged).toBe(SECOND);
    await machine.offer(THIRD);
    expect(versions(await update())).toEqual({booted: FIRST, ...nothingElse, staged: THIRD});
    expect(await machine.restart()).toBe(THIRD);
});

describe('what is staged can be taken back', () => {
    test('and started after all', async () => {
        await machine.offer(SECOND);
        await update();
        const unstaged = await machine.drive('unstage');
        expect(unstaged.error).toBeNull();
        expect(versions(unstaged)).toEqual({booted: FIRST, ...nothingElse, rollback: SECOND});
        expect(unstaged.after?.problem).toBe('');
        expect(await machine.restart()).toBe(FIRST);
        // Nobody stages it again by himself.
        expect(JSON.parse((await machine.sysupdate('--json=short', 'check-new')).stdout)).toEqual({
            available: null,
        });
        expect((await machine.drive('rollback')).error).toBeNull();
        expect(await machine.restart()).toBe(SECOND);
    });

    test('and so can a rollback', async () => {
        await machine.offer(SECOND);
        await update();
        await machine.restart();
        await machine.drive('rollback');
        const unstaged = await machine.drive('unstage');
        expect(versions(unstaged)).toEqual({booted: SECOND, ...nothingElse, rollback: FIRST});
        expect(await machine.restart()).toBe(SECOND);
    });
});

test('an update after a rollback that waits for its restart leaves something to fall back to', async () => {
    await machine.offer(SECOND);
    await update();
    await machine.restart();
    await machine.drive('rollback');
    await machine.offer(THIRD);
    expect(versions(await update())).toEqual({booted: SECOND, ...nothingElse, staged: THIRD});
    expect(await machine.restart({fails: THIRD})).toBe(SECOND);
    const {after} = await machine.drive('status');
    expect(after?.problem).toMatch(new RegExp(`^${THIRD} could not be started .* 3 attempts`));
    expect(after?.rollback?.version).toBe(THIRD);
    expect((await machine.drive('check')).check?.outcome).toBe('held-rollback');
});

test('a default of the boot loader does not stand in the way of what was asked for', async () => {
    await machine.guest.check(['bootctl', 'set-default', `${CHANNEL}_${FIRST}*.efi`]);
    await machine.offer(SECOND);
    await machine.sysupdate('update');
    const {after} = await machine.drive('status');
    expect(after).toMatchObject({staged: null, rollback: {version: SECOND}});
    expect(after?.problem).toContain(`the boot loader is told to start ${FIRST}`);
    const chosen = await machine.drive('rollback');
    expect(chosen.error).toBeNull();
    expect(versions(chosen).staged).toBe(SECOND);
    expect(chosen.warnings).toHaveLength(1);
    expect(await machine.restart()).toBe(SECOND);
});

test('download, and stage it later without a network', async () => {
    await machine.offer(SECOND);
    const fetched = await machine.drive('download');
    expect(fetched.error).toBeNull();
    expect(versions(fetched)).toEqual({booted: FIRST, ...nothingElse, downloaded: SECOND});
    expect(await machine.restart()).toBe(FIRST);
    await machine.repository.setFault('*', {kind: 'hang'});
    expect(versions(await update())).toEqual({booted: FIRST, ...nothingElse, staged: SECOND});
    expect(await machine.restart()).toBe(SECOND);
});

describe('refused, with the old state intact', () => {
    let before: Driven;
    let partitions: unknown;

    beforeEach(async () => {
        await machine.offer(SECOND);
        await update();
        await machine.restart();
        before = await machine.drive('status');
        partitions = await machine.partitions();
    });

    async function isRefused(verb: 'check' | 'update', code: string) {
        const driven = await machine.drive(verb);
        expect(driven.error?.[0], driven.error?.[1]).toBe(code);
        expect(driven.error?.[1]).not.toMatch(/sd-pull|exit status/);
        expect(driven.after).toEqual(before.after);
        expect(await machine.partitions()).toEqual(partitions);
    }

    test('a signature of a key that is not trusted, and none at all', async () => {
        await using other = await makeKey();
        await machine.offer(THIRD, {key: other});
        await isRefused('check', 'VerificationFailed');
        await isRefused('update', 'VerificationFailed');
        await machine.offer(THIRD, {signatures: {}});
        await isRefused('check', 'VerificationFailed');
    });

    test('a list that is not the one that was signed', async () => {
        await machine.offer(THIRD);
        await machine.repository.setFault(`/ext/${CHANNEL}/SHA256SUMS`, {kind: 'flip', at: 3});
        await isRefused('check', 'VerificationFailed');
    });

    test('no network', async () => {
        await machine.repository.setFault('*', {kind: 'reset', afterBytes: 0});
        await isRefused('check', 'Network');
        await machine.repository.setFault('*', {kind: 'status', status: 503});
        await isRefused('update', 'Network');
    });

    test('a version of which a part is missing', async () => {
        for (const part of ['uki', 'root', 'root-verity'] as const) {
            const version = `2026030${part.length}000000`;
            await machine.offer(version, {without: [part]});
            expect((await machine.drive('check')).check, part).toEqual({outcome: 'current'});
        }
        await isRefused('update', 'WrongState');
    });
});

describe('an update that fails half way leaves the running version, and no half one', () => {
    const left = {booted: FIRST, ...nothingElse};

    async function expectClean() {
        expect((await machine.partitions()).map(({name}) => name)).toEqual([
            `snow_${FIRST}_v`,
            `snow_${FIRST}_r`,
            '_empty',
            '_empty',
        ]);
        expect(await machine.bootFiles()).toEqual([`${CHANNEL}_${FIRST}.efi`]);
        expect(await machine.restart()).toBe(FIRST);
        await machine.repository.clearFaults();
        expect(versions(await update()).staged).toBe(SECOND);
    }

    test.for([
        ['system that is not the one that was signed', 'flip', 'VerificationFailed'],
        ['connection that is lost', 'reset', 'Network'],
        ['file that ends too early', 'shorter', 'Network'],
    ] as const)('a %s', async ([_name, kind, code]) => {
        await machine.offer(SECOND);
        const path = await machine.pathOf(SECOND, 'root');
        await machine.repository.setFault(
            path,
            kind === 'flip'
                ? {kind, at: 2_000_000}
                : kind === 'reset'
                  ? {kind, afterBytes: 2_000_000}
                  : {kind, bytes: 1000},
        );
        const failed = await machine.drive('update');
        expect(failed.error?.[0], failed.error?.[1]).toBe(code);
        expect(versions(failed)).toEqual(left);
        await expectClean();
    });

    test('a system that does not fit', async () => {
        await machine.offer(SECOND, {size: 12 * 1024 * 1024});
        const failed = await machine.drive('update');
        expect(failed.error).toEqual(['NoSpace', 'The update does not fit into its slot']);
        expect(versions(failed)).toEqual(left);
        expect(await machine.restart()).toBe(FIRST);
    });

    /** An update whose download of one part never ends, or begins. */
    async function startUpdate(part: 'root' | 'uki' = 'root', afterBytes = 100_000) {
        await machine.offer(SECOND);
        const path = await machine.pathOf(SECOND, part);
        await machine.repository.setFault(
            path,
            afterBytes > 0 ? {kind: 'stall', afterBytes} : {kind: 'hang'},
        );
        const child = machine.guest.start(['node', '/var/lib/lab/drive.mjs', 'update'], {
            env: environment,
        });
        await until('it is fetched', async () => {
            const {requests} = await machine.repository.log();
            return requests.some(one => one.method === 'GET' && one.path === path);
        });
        await sleep(300);
        return child;
    }

    test.for([
        ['the system', 'root', 100_000],
        ['the boot image', 'uki', 100_000],
        ['nothing of the boot image yet', 'uki', 0],
    ] as const)('a cancel while it fetches %s', async ([_name, part, afterBytes]) => {
        const child = await startUpdate(part, afterBytes);
        let output = '';
        child.stdout?.on('data', (text: Buffer) => (output += text.toString()));
        const ended = new Promise(resolve => child.once('close', resolve));
        await machine.guest.check(['pkill', '-TERM', '-f', '^node /var/lib/lab/[d]rive.mjs']);
        await ended;
        const driven = JSON.parse(output) as Driven;
        expect(driven.error?.[0]).toBe('Cancelled');
        expect(versions(driven)).toEqual(left);
        await expectClean();
    });

    test('a kill, which systemd-sysupdate alone does not get over', async () => {
        await startUpdate();
        await machine.guest.check([
            'pkill',
            '-KILL',
            '-f',
            '[d]rive.mjs|[s]ystemd-sysupdate|[s]d-pull',
        ]);
        expect((await machine.drive('status')).after).toMatchObject({
            staged: null,
            problem: 'An update was interrupted; to try again: snowctl image update',
        });
        await machine.repository.clearFaults();
        expect((await machine.sysupdate('update')).stderr).toContain('partially installed');
        expect((await machine.drive('clean-up')).error).toBeNull();
        await expectClean();
    });
});

test('a switch is refused, with what to do by hand', async () => {
    const {error} = await machine.drive('switch');
    expect(error?.[0]).toBe('NotSupported');
    expect(error?.[1]).toContain('installer');
});

test("snow's own script stages the update where it is", async () => {
    await using other = await NativeMachine.boot({hasStageScript: true});
    await other.offer(SECOND);
    const updated = await other.drive('update');
    expect(updated.error).toBeNull();
    expect(updated.after).toMatchObject({staged: {version: SECOND}});
    expect(updated.after?.capabilities).not.toContain('download-only');
    expect(updated.bytes.at(-1)?.[1]).toBeGreaterThan(3_000_000);
    expect(await other.guest.check(['cat', '/run/snosi/update-staged'])).toContain(
        `version=${SECOND}`,
    );
    expect(await other.restart()).toBe(SECOND);
});

describe(SERVICE, () => {
    let service: NativeMachine;
    let bus: SnowBus;

    beforeAll(async () => {
        service = await NativeMachine.boot({install: await installedSystem()});
        bus = new SnowBus(service.guest);
    });
    afterAll(() => service?.[Symbol.asyncDispose]());

    /** A method of the image, to the end of its job. */
    async function does(method: string) {
        return bus.end(await bus.start(method), 60_000);
    }

    test('update, rollback and unstage, with what the next boot is', async () => {
        await service.offer(SECOND);
        expect(await bus.imageProperties()).toMatchObject({
            Driver: 'native',
            Followed: CHANNEL,
            Booted: {version: FIRST, image: CHANNEL},
            Staged: {},
            RestartNeeded: false,
            Problem: '',
        });
        expect(await does('Check')).toMatchObject({state: 'done'});
        expect(await bus.imageProperties()).toMatchObject({
            LastOutcome: 'available',
            Available: {version: SECOND},
        });

        expect(await does('Update')).toMatchObject({state: 'done', text: ''});
        expect(await bus.imageProperties()).toMatchObject({
            Staged: {version: SECOND, image: CHANNEL},
            RestartNeeded: true,
            LastOutcome: 'staged',
        });
        const staged = await service.guest.check(['cat', '/run/snosi/update-staged']);
        expect(staged).toMatch(new RegExp(`^image=${CHANNEL}\nversion=${SECOND}\nstaged_at=`));
        expect(
            await service.guest.check(['cat', '/run/snow-control/next-system/os-release']),
        ).toContain(`IMAGE_VERSION="${SECOND}"`);

        expect(await does('Unstage')).toMatchObject({state: 'done'});
        expect(await bus.imageProperties()).toMatchObject({
            Staged: {},
            Rollback: {version: SECOND},
            RestartNeeded: false,
        });
        expect((await service.guest.run(['ls', '/run/snosi/update-staged'])).exitCode).not.toBe(0);
        expect(await does('Update')).toMatchObject({state: 'failed', error: 'WrongState'});
        expect(await does('Rollback')).toMatchObject({state: 'done'});
        expect(await bus.imageProperties()).toMatchObject({Staged: {version: SECOND}});
    });

    test('a failed check is told by its reason', async () => {
        await service.repository.setFault('*', {kind: 'status', status: 503});
        expect(await does('Check')).toMatchObject({state: 'failed', error: 'Network'});
        expect(await bus.imageProperties()).toMatchObject({LastOutcome: 'failed'});
        await service.repository.clearFaults();
    });

    test('a cancel in the middle of a download leaves the system as it was', async () => {
        await service.offer(THIRD);
        await service.repository.setFault(await service.pathOf(THIRD, 'root'), {
            kind: 'throttle',
            bytesPerSecond: 200_000,
        });
        const path = await bus.start('Update');
        await until('it downloads the system', async () =>
            String((await bus.job(path))['Step']).includes(', system'),
        );
        expect((await bus.job(path))['BytesTotal']).toBeGreaterThan(3_000_000);
        const share = await until('some of it is there', async () => {
            const progress = Number((await bus.job(path))['Progress']);
            return progress > 0.1 && progress;
        });
        expect(share).toBeLessThan(0.9);
        expect((await bus.cancel(path)).exitCode).toBe(0);
        expect(await bus.end(path)).toMatchObject({state: 'cancelled'});
        expect(await bus.imageProperties()).toMatchObject({
            Booted: {version: FIRST},
            Staged: {},
            Problem: '',
        });
        await service.repository.clearFaults();
        expect(await does('Update')).toMatchObject({state: 'done', text: ''});
        expect(await service.restart()).toBe(THIRD);
    });

    test("nothing is done beside snow's own timer", async () => {
        await service.guest.putFile(
            '/run/systemd/system/snosi-sysupdate-stage.service',
            '[Service]\nType=oneshot\nExecStart=sleep 60\n',
        );
        await service.guest.check(`systemctl daemon-reload
            systemctl start --no-block snosi-sysupdate-stage.service`);
        const {state, error, text} = await does('Update');
        expect({state, error}).toEqual({state: 'failed', error: 'Busy'});
        expect(text).toContain('snosi-sysupdate-stage.service');
        await service.guest.check(['systemctl', 'stop', 'snosi-sysupdate-stage.service']);
    });

    test('an update goes on when snowd is killed, and the next one finds it', async () => {
        await service.offer(FOURTH);
        await service.repository.setFault(await service.pathOf(FOURTH, 'root'), {
            kind: 'throttle',
            bytesPerSecond: 400_000,
        });
        const path = await bus.start('Update');
        await until('it downloads the system', async () =>
            String((await bus.job(path))['Step']).includes(', system'),
        );
        await service.guest.check(['systemctl', 'kill', '--signal=KILL', 'snowd.service']);
        const [found = ''] = await until('the next one is there', async () => {
            const jobs = await bus.jobs();
            return jobs.length > 0 && jobs;
        });
        expect(await bus.job(found)).toMatchObject({Operation: 'image.update'});
        expect(await bus.end(found, 120_000)).toMatchObject({state: 'done'});
        expect(await bus.imageProperties()).toMatchObject({Staged: {version: FOURTH}});
        await service.repository.clearFaults();
    });

    test('snowctl says and does the same', async () => {
        const snowctl = (...words: string[]) =>
            service.guest.run(['snowctl', 'image', ...words], {timeout: 120_000});
        expect((await snowctl('status')).stdout).toMatch(
            new RegExp(`^Next restart: +starts ${FOURTH}`, 'm'),
        );
        expect(await snowctl('unstage')).toMatchObject({exitCode: 0});
        expect((await snowctl('status')).stdout).toMatch(/^Next restart: +starts the same image/m);
        expect(await snowctl('rollback')).toMatchObject({exitCode: 0});
        expect((await bus.imageProperties())['Staged']).toMatchObject({version: FOURTH});
        const refused = await snowctl('switch', 'ghcr.io/frostyard/cayo:latest');
        expect(refused.exitCode).not.toBe(0);
    });

    test('who may', async () => {
        await expectPermissions(bus);
    });

    test('what is not to be had is refused with what to do by hand', async () => {
        const {stderr} = await bus.image('SwitchReference', "'sa{sv}' ghcr.io/frostyard/cayo 0");
        expect(stderr).toContain('installer');
    });
});
