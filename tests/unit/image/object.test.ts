// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import type {ImageProperties} from '../../../helper/src/generated/dbus.ts';
import type {Domain, JobSpec, Progress, Results} from '../../../helper/src/host/domain.ts';
import {SnowError} from '../../../helper/src/host/error.ts';
import {
    type JobState,
    initialState,
    readJobState,
    writeJobState,
} from '../../../helper/src/image/job-state.ts';
import {imageDomain} from '../../../helper/src/image/object.ts';
import {StatusReader} from '../../../helper/src/image/status-reader.ts';
import {
    type ImageMachine,
    SNOW,
    SNOWFIELD,
    deployment,
    digestOf,
    makeImageMachine,
    statusOf,
} from './image-machine.ts';

const IMAGE = 'org.frostyard.Snow1.Image';
const UNIT = 'snow-image-job.service';
const unstopped = new AbortController().signal;

let machine: ImageMachine;
let domain: Domain;

beforeEach(async () => {
    machine = await makeImageMachine();
    domain = imageDomain(machine.host, [machine.driver], machine.extensions);
    await machine.write({
        '/usr/lib/snow-control/channels.d/snow.conf': `[Channel]\nName=snow\nTitle=Snow\nImage=${SNOW}\n`,
        '/usr/lib/snow-control/channels.d/snowfield.conf': `[Channel]\nName=snowfield\nTitle=Snowfield\nImage=${SNOWFIELD}\n`,
    });
});
afterEach(() => machine.dispose());

async function properties(): Promise<ImageProperties> {
    const objects = await domain.snapshot();
    expect([...objects.keys()]).toEqual(['Image']);
    return objects.get('Image')?.[IMAGE] as unknown as ImageProperties;
}

function prepare(
    method: string,
    args: readonly unknown[] = [],
    options: Record<string, unknown> = {},
): Promise<JobSpec> {
    return domain.prepare('Image', IMAGE, method, args, options, 1000);
}

interface Seen extends Progress {
    readonly steps: string[];
    readonly counts: (readonly [number, number])[];
}

function seen(): Seen {
    const steps: string[] = [];
    const counts: (readonly [number, number])[] = [];
    return {
        steps,
        counts,
        step: text => void steps.push(text),
        bytes: (done, total) => void counts.push([done, total]),
    };
}

