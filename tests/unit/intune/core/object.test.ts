// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {IntuneInterface} from '../../../../helper/src/generated/dbus.ts';
import type {Domain, Progress} from '../../../../helper/src/host/domain.ts';
import {machineUnit} from '../../../../helper/src/intune/model.ts';
import {intuneDomain} from '../../../../helper/src/intune/object.ts';
import {type ContainerMachine, UID, containerMachine, digestOf} from './container-machine.ts';

const PATH = `Intune/u${UID}`;
const progress: Progress = {step: () => undefined, bytes: () => undefined};

let machine: ContainerMachine;
let domain: Domain;

beforeEach(async () => {
    machine = await containerMachine();
    domain = intuneDomain(machine.host, machine.servicePorts);
    await mkdir(join(machine.root, `run/user/${UID}`), {recursive: true});
    await mkdir(join(machine.root, 'run/user/110'));
});
afterEach(() => machine[Symbol.asyncDispose]());

function prepare(
    method: string,
    args: readonly unknown[] = [],
    options: Record<string, unknown> = {},
    caller = UID,
) {
    return domain.prepare(PATH, IntuneInterface.name, method, args, options, caller);
}

async function perform(...call: Parameters<typeof prepare>) {
    const job = await prepare(...call);
    return job.run(progress, new AbortController().signal, UID);
}

async function properties() {
    return (await domain.snapshot()).get(PATH)?.[IntuneInterface.name];
}

describe('objects', () => {
    it('are there for those who are logged in and no users of the system', async () => {
        expect([...(await domain.snapshot()).keys()]).toEqual([PATH]);
        expect(await properties()).toMatchObject({State: 'absent', Channel: 'stable', Problem: ''});
    });

    it('tell of the container, also of one whose user is not logged in', async () => {
        await machine.run('init');
        await mkdir(join(machine.root, 'run/none'), {recursive: true});
        expect(await properties()).toMatchObject({
            State: 'stopped',
            Digest: digestOf('1'),
            CanRestore: false,
            StartedAt: 0,
        });
        machine.activeStates.set(machineUnit(UID), 'active');
        expect(await properties()).toMatchObject({State: 'running', StartedAt: 1_760_000_000});
        machine.activeStates.set(machineUnit(UID), 'failed');
        expect(await properties()).toMatchObject({
            State: 'failed',
            Problem: expect.stringContaining('journalctl'),
        });
    });
});

describe('methods', () => {
    it('are those of the user and root', async () => {
        expect(() => domain.refuseStranger?.(PATH, UID + 1)).toThrow(
            expect.objectContaining({code: 'NotAuthorized'}),
        );
        await expect(prepare('Stop', [], {}, UID + 1)).rejects.toMatchObject({
            code: 'NotAuthorized',
        });
        await prepare('Stop', [], {}, 0);
        for (const path of ['Intune/u01', 'Intune/x', 'Intune'])
            expect(() => domain.refuseStranger?.(path, UID)).toThrow(
                expect.objectContaining({code: 'NotFound'}),
            );
    });

    it.each([
        ['Start', [], {session: ['PATH=/evil']}],
        ['Start', [], {session: ['DISPLAY=:0\nLD_PRELOAD=x']}],
        ['Start', [], {session: ['__proto__=x']}],
        ['Open', [''], {}],
        ['Open', ['a\0b'], {}],
        ['Open', ['edge'], {'activation-token': 'a\nb'}],
        ['Run', [[]], {}],
        ['Run', [[]], {pipes: '/run/user/1002/x'}],
        ['Run', [[]], {pipes: `/run/user/${UID}/../1002/x`}],
        ['Run', [[]], {pipes: `/run/user/${UID}/`}],
        ['Configure', [{unknown: true}], {}],
        ['Init', [], {channel: 'beta'}],
        ['Init', [], {pipes: '/etc'}],
    ] as const)('%s does not take %j and %j', async (method, args, options) => {
        await expect(prepare(method, args, options)).rejects.toMatchObject({code: 'InvalidArgs'});
    });

    it('start a container once for two who open an application', async () => {
        await machine.run('init');
        machine.log.length = 0;
        await Promise.all([perform('Open', ['edge']), perform('Open', ['portal'])]);
        expect(machine.log).toEqual(['start', 'open edge', 'open portal']);
        await perform('Start');
        expect(machine.log).toHaveLength(3);
        await perform('Restart');
        expect(machine.log.slice(3)).toEqual(['stop', 'start']);
    });

    it('say what to do where there is no container', async () => {
        for (const method of ['Start', 'Stop', 'Inspect'])
            await expect(perform(method)).rejects.toMatchObject({
                code: 'WrongState',
                message: expect.stringContaining('snowctl intune init'),
            });
    });

    it('give back the exit status of a program', async () => {
        await machine.run('init');
        const pipes = `/run/user/${UID}/snow-1`;
        expect(await perform('Run', [['false']], {pipes})).toEqual({'exit-status': 3});
    });

    it('find a newer image, until the container is made of it', async () => {
        await machine.run('init');
        machine.newest = '2';
        expect(await perform('Check')).toMatchObject({newer: true, digest: digestOf('2')});
        expect(await properties()).toMatchObject({NewestDigest: digestOf('2')});
        await machine.run('recreate');
        expect(await properties()).toMatchObject({NewestDigest: '', CanRestore: true});
    });

    it('change settings, and say whether that takes a restart', async () => {
        expect(await perform('Configure', [{x11: false}])).toEqual({'restart-needed': false});
        expect(await properties()).toMatchObject({Settings: {x11: false, gpu: true}});
    });
});

describe('jobs', () => {
    it('exclude each other by user and by what they change', async () => {
        const [init, start, open, other] = await Promise.all([
            prepare('Init'),
            prepare('Start'),
            prepare('Open', ['edge']),
            domain.prepare('Intune/u1002', IntuneInterface.name, 'Init', [], {}, 0),
        ]);
        expect(init).toMatchObject({isWriter: true, outlivesService: true});
        expect(new Set([init.scope, start.scope, other.scope]).size).toBe(3);
        expect(open).toMatchObject({isWriter: false, isConcurrent: true});
    });
});
