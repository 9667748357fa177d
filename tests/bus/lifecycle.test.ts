// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {type BusConnection, connectToSystemBus} from '../../helper/src/host/dbus.ts';
import {bundle} from './harness/bundle.ts';
import {startPrivateBus} from './harness/private-bus.ts';
import {startProgram} from './harness/processes.ts';
import {DBUS, JOB, ROOT, call, getAll, managedObjects, start} from './harness/remote.ts';
import {type Stage, initialState, setStage} from './harness/stage.ts';

let stage: Stage;
let bus: BusConnection;

beforeEach(async () => {
    stage = await setStage();
    bus = await stage.connect();
});

afterEach(async () => {
    await bus.close();
    await stage[Symbol.asyncDispose]();
});

describe('an idle service', () => {
    it('ends after its time, counted from the last call', async () => {
        const service = await stage.startService(2500);
        const begin = performance.now();
        await sleep(1000);
        await call(bus, ROOT, `${DBUS}.Peer.Ping`);
        expect(await service.ended).toBe(0);
        const lasted = performance.now() - begin;
        expect(lasted).toBeGreaterThan(3490);
        expect(lasted).toBeLessThan(20_000);
    });

    it('is not one with a job', async () => {
        const service = await stage.startService(1500);
        const path = await start(bus, 'slow', 'Update');
        await sleep(3000);
        expect(await getAll(bus, path, JOB)).toMatchObject({State: 'running'});
        await call(bus, path, `${JOB}.Cancel`, 'a{sv}', [{}]);
        expect(await service.ended).toBe(0);
    });

    it('is not one with a caller that waits', async () => {
        await stage.setState({...initialState, readTime: 1500});
        const service = await stage.startService(750);
        expect(Object.keys(await managedObjects(bus))).toContain(`${ROOT}/Features`);
        expect(await service.ended).toBe(0);
    });
});

describe('a service that is told to stop', () => {
    it('cancels its jobs, tells so, and ends well', async () => {
        const service = await stage.startService();
        const ends: unknown[] = [];
        await bus.subscribe({sender: 'org.frostyard.Snow1', member: 'Finished'}, ({body}) => {
            ends.push(body[0]);
        });
        await start(bus, 'slow', 'Update');
        service.child.kill('SIGTERM');
        expect(await service.ended).toBe(0);
        expect(ends).toEqual(['cancelled']);
    });

    it('takes no new jobs while it waits for the old', async () => {
        const service = await stage.startService();
        await start(bus, 'brief', 'Enable');
        service.child.kill('SIGTERM');
        await sleep(100);
        await expect(start(bus, 'quick', 'Enable')).rejects.toMatchObject({code: 'Busy'});
        expect(await service.ended).toBe(0);
        expect((await stage.readState()).features['brief']).toBe(true);
    });
});

describe('the bus', () => {
    it('that goes away takes the service along', async () => {
        const service = await stage.startService();
        stage.bus.daemon.child.kill('SIGTERM');
        expect(await service.ended).toBe(1);
        await service.waitForLine(/^<3>The system bus is lost/);
    });

    it('that is not there is an error of one line', async () => {
        const service = startProgram(
            [process.execPath, stage.standIn.bundle, stage.standIn.state],
            {
                env: {...process.env, DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent/bus'},
            },
        );
        expect(await service.ended).toBe(1);
        expect(service.lines.join(' ')).toContain('Cannot reach the bus');
    });

    it('lets only one service have the name', async () => {
        await stage.startService();
        const second = startProgram([process.execPath, stage.standIn.bundle, stage.standIn.state], {
            env: {...process.env, DBUS_SYSTEM_BUS_ADDRESS: stage.bus.address},
        });
        expect(await second.ended).toBe(1);
        expect(second.lines).toEqual([
            '<3>org.frostyard.Snow1 cannot be owned: another service has it',
        ]);
    });
});

describe('a service that is started by the bus', () => {
    it('loses no call, however often it leaves in between', async () => {
        const {state} = stage.standIn;
        await using activating = await startPrivateBus({
            describeService: directory => ({
                name: 'org.frostyard.Snow1',
                exec: `${process.execPath} ${directory}/stand-in.cjs ${state} 25`,
            }),
        });
        await bundle('tests/bus/harness/stand-in.ts', activating.directory);
        process.env['DBUS_SYSTEM_BUS_ADDRESS'] = activating.address;
        const client = await connectToSystemBus();
        const owners = new Set<string>();
        await client.watchOwner('org.frostyard.Snow1', owner => owners.add(owner));
        for (let i = 0; i < 40; i += 1) {
            // Around the time when it gives its name back.
            await sleep(20 + i / 4);
            await call(client, ROOT, `${DBUS}.Peer.Ping`);
        }
        await client.close();
        expect(owners.size).toBeGreaterThan(10);
    });
});