describe('the image on the bus', () => {
    it('is as the machine is', async () => {
        machine.manners.newest = '2';
        await machine.work('check');
        expect(await properties()).toMatchObject({
            Driver: 'bootc',
            Followed: SNOW,
            Booted: {
                version: '1',
                image: SNOW,
                transport: 'registry',
                digest: digestOf('1'),
                timestamp: 1_760_000_000,
                pinned: false,
                'soft-reboot': false,
            },
            Staged: {},
            Rollback: {version: '0'},
            RollbackQueued: false,
            Downloaded: {},
            Available: {version: '2', image: SNOW, digest: digestOf('2'), size: 1000},
            Channels: [
                {name: 'snow', title: 'Snow', description: '', image: SNOW, followed: true},
                expect.objectContaining({name: 'snowfield', followed: false}),
            ],
            Extensions: [],
            RestartNeeded: false,
            LastCheck: expect.any(Number),
            LastOutcome: 'available',
            Problem: '',
        });
    });

    it('tells what a staged image means for the extensions', async () => {
        machine.manners.newest = '2';
        machine.outlooks = [{feature: 'docker', state: 'missing', version: '', text: 'None'}];
        await machine.work('update');
        expect(await properties()).toMatchObject({
            Staged: {version: '2'},
            Available: {},
            RestartNeeded: true,
            LastOutcome: 'staged',
            Extensions: [{feature: 'docker', state: 'missing', version: '', text: 'None'}],
        });
        // Somebody else staged another one since: nothing is known of that.
        machine.status = statusOf({staged: deployment('3')});
        expect(await properties()).toMatchObject({RestartNeeded: true, Extensions: []});
        machine.status = statusOf();
        expect(await properties()).toMatchObject({
            RestartNeeded: false,
            LastOutcome: 'available',
            Available: {version: '2'},
        });
        // Where it stays in a slot, it is not what is running that is the newest.
        machine.status = statusOf({rollback: deployment('2')});
        expect(await properties()).toMatchObject({
            Available: {},
            Rollback: {version: '2'},
            LastOutcome: 'held-rollback',
        });
    });

    it('is there also where nobody manages it', async () => {
        machine.driver.detect = () => Promise.resolve(false);
        expect(await properties()).toMatchObject({
            Driver: '',
            Booted: {},
            Channels: [],
            Problem: expect.stringContaining('neither bootc, nbc nor systemd-sysupdate'),
        });
        await expect(prepare('Update')).rejects.toMatchObject({code: 'NotSupported'});
    });

    it('says what cannot be read, and shows the rest', async () => {
        machine.manners.statusFault = new SnowError('Failed', 'bootc: staged.image is no object');
        expect(await properties()).toMatchObject({
            Driver: 'bootc',
            Booted: {},
            Problem: 'bootc: staged.image is no object',
        });
        machine.manners.statusFault = null;
        await machine.write({'/etc/snow-control/channels.d/x.conf': '[Channel]\nName=x\n'});
        expect(await properties()).toMatchObject({
            Booted: {version: '1'},
            Problem: '/etc/snow-control/channels.d/x.conf: [Channel] has no Title=',
        });
    });

    it('does not wait for a driver that hangs, and asks it no second time meanwhile', async () => {
        machine.manners.statusTime = 5000;
        const reader = new StatusReader(2500);
        const read = () => reader.read(machine.host, machine.driver);
        await expect(read()).rejects.toThrow('bootc does not answer');
        const start = performance.now();
        await expect(read()).rejects.toThrow('bootc does not answer');
        expect(performance.now() - start).toBeLessThan(2400);
        await sleep(5100);
        machine.manners.statusTime = 0;
        expect(await read()).toMatchObject({followed: SNOW});
    });
});

describe('a call', () => {
    it.each([
        ['Check', [], {}, 'image.check', ''],
        ['Update', [], {}, 'image.update', ''],
        ['Update', [], {'download-only': true}, 'image.download', ''],
        ['Switch', ['snowfield'], {}, 'image.switch', 'snowfield'],
        ['SwitchReference', ['quay.io/a/b:1'], {}, 'image.switch', 'quay.io/a/b:1'],
        ['Rollback', [], {}, 'image.rollback', ''],
        ['Unstage', [], {}, 'image.unstage', ''],
    ] as const)('of %s(%j, %j) is %s', async (method, args, options, operation, target) => {
        expect(await prepare(method, args, options)).toMatchObject({
            operation,
            target,
            isWriter: true,
        });
    });

    it.each([
        ['Switch', ['nowhere'], 'NotFound'],
        ['Switch', [SNOWFIELD], 'InvalidArgs'],
        ['Switch', ['--option'], 'InvalidArgs'],
        ['Switch', [''], 'InvalidArgs'],
        ['Switch', ['__proto__'], 'InvalidArgs'],
        ['Switch', ['x'.repeat(65_536)], 'InvalidArgs'],
        ['SwitchReference', ['--option'], 'InvalidArgs'],
        ['SwitchReference', ['ghcr.io/a b'], 'InvalidArgs'],
        ['SwitchReference', ['ghcr.io/a;reboot'], 'InvalidArgs'],
        ['SwitchReference', [`ghcr.io/${'a'.repeat(65_536)}`], 'InvalidArgs'],
        ['SwitchReference', ['ghcr.io/ä/b'], 'InvalidArgs'],
        ['SwitchReference', [''], 'InvalidArgs'],
        ['Destroy', [], 'NotSupported'],
    ] as const)('of %s(%j) is refused: %s', async (method, args, code) => {
        await expect(prepare(method, args)).rejects.toMatchObject({code});
        expect(machine.calls).toEqual([]);
    });

    it('of what the driver cannot do says so in its words', async () => {
        machine.status = statusOf({capabilities: ['check', 'update']});
        await expect(prepare('Rollback')).rejects.toMatchObject({
            code: 'NotSupported',
            message: 'bootc cannot do this here: rollback',
        });
        machine.driver.explain = capability => `No ${capability}: choose it in the boot menu`;
        await expect(prepare('Rollback')).rejects.toMatchObject({
            message: 'No rollback: choose it in the boot menu',
        });
    });
});

