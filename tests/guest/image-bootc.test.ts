// SPDX-License-Identifier: GPL-2.0-or-later
// The bootc driver behind the real service, on the stand-in for bootc. On the composefs store, podman,
// skopeo and the registry are the real ones.
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import {Guest} from '../lab/guest.ts';
import {REFUSED, UNSIGNED, publishImage, registryFiles} from '../lab/image/bootc/registry.ts';
import {BootcStandIn, IMAGE, bootcFiles} from '../lab/image/bootc/stand-in.ts';
import {installedSystem} from '../lab/installation.ts';
import {type JobEnd, type Properties, SnowBus} from './support/snow-bus.ts';
import {until} from './support/waiting.ts';

const SNOWFIELD = 'ghcr.io/frostyard/snowfield:latest';
const SNOWLOADED = 'ghcr.io/frostyard/snowloaded:latest';
const DOWNLOAD_ONLY = "'a{sv}' 1 download-only b true";
const DONE: JobEnd = {state: 'done', error: '', text: ''};

let guest: Guest;
let bus: SnowBus;
let bootc: BootcStandIn;
let version = 1;

async function run(method: string, words?: string): Promise<JobEnd> {
    return bus.end(await bus.start(method, words));
}

function switchTo(reference: string): Promise<JobEnd> {
    return run('SwitchReference', `'sa{sv}' ${reference} 0`);
}

/** What can be told apart of what there is. */
async function picture(): Promise<Properties> {
    const {Followed, Booted, Staged, Rollback, RollbackQueued, Downloaded} =
        await bus.imageProperties();
    const versionOf = (image: unknown): string | null =>
        (image as {version?: string}).version ?? null;
    return {
        followed: Followed,
        booted: versionOf(Booted),
        staged: versionOf(Staged),
        rollback: versionOf(Rollback),
        isQueued: RollbackQueued,
        downloaded: versionOf(Downloaded),
    };
}

async function outcome(): Promise<string> {
    return String((await bus.imageProperties())['LastOutcome']);
}

async function boot(tree: 'desktop' | 'container', files: Awaited<ReturnType<typeof bootcFiles>>) {
    guest = await Guest.boot(tree, {name: 'bootc', install: await installedSystem(), files});
    bus = new SnowBus(guest);
    bootc = new BootcStandIn(guest);
}

/** No program of a job, and no mount; the service may be looking at the system. */
async function expectNothingLeft(): Promise<void> {
    const {stdout} = await guest.run(
        'ls /run/snow-control/mounted-image; pgrep -af "bin/(bootc|podman|skopeo) " | grep -v " status "',
    );
    expect(stdout).toBe('');
}

/** An update that is cancelled while bootc does not come to an end. */
async function cancelledUpdate(): Promise<JobEnd> {
    const job = await bus.start('Update');
    await until('bootc runs', async () => {
        const {exitCode} = await guest.run('pgrep -f "^/usr/bin/node .*bootc upgrade --quiet"');
        return exitCode === 0;
    });
    await bus.cancel(job);
    return bus.end(job);
}

