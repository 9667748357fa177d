// SPDX-License-Identifier: GPL-2.0-or-later

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import type {BusConnection} from '../../helper/src/host/dbus.ts';
import type {Running} from './harness/processes.ts';
import {
    DBUS,
    FEATURE,
    JOB,
    MANAGER,
    ROOT,
    SERVICE,
    call,
    finished,
    getAll,
    managedObjects,
    record,
    start,
} from './harness/remote.ts';
import {type Stage, initialState, setStage} from './harness/stage.ts';

let stage: Stage;
let service: Running;
let bus: BusConnection;

beforeAll(async () => {
    stage = await setStage();
    service = await stage.startService();
});

beforeEach(async () => {
    await stage.setState(initialState);
    bus = await stage.connect();
});

afterEach(async () => {
    await bus.close();
});

afterAll(async () => {
    await stage[Symbol.asyncDispose]();
});

const cancel = (path: string): Promise<unknown> => call(bus, path, `${JOB}.Cancel`, 'a{sv}', [{}]);

describe('a job', () => {
    it('is there before its caller hears of it, and tells its end with what came of it', async () => {
        const heard = await record(bus);
        const end = await finished(bus, () => start(bus, 'quick', 'Enable'));
        expect(end).toMatchObject({
            state: 'done',
            error: ['', ''],
            results: {version: '1.0', merged: true, warnings: [], features: ['quick']},
        });
        expect(await getAll(bus, end.path, JOB)).toEqual({
            Operation: 'features.enable',
            Target: 'quick',
            Step: 'Working on quick',
            Progress: 1,
            BytesDone: 0,
            BytesTotal: 0,
            StartedByUID: 0,
            State: 'done',
            Error: ['', ''],
        });
        expect(heard[0]).toMatchObject({path: ROOT, member: 'InterfacesAdded'});
        await service.waitForLine(/^<6>features\.enable quick for uid 0: done in \d+\.\d\d s/);
    });

    it('has changed the properties before it says that it ended', async () => {
        await managedObjects(bus);
        const heard = await record(bus);
        await finished(bus, () => start(bus, 'quick', 'Enable'));
        const members = heard.map(({path, member}) => [path, member]);
        const feature = members.findIndex(
            ([path, member]) => path === `${ROOT}/Features/quick` && member === 'PropertiesChanged',
        );
        const last = members.findIndex(([, member]) => member === 'Finished');
        expect(feature).toBeGreaterThan(-1);
        expect(last).toBeGreaterThan(feature);
    });

    it('tells its progress at most ten times a second, and never goes backwards', async () => {
        const heard = await record(bus);
        const begin = performance.now();
        const path = await start(bus, 'slow', 'Update');
        const changes = () =>
            heard.filter(entry => entry.path === path && entry.member === 'PropertiesChanged');
        const fractions = () =>
            changes()
                .map(({body}) => (body[1] as {Progress?: number}).Progress)
                .filter(value => value !== undefined);
        await expect.poll(() => fractions().at(-1)).toBeGreaterThan(0.6);
        await cancel(path);
        await expect.poll(() => heard.some(({member}) => member === 'Finished')).toBe(true);
        const seconds = (performance.now() - begin) / 1000;
        expect(changes().length).toBeGreaterThan(5);
        // Beside what is told of its begin and its end.
        expect(changes().length).toBeLessThan(seconds * 10 + 4);
        expect(fractions()).toEqual([...fractions()].sort((a, b) => a - b));
    });

    it('that is cancelled says so, and ends', async () => {
        const end = await finished(bus, async () => {
            const path = await start(bus, 'slow', 'Update');
            await cancel(path);
            return path;
        });
        expect(end).toMatchObject({state: 'cancelled', results: {}});
        expect(end.error[0]).toBe(`${SERVICE}.Error.Cancelled`);
        await cancel(end.path);
        expect(await getAll(bus, end.path, JOB)).toMatchObject({State: 'cancelled'});
    });

    it('that fails has the name of the error and one line', async () => {
        const end = await finished(bus, () => start(bus, 'failing', 'Enable'));
        const error = [`${SERVICE}.Error.Network`, 'The server does not answer'];
        expect(end).toMatchObject({state: 'failed', error});
        expect(await getAll(bus, end.path, JOB)).toMatchObject({State: 'failed', Error: error});
        await service.waitForLine(/^<5>features\.enable failing .*: Network: The server does not/);
    });

    it('that crashes tells its caller nothing of the program, and the journal all', async () => {
        const end = await finished(bus, () => start(bus, 'crashing', 'Enable'));
        expect(end.error).toEqual([
            `${SERVICE}.Error.Failed`,
            'features.enable crashing failed; the journal of snowd says why',
        ]);
        await service.waitForLine(/^<3>features\.enable crashing: TypeError: A secret.* at run/);
    });

    it('with results that cannot be sent has failed', async () => {
        const end = await finished(bus, () => start(bus, 'strange', 'Enable'));
        expect(end).toMatchObject({state: 'failed', results: {}});
    });

    it('goes on when the client that started it is gone', async () => {
        const client = await stage.connect();
        const path = await start(client, 'brief', 'Enable');
        await client.close();
        await expect
            .poll(async () => (await getAll(bus, path, JOB))['State'], {timeout: 5000})
            .toBe('done');
        expect((await stage.readState()).features['brief']).toBe(true);
    });

    it('with an argument that the domain refuses does not begin', async () => {
        const jobs = await call(bus, ROOT, `${MANAGER}.ListJobs`);
        const body = ['../../etc', {}];
        const path = `${ROOT}/Features/quick`;
        const refused = call(bus, path, `${FEATURE}.Rollback`, 'sa{sv}', body);
        await expect(refused).rejects.toMatchObject({code: 'InvalidArgs'});
        expect(await call(bus, ROOT, `${MANAGER}.ListJobs`)).toEqual(jobs);
    });
});

