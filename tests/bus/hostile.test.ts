// SPDX-License-Identifier: GPL-2.0-or-later
import {once} from 'node:events';
import {readFile} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import {type BusConnection, connectToSystemBus} from '../../helper/src/host/dbus.ts';
import {users} from './harness/polkit.ts';
import {startPrivateBus} from './harness/private-bus.ts';
import type {Running} from './harness/processes.ts';
import {connectRaw, encode} from './harness/raw-connection.ts';
import {DBUS, FEATURE, FEATURES, ROOT, SERVICE, call, getAll} from './harness/remote.ts';
import {type Stage, setStage} from './harness/stage.ts';

const CALLS = 10_000;

let stage: Stage;
let service: Running;
let bus: BusConnection;

beforeAll(async () => {
    stage = await setStage();
    service = await stage.startService();
});

beforeEach(async () => {
    bus = await stage.connect();
});

afterEach(async () => {
    expect(service.child.exitCode).toBeNull();
    await bus.close();
});

afterAll(async () => {
    await stage[Symbol.asyncDispose]();
});

async function residentMiB(): Promise<number> {
    const status = await readFile(`/proc/${service.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Times pings while something else goes on: the longest, in milliseconds. */
async function longestPing(during: Promise<unknown>): Promise<number> {
    let isOver = false;
    let longest = 0;
    const over = during.finally(() => (isOver = true));
    while (!isOver) {
        const begin = performance.now();
        await call(bus, ROOT, `${DBUS}.Peer.Ping`);
        longest = Math.max(longest, performance.now() - begin);
        await sleep(10);
    }
    await over;
    return longest;
}

describe('a message that no library would send', () => {
    const target = {destination: SERVICE, path: `${ROOT}/Features/quick`, interface: FEATURE};

    it('with a file descriptor that is not there does not end the service', async () => {
        const raw = await connectRaw(stage.bus.socket);
        const body = Buffer.alloc(4);
        for (let serial = 2; serial < 12; serial += 1)
            raw.write(encode({...target, member: 'Enable', serial, signature: 'h', body}));
        await sleep(200);
        await call(bus, ROOT, `${DBUS}.Peer.Ping`);
        raw.destroy();
    });

    it('of an unknown type does not end the service', async () => {
        const raw = await connectRaw(stage.bus.socket);
        raw.write(encode({...target, member: 'Enable', type: 9, serial: 2}));
        await sleep(200);
        await call(bus, ROOT, `${DBUS}.Peer.Ping`);
        raw.destroy();
    });

    it('that is cut off does not end the service', async () => {
        const raw = await connectRaw(stage.bus.socket);
        const whole = encode({...target, member: 'Enable', serial: 2, signature: 's'});
        raw.write(whole.subarray(0, whole.length - 5));
        raw.end();
        await once(raw, 'close');
        await call(bus, ROOT, `${DBUS}.Peer.Ping`);
    });

    it('that pretends to be a reply is not taken for one, should a bus deliver it', async () => {
        await using lax = await startPrivateBus({isLax: true});
        process.env['DBUS_SYSTEM_BUS_ADDRESS'] = lax.address;
        const [asking, silent] = [await connectToSystemBus(), await connectToSystemBus()];
        silent.handleCalls(() => undefined);
        await silent.requestName(SERVICE);
        const raw = await connectRaw(lax.socket);
        const path = '/';
        const target = {destination: silent.name, path, interface: FEATURE, member: 'Enable'};
        const pending = asking.call(target);
        for (let replySerial = 1; replySerial < 50; replySerial += 1)
            raw.write(
                encode({type: 2, serial: 99 + replySerial, replySerial, destination: asking.name}),
            );
        await expect(pending).rejects.toThrow('forged');
        raw.destroy();
        await Promise.all([asking.close(), silent.close()]);
    });

    it('that is very large costs little, and the next one is answered', async () => {
        const raw = await connectRaw(stage.bus.socket);
        const before = await residentMiB();
        // As many empty strings as the bus lets through: five bytes each, and three to align them.
        const length = 31 * 1024 * 1024 - 3;
        const body = Buffer.alloc(4 + length);
        body.writeUInt32LE(length);
        const large = {...target, member: 'Enable', signature: 'as', body};
        const sent = (async () => {
            for (let serial = 2; serial < 6; serial += 1) raw.write(encode({...large, serial}));
            await sleep(2000);
        })();
        expect(await longestPing(sent)).toBeLessThan(5000);
        expect((await residentMiB()) - before).toBeLessThan(100);
        raw.destroy();
    });

    it('that is large is answered', async () => {
        const options = Object.fromEntries(
            Array.from({length: 2000}, (_, i) => [`${'option'.repeat(20)}${i}`, 'x']),
        );
        const path = `${ROOT}/Features/quick`;
        const refused = call(bus, path, `${FEATURE}.Enable`, 'a{ss}', [options]);
        await expect(refused).rejects.toMatchObject({code: 'InvalidArgs'});
    });
});

describe(`a flood of ${CALLS} calls`, () => {
    it('of readers is answered to the last, starves nobody and leaves nothing behind', async () => {
        const reader = await stage.connect();
        const flood = async (): Promise<void> => {
            let left = CALLS;
            const one = async (): Promise<void> => {
                while (left-- > 0) await getAll(reader, `${ROOT}/Features/quick`, FEATURE);
            };
            await Promise.all(Array.from({length: 100}, one));
        };
        await flood();
        const before = await residentMiB();
        expect(await longestPing(flood())).toBeLessThan(5000);
        expect((await residentMiB()) - before).toBeLessThan(24);
        await reader.close();
    });

    it('of somebody who may nothing is refused, starves nobody and leaves nothing behind', async () => {
        const caller = await stage.startCaller(users.sessionless);
        const path = 'Features/quick';
        await caller.flood(path, `${FEATURE}.Enable`, 1000, 100);
        const before = await residentMiB();
        const flooding = caller.flood(path, `${FEATURE}.Enable`, CALLS, 100);
        expect(await longestPing(flooding)).toBeLessThan(5000);
        const answers = await flooding;
        expect(Object.keys(answers).sort()).toEqual([
            `${DBUS}.Error.LimitsExceeded`,
            `${SERVICE}.Error.NotAuthorized`,
        ]);
        expect(Object.values(answers).reduce((sum, count) => sum + count)).toBe(CALLS);
        expect((await residentMiB()) - before).toBeLessThan(24);
    });

    it('of somebody who may starts no more than sixteen jobs at a time', async () => {
        const caller = await stage.startCaller(users.active);
        const counts = [0];
        await bus.subscribe({sender: SERVICE}, ({member, body}) => {
            const isAdded = member === 'InterfacesAdded' && String(body[0]).includes('/Jobs/');
            const change = isAdded ? 1 : member === 'Finished' ? -1 : 0;
            counts.push((counts.at(-1) ?? 0) + change);
        });
        const answers = await caller.flood('Features', `${FEATURES}.Check`, 2000, 100);
        expect(answers['done']).toBeGreaterThan(0);
        expect(answers[`${SERVICE}.Error.Busy`]).toBeGreaterThan(0);
        expect(Math.max(...counts)).toBe(16);
    });
});