describe('an ostree store', () => {
    beforeAll(async () => {
        await boot('desktop', await bootcFiles({store: 'ostree'}));
        const policy = {default: [{type: 'reject'}]};
        await guest.putFile('/etc/containers/policy.json', JSON.stringify(policy));
    });
    afterAll(() => guest?.kill());
    beforeEach(async () => {
        version += 1;
        await bootc.install();
        await bootc.calls();
    });
    afterEach(async () => {
        await bootc.setFaults({});
        await bootc.configure({version: '1.16.3', downloadTime: 300});
        await expectNothingLeft();
    });

    /** Versions that the machine has been brought to. */
    async function next(): Promise<{readonly now: string; readonly newest: string}> {
        const now = String((await picture())['booted']);
        await bootc.offer({version: `${version}.1`});
        return {now, newest: `${version}.1`};
    }

    test('is shown', async () => {
        const {now} = await next();
        expect(await bus.imageProperties()).toMatchObject({
            Driver: 'bootc',
            Followed: IMAGE,
            Booted: {version: now, image: IMAGE, transport: 'registry'},
            Staged: {},
            Capabilities: ['check', 'update', 'switch', 'download-only', 'rollback', 'unstage'],
            RestartNeeded: false,
            Problem: '',
        });
    });

    test('is checked by bootc itself, which changes nothing', async () => {
        const {now, newest} = await next();
        expect(await run('Check')).toEqual(DONE);
        expect(await outcome()).toBe('available');
        expect(await bus.imageProperties()).toMatchObject({Available: {version: newest}});
        expect(await picture()).toMatchObject({booted: now, staged: null});
        expect(await bootc.calls()).toEqual(['bootc upgrade --check']);
    });

    test('is updated once, with progress, and a second time not', async () => {
        const {now, newest} = await next();
        await bootc.configure({downloadTime: 3000});
        const job = await bus.start('Update');
        const total = await until('bytes are told', async () => {
            const {BytesTotal} = await bus.job(job);
            return Number(BytesTotal) > 0 && Number(BytesTotal);
        });
        expect(total).toBe(50_000_000);
        expect(await bus.end(job)).toEqual(DONE);
        const staged = {booted: now, staged: newest, rollback: null};
        expect(await picture()).toMatchObject(staged);
        expect(await bootc.calls()).toEqual([
            'bootc upgrade --check',
            'bootc upgrade --quiet --progress-fd=3',
        ]);

        expect(await run('Update')).toEqual(DONE);
        expect(await picture()).toMatchObject(staged);
        expect(await outcome()).toBe('staged');

        await bootc.reboot();
        expect(await picture()).toMatchObject({booted: newest, staged: null, rollback: now});
        expect(await run('Update')).toEqual(DONE);
        expect(await outcome()).toBe('current');
    });

    test('looks into what is staged', async () => {
        await next();
        expect(await run('Update')).toEqual(DONE);
        const kept = await guest.check(['cat', '/run/snow-control/next-system/os-release']);
        expect(kept).toContain(`IMAGE_VERSION="${version}.1"`);
        const image = await guest.check(['cat', '/run/snow-control/next-system/image.json']);
        expect(image).toContain('/ostree/deploy/default/deploy/');
    });

    test('is downloaded now, and updated without a network later', async () => {
        const {now, newest} = await next();
        expect(await run('Update', DOWNLOAD_ONLY)).toEqual(DONE);
        expect(await picture()).toMatchObject({booted: now, staged: null, downloaded: newest});
        await bootc.setFaults({check: 'network'});
        expect(await run('Update')).toEqual(DONE);
        expect(await picture()).toMatchObject({staged: newest, downloaded: null});
        expect(await bootc.calls()).toContain('bootc upgrade --from-downloaded --quiet');
        await bootc.reboot();
        expect(await picture()).toMatchObject({booted: newest});
    });

    test.each([false, true])(
        'is updated for a restart without the firmware if it can be started so: %s',
        async canSoftReboot => {
            await bootc.offer({version: `${version}.1`, canSoftReboot});
            expect(await run('Update', "'a{sv}' 1 soft-reboot b true")).toEqual(DONE);
            expect((await bootc.calls()).join('\n')).toContain('--soft-reboot=auto');
            const state = await guest.check(['cat', '/run/snow-control/image-job/state.json']);
            expect(JSON.parse(state)).toMatchObject({results: {'soft-reboot': canSoftReboot}});
        },
    );

    test('forgets a download at the restart', async () => {
        const {now} = await next();
        expect(await run('Update', DOWNLOAD_ONLY)).toEqual(DONE);
        await bootc.reboot();
        expect(await picture()).toMatchObject({booted: now, staged: null, downloaded: null});
    });

    test('is unstaged', async () => {
        const {now} = await next();
        expect(await run('Update')).toEqual(DONE);
        expect(await run('Unstage')).toEqual(DONE);
        expect(await bootc.calls()).toContain('ostree admin undeploy 0');
        await bootc.reboot();
        expect(await picture()).toMatchObject({booted: now, staged: null});
        expect(await run('Unstage')).toMatchObject({state: 'failed', error: 'WrongState'});
    });

    test('goes back, and forth, and not to what was left', async () => {
        const {now, newest} = await next();
        expect(await run('Update')).toEqual(DONE);
        await bootc.reboot();
        expect(await run('Rollback')).toEqual(DONE);
        expect(await picture()).toMatchObject({booted: newest, rollback: now, isQueued: true});
        // asked again, bootc itself would take it back
        expect(await run('Rollback')).toEqual(DONE);
        expect(await picture()).toMatchObject({isQueued: true});
        expect(await run('Unstage')).toEqual(DONE);
        expect(await picture()).toMatchObject({booted: newest, isQueued: false});
        expect(await run('Rollback')).toEqual(DONE);
        await bootc.reboot();
        expect(await picture()).toMatchObject({booted: now, rollback: newest, isQueued: false});
    });

    test('discards what is staged when it goes back', async () => {
        const {now, newest} = await next();
        expect(await run('Update')).toEqual(DONE);
        await bootc.reboot();
        await bootc.offer({version: `${version}.2`});
        expect(await run('Update')).toEqual(DONE);
        expect(await run('Rollback')).toEqual(DONE);
        expect(await picture()).toMatchObject({booted: newest, staged: null, isQueued: true});
        // and what is staged after that comes first
        expect(await run('Update')).toEqual(DONE);
        expect(await picture()).toMatchObject({staged: `${version}.2`, isQueued: false});
        expect(await run('Unstage')).toEqual(DONE);
        await bootc.reboot();
        expect(await picture()).toMatchObject({booted: newest, rollback: now});
    });

    test('is switched to another image, by its reference or its channel', async () => {
        await bootc.offer({version: '7'}, SNOWFIELD);
        expect(await switchTo(SNOWFIELD)).toEqual(DONE);
        expect(await picture()).toMatchObject({followed: SNOWFIELD, staged: '7'});
        expect(await bootc.calls()).toEqual([
            `bootc switch --quiet --enforce-container-sigpolicy --progress-fd=3 ${SNOWFIELD}`,
        ]);
        expect(await switchTo(SNOWFIELD)).toMatchObject({state: 'failed', error: 'WrongState'});
        expect(await run('Unstage')).toEqual(DONE);
        expect(await picture()).toMatchObject({followed: IMAGE, staged: null});

        await bootc.offer({version: '8'}, SNOWLOADED);
        expect(await run('Switch', "'sa{sv}' snowloaded 0")).toEqual(DONE);
        expect(await picture()).toMatchObject({followed: SNOWLOADED, staged: '8'});
    });

    test('is not switched where anything is accepted', async () => {
        await bootc.offer({version: '7'}, SNOWFIELD);
        const policy = '/etc/containers/policy.json';
        const before = (await guest.getFile(policy)).toString();
        await guest.putFile(policy, '{"default": [{"type": "insecureAcceptAnything"}]}');
        const end = await switchTo(SNOWFIELD);
        await guest.putFile(policy, before);
        expect(end).toMatchObject({state: 'failed', error: 'VerificationFailed'});
        expect(end.text).toContain(policy);
        expect(await picture()).toMatchObject({followed: IMAGE, staged: null});
    });

    test.each([
        ['upgrade', 'network', 'Network'],
        ['upgrade', 'no-space', 'NoSpace'],
        ['upgrade', 'policy', 'VerificationFailed'],
        ['upgrade', 'killed', 'Failed'],
        ['upgrade', 'silent', 'Failed'],
        ['check', 'network', 'Network'],
    ] as const)('%s: %s is %s, and the machine is as before', async (verb, fault, error) => {
        await next();
        const before = await picture();
        await bootc.setFaults({[verb]: fault});
        const end = await run('Update');
        expect(end).toMatchObject({state: 'failed', error});
        expect(end.text).toMatch(/^[^\n]{10,400}$/);
        expect(await picture()).toEqual(before);
        expect(await outcome()).toBe('failed');
        const known = await guest.check(['cat', '/run/snosi/update-check']);
        expect(known).toMatch(/^outcome=failed$/m);
    });

    test.each(['silent', 'network'] as const)('a switch that fails: %s', async fault => {
        await bootc.offer({version: '7'}, SNOWFIELD);
        const before = await picture();
        await bootc.setFaults({switch: fault});
        expect(await switchTo(SNOWFIELD)).toMatchObject({state: 'failed'});
        expect(await picture()).toEqual(before);
    });

    test('a rollback and an unstaging that do nothing are failures', async () => {
        await next();
        expect(await run('Update')).toEqual(DONE);
        await bootc.setFaults({undeploy: 'silent'});
        expect(await run('Unstage')).toMatchObject({state: 'failed', error: 'Failed'});
        await bootc.reboot();
        await bootc.setFaults({rollback: 'silent'});
        expect(await run('Rollback')).toMatchObject({state: 'failed', error: 'Failed'});
    });

    test.each(['long-progress', 'unknown-progress', 'broken-progress'] as const)(
        'is updated all the same: %s',
        async fault => {
            const {newest} = await next();
            await bootc.setFaults({upgrade: fault});
            expect(await run('Update')).toEqual(DONE);
            expect(await picture()).toMatchObject({staged: newest});
        },
    );

    test.each(['hang', 'stubborn'] as const)('is cancelled: %s', async fault => {
        await next();
        const before = await picture();
        await bootc.setFaults({upgrade: fault});
        expect(await cancelledUpdate()).toMatchObject({state: 'cancelled', error: 'Cancelled'});
        expect(await picture()).toEqual(before);
    });

    test('a status that cannot be read is a problem that names the field', async () => {
        await bootc.setFaults({status: 'garbage'});
        expect((await bus.imageProperties())['Problem']).toMatch(/bootc status.*JSON/);
        await bootc.setFaults({status: 'spec-null'});
        expect(await bus.imageProperties()).toMatchObject({
            Capabilities: [],
            Problem: 'This system was not started from an image that bootc manages',
        });
        const {stderr} = await bus.image('Update');
        expect(stderr).toMatch(/cannot|not/);
    });

    test('what a version lacks is refused by the stand-in as well', async () => {
        const refuses = async (number: string, line: string): Promise<boolean> => {
            await bootc.configure({version: number});
            const {exitCode, stderr} = await guest.run(`bootc ${line} --download-only --check`);
            expect(exitCode).toBe(2);
            return /^error: (unexpected argument|unrecognized subcommand)/.test(stderr);
        };
        expect(await refuses('1.11.0', 'upgrade')).toBe(true);
        expect(await refuses('1.12.0', 'upgrade')).toBe(false);
        expect(await refuses('1.1.3', 'upgrade --progress-fd=3')).toBe(true);
        expect(await refuses('0.1.9', 'rollback')).toBe(true);
    });

    test.each([
        ['1.0.0', ['check', 'update', 'switch', 'rollback', 'unstage']],
        ['1.1.4', ['check', 'update', 'switch', 'rollback', 'unstage']],
        ['1.12.0', ['check', 'update', 'switch', 'download-only', 'rollback', 'unstage']],
        ['0.1.9', ['check', 'update', 'switch']],
    ])('version %s can %j, and is updated', async (number, capabilities) => {
        const {newest} = await next();
        await bootc.configure({version: number});
        expect(await bus.imageProperties()).toMatchObject({Capabilities: capabilities});
        expect(await run('Update')).toEqual(DONE);
        expect(await picture()).toMatchObject({staged: newest});
    });
});