describe('a job', () => {
    it('runs in its unit, and is told as it goes', async () => {
        Object.assign(machine.manners, {newest: '2', duration: 800});
        const spec = await prepare('Update');
        const progress = seen();
        const running = spec.run(progress, unstopped, 1000);
        await sleep(400);
        expect(machine.units.get(UNIT)).toBe('activating');
        expect(progress.steps).toContain('Pulling');
        expect(progress.counts).toContainEqual([1, 10]);
        expect(await running).toMatchObject({outcome: 'staged', version: '2'});
        expect(await readJobState(machine.host)).toMatchObject({startedBy: 1000});
    });

    it('fails with what the worker says', async () => {
        machine.manners.sourceFault = new SnowError('Network', 'ghcr.io does not answer');
        const spec = await prepare('Check');
        await expect(spec.run(seen(), unstopped, 0)).rejects.toMatchObject({
            code: 'Network',
            message: 'ghcr.io does not answer',
        });
    });

    it('is cancelled by stopping its unit', async () => {
        Object.assign(machine.manners, {newest: '2', duration: 300});
        const spec = await prepare('Update');
        const signal = AbortSignal.timeout(100);
        await expect(spec.run(seen(), signal, 0)).rejects.toMatchObject({code: 'Cancelled'});
        expect(machine.units.has(UNIT)).toBe(false);
    });

    it('that is killed has failed, and the one before is not taken for it', async () => {
        machine.manners.newest = '2';
        await machine.work('check');
        const spec = await prepare('Update');
        Object.assign(machine.host.systemd ?? {}, {startUnit: () => Promise.resolve()});
        await expect(spec.run(seen(), unstopped, 0)).rejects.toMatchObject({
            code: 'Failed',
            message: expect.stringContaining('killed'),
        });
    });

    it('is refused while another one runs', async () => {
        machine.units.set(UNIT, 'activating');
        const spec = await prepare('Update');
        await expect(spec.run(seen(), unstopped, 0)).rejects.toMatchObject({code: 'Busy'});
        expect(await readJobState(machine.host)).toBeNull();
    });
});

describe('a service that starts', () => {
    const state: JobState = {
        ...initialState({
            id: '6b8e5d3a-0000-4000-8000-000000000000',
            operation: 'switch',
            target: 'snowfield',
            startedBy: 1001,
        }),
        step: 'Pulling',
    };

    async function adopted(): Promise<readonly JobSpec[]> {
        return ((await domain.running?.()) ?? []).map(({spec}) => spec);
    }

    it('finds nothing where there was no job, or it ended', async () => {
        expect(await adopted()).toEqual([]);
        await writeJobState(machine.host, state);
        expect(await adopted()).toEqual([]);
    });

    it('finds the job of the one before, and follows it to its end', async () => {
        await writeJobState(machine.host, state);
        machine.units.set(UNIT, 'activating');
        const jobs = (await domain.running?.()) ?? [];
        expect(jobs).toMatchObject([
            {startedBy: 1001, spec: {operation: 'image.switch', target: 'snowfield'}},
        ]);
        const progress = seen();
        const running: Promise<Results> | undefined = jobs[0]?.spec.run(progress, unstopped, 1001);
        await sleep(100);
        expect(progress.steps).toEqual(['Pulling']);
        await writeJobState(machine.host, {...state, state: 'done', results: {version: '7'}});
        machine.units.delete(UNIT);
        expect(await running).toEqual({version: '7'});
    });
});
