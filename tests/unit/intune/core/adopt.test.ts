// SPDX-License-Identifier: GPL-2.0-or-later
import {chown, mkdir, rename, stat, symlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {readRecord} from '../../../../helper/src/intune/record.ts';
import {noteReady} from '../../../../helper/src/intune/readiness.ts';
import {type ContainerMachine, UID, containerMachine} from './container-machine.ts';

const OLD = 'home/alice/.local/share/intuneme';

let machine: ContainerMachine;

beforeEach(async () => {
    machine = await containerMachine();
    await mkdir(at(`${OLD}/rootfs/etc`), {recursive: true});
    await writeFile(at(`${OLD}/rootfs/version`), 'intuneme');
    await configure(`host_uid = ${UID}\n`);
});
afterEach(() => machine[Symbol.asyncDispose]());

function at(path: string): string {
    return join(machine.root, path);
}

async function configure(text: string): Promise<void> {
    await writeFile(at(`${OLD}/config.toml`), `machine_name = "intuneme"\n${text}`);
}

describe('adopt', () => {
    it('makes a container with the enrolment, and leaves the installation as it is', async () => {
        await configure(`host_uid = ${UID}\ninsiders = true\n`);
        expect(await machine.run('adopt')).toMatchObject({
            state: 'done',
            results: {channel: 'insiders'},
        });
        expect(machine.log.at(-1)).toBe('provision null enrolment of intuneme');
        expect(await machine.content()).toMatchObject({current: '1'});
        await stat(at(`${OLD}/rootfs/etc`));
        await stat(at(`${OLD}/config.toml`));
    });

    it('removes the installation when the container has worked, not before', async () => {
        await machine.run('adopt');
        expect(await machine.run('complete-adoption')).toMatchObject({
            error: ['WrongState', expect.stringContaining('not worked yet')],
        });
        await stat(at(`${OLD}/rootfs/etc`));
        const record = await readRecord(machine.host, UID);
        if (record) await noteReady(machine.host, record);
        expect(await machine.run('complete-adoption')).toMatchObject({state: 'done'});
        await expect(stat(at(OLD))).rejects.toThrow('ENOENT');
        await stat(at('home/alice/.local/share'));
    });

    it('takes away nothing of who made the container otherwise', async () => {
        await machine.run('init');
        expect(await machine.run('complete-adoption')).toMatchObject({state: 'failed'});
        await stat(at(`${OLD}/rootfs/etc`));
    });

    it.each(['', '/rootfs', '/config.toml'])('follows no link at ~/intuneme%s', async path => {
        await rename(at(OLD + path), at('elsewhere'));
        await symlink(at('elsewhere'), at(OLD + path));
        expect(await machine.run('adopt')).toMatchObject({state: 'failed'});
        expect(machine.log).toEqual([]);
    });

    it('refuses a root directory that its user made, and another user’s installation', async () => {
        await chown(at(`${OLD}/rootfs`), UID, UID);
        expect(await machine.run('adopt')).toMatchObject({
            error: ['WrongState', expect.stringContaining('not root’s')],
        });
        await configure('host_uid = 1002\n');
        expect(await machine.run('adopt')).toMatchObject({
            error: ['WrongState', expect.stringContaining('another user’s')],
        });
    });
});
