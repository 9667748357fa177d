// SPDX-License-Identifier: GPL-2.0-or-later
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';

import {afterAll, afterEach, beforeAll, describe, expect, it} from 'vitest';

import {type BusConnection, Variant} from '../../helper/src/host/dbus.ts';
import {
    DBUS,
    JOB,
    MANAGER,
    ROOT,
    SERVICE,
    call,
    finished,
    getAll,
    managedObjects,
    record,
} from './harness/remote.ts';
import {type Stage, initialState, setStage} from './harness/stage.ts';

const run = promisify(execFile);
const IMAGE = `${SERVICE}.Image`;
const PATH = `${ROOT}/Image`;

let stage: Stage;
let bus: BusConnection;

beforeAll(async () => {
    stage = await setStage();
});

afterEach(async () => {
    await bus.close();
});

afterAll(async () => {
    await stage[Symbol.asyncDispose]();
});

async function withService(state: Partial<typeof initialState> = {}, isLong = true) {
    await stage.setState({...initialState, ...state});
    const service = await stage.startService(isLong ? 60_000 : 300);
    bus = await stage.connect();
    return service;
}

async function change(
    method: string,
    args: readonly unknown[] = [],
    options: Readonly<Record<string, unknown>> = {},
): Promise<string> {
    const signature = args.length > 0 ? 'sa{sv}' : 'a{sv}';
    const [job] = await call(bus, PATH, `${IMAGE}.${method}`, signature, [...args, options]);
    return String(job);
}

describe('the image', () => {
    it('is an object with everything that is known, for programs that are not ours', async () => {
        await using _service = await withService();
        const properties = await getAll(bus, PATH, IMAGE);
        expect(properties).toMatchObject({
            Driver: 'bootc',
            Booted: {version: '1', pinned: false},
            Channels: [{name: 'snow', followed: true}, {name: 'snowfield'}],
            Capabilities: expect.arrayContaining(['switch']),
            Problem: '',
        });
        expect(await getAll(bus, ROOT, MANAGER)).toMatchObject({ImageDriver: 'bootc'});
        const {stdout} = await run('busctl', [
            `--address=${stage.bus.address}`,
            '--json=short',
            'call',
            SERVICE,
            PATH,
            `${DBUS}.Properties`,
            'GetAll',
            's',
            IMAGE,
        ]);
        const {data} = JSON.parse(stdout) as {
            data: readonly [Record<string, {type: string; data: unknown}>];
        };
        const signatures = Object.entries(data[0]).map(([name, {type}]) => [name, type]);
        expect(Object.fromEntries(signatures)).toEqual({
            Driver: 's',
            Followed: 's',
            Booted: 'a{sv}',
            Staged: 'a{sv}',
            Rollback: 'a{sv}',
            RollbackQueued: 'b',
            Downloaded: 'a{sv}',
            Available: 'a{sv}',
            Channels: 'aa{sv}',
            Capabilities: 'as',
            Extensions: 'aa{sv}',
            RestartNeeded: 'b',
            LastCheck: 'x',
            LastOutcome: 's',
            Problem: 's',
        });
        expect(data[0]['Booted']?.data).toMatchObject({
            timestamp: {type: 'x'},
            pinned: {type: 'b'},
            version: {type: 's'},
        });
    });

    it('is updated by a job, whose end finds the properties as they are', async () => {
        await using _service = await withService();
        await managedObjects(bus);
        const heard = await record(bus);
        const end = await finished(bus, () => change('Update'));
        expect(end).toMatchObject({
            state: 'done',
            results: {outcome: 'staged', version: '2', warnings: [], features: []},
        });
        const changed = heard.find(
            ({path, member}) => path === PATH && member === 'PropertiesChanged',
        );
        expect(changed?.body[1]).toMatchObject({Staged: {version: '2'}, RestartNeeded: true});
        expect(await getAll(bus, end.path, JOB)).toMatchObject({
            Operation: 'image.update',
            Target: '',
            Progress: 1,
        });
        expect(await finished(bus, () => change('Unstage'))).toMatchObject({state: 'done'});
        const download = {'download-only': new Variant('b', true)};
        const fetched = await finished(bus, () => change('Update', [], download));
        expect(await getAll(bus, fetched.path, JOB)).toMatchObject({Operation: 'image.download'});
        expect(await getAll(bus, PATH, IMAGE)).toMatchObject({
            Staged: {},
            Downloaded: {version: '2'},
        });
    });

    it('is changed by one at a time, which the second is told', async () => {
        await using _service = await withService({image: {duration: 1000}});
        await managedObjects(bus);
        const job = await change('Update');
        for (const method of ['Check', 'Update', 'Rollback'])
            await expect(change(method)).rejects.toMatchObject({
                code: 'Busy',
                message: `Another operation is running: ${job}`,
            });
        await call(bus, job, `${JOB}.Cancel`, 'a{sv}', [{}]);
        await expect.poll(async () => (await getAll(bus, job, JOB))['State']).toBe('cancelled');
        expect(await getAll(bus, PATH, IMAGE)).toMatchObject({Staged: {}});
    });

    it('is switched to what is in the list, or is a reference', async () => {
        await using _service = await withService();
        await expect(change('Switch', ['nowhere'])).rejects.toMatchObject({code: 'NotFound'});
        for (const text of ['--option', 'a b', 'ghcr.io/a;b', 'x'.repeat(65_536)]) {
            await expect(change('Switch', [text])).rejects.toMatchObject({code: 'InvalidArgs'});
            await expect(change('SwitchReference', [text])).rejects.toMatchObject({
                code: 'InvalidArgs',
            });
        }
        const end = await finished(bus, () => change('Switch', ['snowfield']));
        expect(end.state).toBe('done');
        expect(await getAll(bus, PATH, IMAGE)).toMatchObject({
            Followed: 'ghcr.io/frostyard/snowfield:latest',
            Staged: {version: '7'},
        });
        expect(await getAll(bus, end.path, JOB)).toMatchObject({
            Operation: 'image.switch',
            Target: 'snowfield',
        });
    });

    it('that takes its time does not keep others from reading the features', async () => {
        await using _service = await withService({image: {statusTime: 6000}});
        const heard = await record(bus);
        await getAll(bus, `${ROOT}/Features/quick`, `${SERVICE}.Feature`);
        const paths = Object.keys(await managedObjects(bus));
        expect(paths).toContain(`${ROOT}/Features/quick`);
        // The driver has not answered yet.
        expect(paths).not.toContain(PATH);
        expect(heard.filter(({member}) => member === 'InterfacesAdded')).toEqual([]);
        // It comes when it is known.
        await expect
            .poll(() => heard.find(({member}) => member === 'InterfacesAdded')?.body, {
                timeout: 10_000,
            })
            .toMatchObject([PATH, {[IMAGE]: {Driver: 'bootc'}}]);
        await expect
            .poll(async () => Object.keys(await managedObjects(bus)), {timeout: 10_000})
            .toContain(PATH);
    });
});

