// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, readFile, readdir, stat, symlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {SnowError} from '../../../../helper/src/host/error.ts';
import {machineUnit} from '../../../../helper/src/intune/model.ts';
import {readGenerations, readRecord} from '../../../../helper/src/intune/record.ts';
import {
    type ContainerMachine,
    STABLE,
    UID,
    containerMachine,
    digestOf,
    fault,
} from './container-machine.ts';

let machine: ContainerMachine;

beforeEach(async () => {
    machine = await containerMachine();
});
afterEach(() => machine[Symbol.asyncDispose]());

function at(path: string): string {
    return join(machine.root, path);
}

async function machines(): Promise<readonly string[]> {
    return (await readdir(at('var/lib/machines'))).sort();
}

async function make(version: string): Promise<void> {
    machine.newest = version;
    const {current} = await machine.content();
    const {state, error} = await machine.run(current === '' ? 'init' : 'recreate');
    expect([state, error]).toEqual(['done', null]);
}

describe('init', () => {
    it('fetches, sets up and only then puts into place, and notes what it made', async () => {
        const end = await machine.run('init');
        expect(end).toMatchObject({
            state: 'done',
            results: {image: STABLE, digest: digestOf('1'), channel: 'stable', warnings: []},
        });
        expect(machine.log).toEqual(['fetch', 'provision null null']);
        expect(await machine.content()).toEqual({current: '1', previous: '', next: ''});
        expect(await readRecord(machine.host, UID)).toMatchObject({
            owner: {uid: UID, name: 'alice'},
            uidBase: 0x4000_0000 + UID * 65_536,
            image: STABLE,
            digest: digestOf('1'),
        });
    });

    it.each(['fetch', 'provision'] as const)('leaves nothing when the %s fails', async step => {
        machine.faults[step] = fault;
        expect(await machine.run('init')).toMatchObject({
            state: 'failed',
            error: ['Network', fault.message],
        });
        expect(await machines()).toEqual([]);
        expect(await readGenerations(machine.host, UID)).toEqual([]);
    });

    it('starts clean after one that was killed', async () => {
        await mkdir(at('var/lib/machines/.intune-u1001.new/etc'), {recursive: true});
        await mkdir(at('var/lib/machines/.intune-u1001.trash/etc'), {recursive: true});
        await make('1');
        expect(await machines()).toEqual(['intune-u1001']);
    });

    it('refuses a second container, and a machine of somebody else under its name', async () => {
        await make('1');
        expect(await machine.run('init')).toMatchObject({
            error: ['WrongState', expect.stringContaining('already')],
        });
        await machine.run('destroy');
        await mkdir(at('var/lib/machines/intune-u1001'));
        await writeFile(at('var/lib/machines/intune-u1001/keep'), '');
        for (const operation of ['init', 'recreate', 'destroy'] as const)
            expect(await machine.run(operation)).toMatchObject({
                error: ['WrongState', expect.stringContaining('machinectl remove intune-u1001')],
            });
        expect(await readFile(at('var/lib/machines/intune-u1001/keep'), 'utf8')).toBe('');
    });

    it('takes only images that an administrator allows', async () => {
        const image = 'registry.example/intune:1';
        expect(await machine.run('init', {image})).toMatchObject({
            error: ['NotAuthorized', expect.stringContaining('Allow=')],
        });
        await mkdir(at('etc/snow-control'), {recursive: true});
        await writeFile(at('etc/snow-control/intune.conf'), '[Images]\nAllow=registry.example/*\n');
        expect(await machine.run('init', {image})).toMatchObject({
            results: {image, channel: 'custom'},
        });
    });
});

describe('recreate', () => {
    it('keeps the enrolment and the container before', async () => {
        await make('1');
        await make('2');
        expect(machine.log.at(-1)).toBe('provision null enrolment of 1');
        expect(await machine.content()).toEqual({current: '2', previous: '1', next: ''});
        await make('3');
        expect(await machine.content()).toEqual({current: '3', previous: '2', next: ''});
        expect(await machines()).toEqual(['.intune-u1001.previous', 'intune-u1001']);
        expect(await readGenerations(machine.host, UID)).toHaveLength(2);
    });

    it('stops one that runs for the exchange only, and starts the new one', async () => {
        await make('1');
        machine.activeStates.set(machineUnit(UID), 'active');
        machine.log.length = 0;
        await make('2');
        expect(machine.log).toEqual(['fetch', 'provision null enrolment of 1', 'stop', 'start']);
    });

    it.each(['fetch', 'provision'] as const)(
        'leaves one that runs alone when the %s fails',
        async step => {
            await make('1');
            machine.activeStates.set(machineUnit(UID), 'active');
            machine.faults[step] = fault;
            machine.newest = '2';
            expect(await machine.run('recreate')).toMatchObject({state: 'failed'});
            expect(await machine.content()).toEqual({current: '1', previous: '', next: ''});
            expect(machine.log).not.toContain('stop');
        },
    );

    it('goes back when the new one does not start', async () => {
        await make('1');
        machine.activeStates.set(machineUnit(UID), 'active');
        machine.faults.start = new SnowError('Failed', 'It is never ready');
        machine.newest = '2';
        expect(await machine.run('recreate')).toMatchObject({
            error: ['Failed', 'It is never ready'],
        });
        expect((await machine.content()).current).toBe('1');
        expect((await readRecord(machine.host, UID))?.digest).toBe(digestOf('1'));
        expect(machine.log.slice(-3)).toEqual(['start', 'stop', 'start']);
    });

    it('is refused without a container', async () => {
        expect(await machine.run('recreate')).toMatchObject({
            error: ['WrongState', expect.stringContaining('intune init')],
        });
    });
});