describe("snow's composefs store", () => {
    let first: string;
    let second: string;

    beforeAll(async () => {
        await boot('container', {
            ...(await bootcFiles({store: 'composefs', source: 'containers', downloadTime: 100})),
            ...registryFiles,
        });
        first = await publishImage(guest, IMAGE, {version: '20260703174338'});
        await guest.check(['podman', 'pull', '--quiet', IMAGE]);
        await bootc.install();
    });
    afterAll(() => guest?.kill());
    afterEach(async () => {
        await bootc.setFaults({});
        await expectNothingLeft();
    });

    test('is checked against the registry', async () => {
        expect(await run('Check')).toEqual(DONE);
        expect(await outcome()).toBe('current');
        second = await publishImage(guest, IMAGE, {version: '20260704174338'});
        expect(second).not.toBe(first);
        expect(await run('Check')).toEqual(DONE);
        expect(await bus.imageProperties()).toMatchObject({
            LastOutcome: 'available',
            Available: {version: '20260704174338', digest: second},
        });
        // bootc itself would have staged it
        expect(await bootc.calls()).not.toContain('bootc upgrade --check');
    });

    test("is updated by snow's script, once", async () => {
        expect(await run('Update')).toEqual(DONE);
        expect(await bootc.calls()).toContain('bootc-update-stage');
        expect(await bus.imageProperties()).toMatchObject({
            Staged: {version: '20260704174338', digest: second},
            RestartNeeded: true,
        });
        const staged = await guest.check(['cat', '/run/snosi/update-staged']);
        expect(staged).toContain(`digest=${second}\n`);
        expect(await run('Update')).toEqual(DONE);
        expect(await bootc.calls()).not.toContain('bootc upgrade --quiet');
    });

    test('looks into what is staged by the image that podman has', async () => {
        const kept = await guest.check(['cat', '/run/snow-control/next-system/os-release']);
        expect(kept).toContain('NAME="Snow 20260704174338"');
    });

    test('is unstaged, and updated again', async () => {
        expect(await run('Unstage')).toEqual(DONE);
        expect(await picture()).toMatchObject({staged: null});
        expect((await guest.run(['cat', '/run/snosi/update-staged'])).exitCode).not.toBe(0);
        expect(await run('Update')).toEqual(DONE);
        await bootc.reboot();
        expect(await picture()).toMatchObject({booted: '20260704174338', staged: null});
    });

    test('holds back what was rolled back from', async () => {
        expect(await run('Rollback')).toEqual(DONE);
        await bootc.reboot();
        expect(await picture()).toMatchObject({booted: '20260703174338', isQueued: false});
        expect(await run('Check')).toEqual(DONE);
        expect(await outcome()).toBe('held-rollback');
        expect(await run('Update')).toMatchObject({state: 'failed', error: 'WrongState'});
        expect(await picture()).toMatchObject({staged: null});
    });

    test('is switched by podman and bootc', async () => {
        await publishImage(guest, SNOWFIELD, {version: '20260705000000'});
        await bootc.calls();
        expect(await switchTo(SNOWFIELD)).toEqual(DONE);
        expect(await picture()).toMatchObject({followed: SNOWFIELD, staged: '20260705000000'});
        expect((await bootc.calls()).at(-1)).toBe(
            `bootc switch --quiet --transport=containers-storage --progress-fd=3 ${SNOWFIELD}`,
        );
        expect(await run('Unstage')).toEqual(DONE);
    });

    test.each([
        [REFUSED, 'VerificationFailed'],
        [UNSIGNED, 'VerificationFailed'],
        ['ghcr.io/frostyard/nothing:latest', 'NotFound'],
        ['127.0.0.1:9/frostyard/snow:latest', 'Network'],
    ])('is not switched to %s: %s', async (reference, error) => {
        if (error === 'VerificationFailed')
            await publishImage(guest, reference, {version: '20260705000001'});
        const before = await picture();
        const end = await switchTo(reference);
        expect(end).toMatchObject({state: 'failed', error});
        expect(end.text).toMatch(/^[^\n]{10,500}$/);
        expect(await picture()).toEqual(before);
    });

    test('is not updated by a script that does nothing, or without a network', async () => {
        await publishImage(guest, IMAGE, {version: '20260706000000'});
        const before = await picture();
        await bootc.setFaults({stage: 'silent'});
        expect(await run('Update')).toMatchObject({state: 'failed', error: 'Failed'});
        expect(await picture()).toEqual(before);
        await bootc.setFaults({upgrade: 'silent'});
        const end = await run('Update');
        expect(end).toMatchObject({state: 'failed', error: 'Failed'});
        expect(end.text).toContain('staging silently failed');
        await guest.check(['systemctl', 'stop', 'docker-registry']);
        expect(await run('Update')).toMatchObject({state: 'failed', error: 'Network'});
        await guest.check(['systemctl', 'start', 'docker-registry']);
        expect(await picture()).toEqual(before);
    });

    test("is cancelled in the middle of snow's script", async () => {
        const before = await picture();
        await bootc.setFaults({upgrade: 'hang'});
        expect(await cancelledUpdate()).toMatchObject({state: 'cancelled', error: 'Cancelled'});
        expect(await picture()).toEqual(before);
    });

    test('is downloaded now, and updated without a network later', async () => {
        expect(await run('Update', DOWNLOAD_ONLY)).toEqual(DONE);
        expect(await picture()).toMatchObject({downloaded: '20260706000000', staged: null});
        await guest.check(['systemctl', 'stop', 'docker-registry']);
        expect(await run('Update')).toEqual(DONE);
        await guest.check(['systemctl', 'start', 'docker-registry']);
        expect(await picture()).toMatchObject({downloaded: null, staged: '20260706000000'});
    });
});