describe('several jobs', () => {
    it('do not change a domain at the same time: the second is told of the first', async () => {
        const path = await start(bus, 'slow', 'Update');
        await expect(start(bus, 'quick', 'Enable')).rejects.toMatchObject({
            code: 'Busy',
            message: `Another operation is running: ${path}`,
        });
        await cancel(path);
        await expect.poll(async () => (await getAll(bus, path, JOB))['State']).toBe('cancelled');
        const end = await finished(bus, () => start(bus, 'quick', 'Enable'));
        expect(end.state).toBe('done');
    });

    it('that only read follow one another, beside one that writes', async () => {
        const from = service.lines.length;
        const writer = await start(bus, 'slow', 'Update');
        const checks = [start(bus, '', 'Check'), start(bus, '', 'Check')];
        const last = await finished(bus, async () => (await Promise.all(checks))[1] ?? '');
        expect(last.state).toBe('done');
        const order = service.lines.slice(from).filter(line => line.startsWith('check '));
        expect(order).toEqual(['check begins', 'check ends', 'check begins', 'check ends']);
        await cancel(writer);
    });

    it('of one user are at most sixteen; one that waits can be cancelled', async () => {
        await expect
            .poll(async () => {
                const [paths] = await call(bus, ROOT, `${MANAGER}.ListJobs`);
                const all = await Promise.all(
                    (paths as readonly string[]).map(path => getAll(bus, path, JOB)),
                );
                return all.filter(job => job['State'] === 'running').length;
            })
            .toBe(0);
        const paths: string[] = [];
        let refusal: unknown = null;
        while (refusal === null && paths.length < 60) {
            await start(bus, '', 'Check').then(
                path => paths.push(path),
                (error: unknown) => (refusal = error),
            );
        }
        expect(refusal).toMatchObject({
            code: 'Busy',
            message: 'User 0 has 16 jobs that are not finished',
        });
        const waiting = paths.at(-1) ?? '';
        const end = await finished(bus, async () => {
            await cancel(waiting);
            return waiting;
        });
        expect(end.state).toBe('cancelled');
        await Promise.all(paths.slice(0, -1).map(cancel));
    });

    it('are kept when they ended, the last 64 of them', async () => {
        const ended = new Set<string>();
        await bus.subscribe({sender: SERVICE, member: 'Finished'}, ({path}) => ended.add(path));
        for (let i = 0; i < 70; i += 1) {
            const path = await start(bus, 'quick', 'Enable');
            await expect.poll(() => ended.has(path), {interval: 2}).toBe(true);
        }
        await expect
            .poll(
                async () => ((await call(bus, ROOT, `${MANAGER}.ListJobs`))[0] as unknown[]).length,
            )
            .toBe(64);
        const [paths] = await call(bus, ROOT, `${MANAGER}.ListJobs`);
        const objects = Object.keys(await managedObjects(bus));
        expect(objects.filter(path => path.startsWith(`${ROOT}/Jobs/`)).sort()).toEqual(
            [...(paths as readonly string[])].sort(),
        );
        await expect(
            call(bus, `${ROOT}/Jobs/1`, `${DBUS}.Properties.GetAll`, 's', [JOB]),
        ).rejects.toMatchObject({errorName: `${DBUS}.Error.UnknownObject`});
    });
});