describe('a service that starts while a job goes on', () => {
    it('has that job on the bus before anybody asks, and follows it to its end', async () => {
        await using _service = await withService({isImageChanging: true});
        const objects = await managedObjects(bus);
        const job = `${ROOT}/Jobs/1`;
        expect(objects[job]?.[JOB]).toMatchObject({
            Operation: 'image.switch',
            Target: 'snowfield',
            StartedByUID: 1234,
            State: 'running',
        });
        await expect(change('Update')).rejects.toMatchObject({
            code: 'Busy',
            message: `Another operation is running: ${job}`,
        });
        await expect
            .poll(async () => (await getAll(bus, job, JOB))['Step'])
            .toBe('Pulling snowfield');
        await expect
            .poll(async () => (await getAll(bus, job, JOB))['State'], {timeout: 5000})
            .toBe('done');
    });

    it('does not become idle before its end', async () => {
        await using service = await withService({isImageChanging: true}, false);
        const [end] = await new Promise<readonly unknown[]>(resolve => {
            void bus.subscribe({sender: SERVICE, interface: JOB, member: 'Finished'}, signal =>
                resolve(signal.body),
            );
        });
        expect(end).toBe('done');
        expect(await service.ended).toBe(0);
    });

    it('leaves it alone when it is itself stopped', async () => {
        await using service = await withService({image: {duration: 60_000}});
        await managedObjects(bus);
        await change('Update');
        const start = performance.now();
        service.child.kill('SIGTERM');
        expect(await service.ended).toBe(0);
        expect(performance.now() - start).toBeLessThan(30_000);
    });
});
