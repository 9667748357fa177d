// SPDX-License-Identifier: GPL-2.0-or-later
// The container of a user on the bus, for its types and for who may; the real domain on a machine of functions.
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

import {type BusConnection, Variant} from '../../helper/src/host/dbus.ts';
import {UID, digestOf} from '../unit/intune/core/container-machine.ts';
import {users} from './harness/polkit.ts';
import {ROOT, SERVICE, call, finished, getAll, managedObjects} from './harness/remote.ts';
import {type Stage, setStage} from './harness/stage.ts';

const INTUNE = `${SERVICE}.Intune`;
const PATH = `${ROOT}/Intune/u${UID}`;

let stage: Stage;
let bus: BusConnection;

beforeAll(async () => {
    stage = await setStage();
    await stage.startService();
    bus = await stage.connect();
});
afterAll(async () => {
    await bus.close();
    await stage[Symbol.asyncDispose]();
});

function perform(method: string, signature: string, body: readonly unknown[]) {
    return finished(bus, async () => {
        const [job] = await call(bus, PATH, `${INTUNE}.${method}`, signature, body);
        return String(job);
    });
}

describe('the container', () => {
    it('is an object of its user, with everything that is known', async () => {
        expect(Object.keys(await managedObjects(bus))).toContain(PATH);
        expect(await getAll(bus, PATH, INTUNE)).toMatchObject({
            State: 'stopped',
            Image: 'ghcr.io/frostyard/ubuntu-intune:latest',
            Digest: digestOf('1'),
            Channel: 'stable',
            NewestDigest: '',
            Bindings: [],
            CanRestore: false,
            Problem: '',
        });
    });

    it('takes settings as they are, and tells what changed', async () => {
        const changes = {audio: new Variant('b', false), 'tasks-max': new Variant('s', '500')};
        expect(await perform('Configure', 'a{sv}a{sv}', [changes, {}])).toMatchObject({
            state: 'done',
        });
        expect(await getAll(bus, PATH, INTUNE)).toMatchObject({
            Settings: {audio: false, 'tasks-max': '500', gpu: true},
        });
    });

    it('refuses options and settings that it does not know', async () => {
        const wrong = [
            [{unknown: new Variant('s', '')}, {}],
            [{audio: new Variant('s', 'no')}, {}],
            [{}, {unknown: new Variant('s', '')}],
        ];
        for (const body of wrong)
            await expect(
                call(bus, PATH, `${INTUNE}.Configure`, 'a{sv}a{sv}', body),
            ).rejects.toMatchObject({code: 'InvalidArgs'});
    });

    it('is nobody else’s, which is said before anybody is asked for a password', async () => {
        await using caller = await stage.startCaller(users.active);
        for (const [member, signature, body] of [
            ['Start', 'a{sv}', [{}]],
            ['Destroy', 'a{sv}', [{}]],
            ['Open', 'sa{sv}', ['edge', {}]],
        ] as const) {
            const path = PATH.slice(ROOT.length + 1);
            const method = `${INTUNE}.${member}`;
            const outcome = await caller.call(path, method, signature, body, {
                allowInteraction: true,
            });
            expect(outcome).toEqual({
                error: [`${SERVICE}.Error.NotAuthorized`, 'The container is another user’s'],
            });
        }
    });
});
