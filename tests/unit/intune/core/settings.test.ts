// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {
    changedSettings,
    chooseImage,
    describeSettings,
    readAdministration,
    readSettings,
    writeSettings,
} from '../../../../helper/src/intune/settings.ts';
import {type ContainerMachine, STABLE, UID, containerMachine} from './container-machine.ts';

let machine: ContainerMachine;

beforeEach(async () => {
    machine = await containerMachine();
    await mkdir(join(machine.root, 'etc/snow-control'), {recursive: true});
});
afterEach(() => machine[Symbol.asyncDispose]());

async function administer(text: string): Promise<void> {
    await writeFile(join(machine.root, 'etc/snow-control/intune.conf'), text);
}

describe('the administrator’s file', () => {
    it('may be missing', async () => {
        expect(await readAdministration(machine.host)).toMatchObject({
            settings: {channel: 'stable', autostart: false, gpu: true, memoryMax: ''},
            images: {stable: STABLE},
            allowed: [],
            problems: [],
        });
    });

    it('changes what counts for everybody', async () => {
        await administer(
            '[Intune]\nChannel=insiders\nNvidia=no\nMemoryMax=4G\nCPUQuota=200%\n[Images]\nInsiders=registry.example/a:b\nAllow=one.example/* two.example/x:1\n',
        );
        const {settings, images, allowed, problems} = await readSettings(machine.host, UID);
        expect(settings).toMatchObject({channel: 'insiders', nvidia: false, memoryMax: '4G'});
        expect(images).toEqual({stable: STABLE, insiders: 'registry.example/a:b'});
        expect(allowed).toEqual(['one.example/*', 'two.example/x:1']);
        expect(problems).toEqual([]);
    });

    it.each([
        ['[Intune]\n\nMemroyMax=4G\n', ':3: Unknown setting MemroyMax= in [Intune], ignored'],
        ['[Intune]\nGpu=maybe\n', ':2: Gpu= takes yes or no, not maybe'],
        ['[Intune]\nChannel=beta\n', ':2: Channel= takes stable or insiders, not beta'],
        ['[Intune]\nMemoryMax=much\n', ':2: MemoryMax= takes bytes'],
        ['[Intune]\nTasksMax=1\\n2\n', ':2: TasksMax= takes a number'],
        ['[Images]\nStable=latest\n', ':2: "latest" is no reference'],
        ['[Images]\nGpu=yes\n', ':2: Unknown setting Gpu= in [Images], ignored'],
        ['[Other]\n', ':1: Unknown section [Other], ignored'],
        ['Gpu=no\n', ':1: A setting stands before the first section'],
    ])('that says %j is told where it is wrong, and the rest counts', async (text, problem) => {
        await administer(`${text}[Intune]\nX11=no\n`);
        const {settings, problems} = await readSettings(machine.host, UID);
        expect(problems).toEqual([
            expect.stringContaining(`/etc/snow-control/intune.conf${problem}`),
        ]);
        expect(settings).toMatchObject({x11: false, gpu: true, channel: 'stable', memoryMax: ''});
    });
});

describe('the settings of a user', () => {
    it('are those of everybody but for what was changed', async () => {
        const {settings} = await readSettings(machine.host, UID);
        const changed = changedSettings(settings, {autostart: true, 'memory-max': '50%'});
        await writeSettings(machine.host, UID, changed);
        await administer('[Intune]\nAudio=no\nAutostart=no\n');
        const after = await readSettings(machine.host, UID);
        expect(after.settings).toMatchObject({autostart: true, memoryMax: '50%', audio: false});
        expect(describeSettings(after.settings)).toMatchObject({
            autostart: true,
            'memory-max': '50%',
            'smart-cards': true,
        });
    });

    it.each([
        {unknown: true},
        {autostart: 'yes'},
        {'memory-max': '4 G'},
        {'memory-max': '4G\n[Service]\nExecStart=/bin/sh'},
        {'cpu-quota': '2'},
        {'tasks-max': '-1'},
        {channel: 'custom'},
        {channel: ''},
    ])('do not become %j', async changes => {
        const {settings} = await readSettings(machine.host, UID);
        expect(() => changedSettings(settings, changes)).toThrow(
            expect.objectContaining({code: 'InvalidArgs'}),
        );
    });
});

describe('the image', () => {
    it('is that of a channel, one of the channels’ by its name, or one that is allowed', async () => {
        await administer('[Images]\nAllow=one.example/*\n');
        const all = await readSettings(machine.host, UID);
        const choose = (channel: string, image: string) => chooseImage(all, {channel, image});
        expect(choose('', '')).toEqual({channel: 'stable', image: STABLE});
        expect(choose('insiders', '')).toMatchObject({channel: 'insiders'});
        expect(choose('', STABLE)).toEqual({channel: 'stable', image: STABLE});
        expect(choose('', 'one.example/a/b:c')).toMatchObject({channel: 'custom'});
        for (const image of ['two.example/a', 'one.example.evil/a', 'x.one.example/a'])
            expect(() => choose('', image)).toThrow(
                expect.objectContaining({code: 'NotAuthorized'}),
            );
        for (const [channel, image] of [
            ['beta', ''],
            ['stable', STABLE],
            ['', 'docker://one.example/a'],
            ['', '--help'],
        ] as const)
            expect(() => choose(channel, image)).toThrow(
                expect.objectContaining({code: 'InvalidArgs'}),
            );
    });
});