describe('restore', () => {
    it('brings back the one before, and back again', async () => {
        await make('1');
        await make('2');
        expect(await machine.run('restore')).toMatchObject({results: {digest: digestOf('1')}});
        expect(await machine.content()).toMatchObject({current: '1', previous: '2'});
        await machine.run('restore');
        expect(await machine.content()).toMatchObject({current: '2', previous: '1'});
    });

    it('is refused where there is none', async () => {
        await make('1');
        expect(await machine.run('restore')).toMatchObject({
            error: ['NotFound', expect.any(String)],
        });
    });
});

describe('an interruption of an exchange', () => {
    const steps = [0, 1, 2, 3, 4];

    it.each(steps)('after %i renames leaves the old container or the new one', async count => {
        await make('1');
        await make('2');
        machine.newest = '3';
        const directories = machine.directories;
        let left = count;
        const dying = <A extends readonly unknown[]>(work: (...args: A) => Promise<void>) => {
            return async (...args: A): Promise<void> => {
                // Whatever is tried afterwards is not done either, as after a kill.
                if (left-- <= 0) throw new TypeError('killed');
                await work(...args);
            };
        };
        const whole = directories();
        const removeTree = whole.removeTree.bind(whole);
        machine.directories = () => ({
            ...whole,
            move: dying(whole.move.bind(whole)),
            exchange: dying(whole.exchange.bind(whole)),
            removeTree: path =>
                left <= 0 ? Promise.reject(new TypeError('killed')) : removeTree(path),
        });
        const {state} = await machine.run('recreate');
        machine.directories = directories;
        const {current} = await machine.content();
        expect(['2', '3']).toContain(current);
        expect((await readRecord(machine.host, UID))?.digest).toBe(digestOf(current));
        if (state === 'done') expect(current).toBe('3');

        // The next run, of whatever it is, starts clean.
        expect(await machine.run('restore')).toMatchObject({state: 'done'});
        const after = await machine.content();
        expect(after.previous).toBe(current);
        expect(after.current).toBe(current === '3' ? '2' : '1');
        expect(await machines()).toEqual(['.intune-u1001.previous', 'intune-u1001']);
    });
});

describe('destroy', () => {
    const removed = ['.config/intune', '.local/share/keyrings', '.cache/intune-portal'];

    it('removes the container and its enrolment, and nothing of the user', async () => {
        await make('1');
        await make('2');
        for (const path of removed)
            await mkdir(at(`home/alice/Intune/${path}/x`), {recursive: true});
        await mkdir(at('home/alice/Intune/Documents'), {recursive: true});
        await mkdir(at('home/alice/Intune/.config/other'), {recursive: true});
        await chownTree(at('home/alice'));
        const end = await machine.run('destroy');
        expect(end).toMatchObject({state: 'done', results: {warnings: []}});
        expect(await machines()).toEqual([]);
        for (const path of removed)
            await expect(stat(at(`home/alice/Intune/${path}`))).rejects.toThrow('ENOENT');
        await stat(at('home/alice/Intune/Documents'));
        await stat(at('home/alice/Intune/.config/other'));
        expect(await readGenerations(machine.host, UID)).toEqual([]);
    });

    it.each(['Intune', 'Intune/.config', 'Intune/.config/intune'])(
        'follows no link in the place of %s',
        async link => {
            await make('1');
            await mkdir(at('precious/intune/x'), {recursive: true});
            await mkdir(at('precious/.config/intune/x'), {recursive: true});
            await mkdir(join(at(`home/alice/${link}`), '..'), {recursive: true});
            await chownTree(at('home/alice'));
            await symlink(at('precious'), at(`home/alice/${link}`));
            expect(await machine.run('destroy')).toMatchObject({state: 'done'});
            await stat(at('precious/intune/x'));
            await stat(at('precious/.config/intune/x'));
        },
    );

    it('is finished by the next one when it was killed', async () => {
        await make('1');
        machine.faults.stop = new TypeError('killed');
        await machine.run('destroy');
        expect((await machine.content()).current).toBe('1');
        delete machine.faults.stop;
        expect(await machine.run('destroy')).toMatchObject({state: 'done'});
        expect(await machine.run('destroy')).toMatchObject({state: 'done'});
        await make('2');
    });
});

async function chownTree(path: string): Promise<void> {
    const {execa} = await import('execa');
    await execa('chown', ['-R', `${UID}:${UID}`, path]);
}
