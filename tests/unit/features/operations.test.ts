// SPDX-License-Identifier: GPL-2.0-or-later
import {rm} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {check, disable, enable, rollback, update} from '../../../helper/src/features/operations.ts';
import {planEnable} from '../../../helper/src/features/planning.ts';
import {describePlan} from '../../../helper/src/features/plan.ts';
import {readFeatures, readSummary} from '../../../helper/src/features/state.ts';
import {imageFileName, makeImage} from '../../lab/images.ts';
import {componentDirectory} from '../../lab/publication.ts';
import {type Machine, makeMachine, quiet, unstopped} from './machine.ts';

let machine: Machine;

beforeEach(async () => {
    machine = await makeMachine();
});
afterEach(() => machine.dispose());

const image = (version: string, name = 'hello'): string =>
    `/var/lib/extensions.d/${imageFileName(name, version, 'raw')}`;

const turnOn = (id = 'hello', merge = true) => enable(machine.host, id, {merge}, quiet, unstopped);
const turnOff = (id = 'hello') => disable(machine.host, id, quiet, unstopped);
const updateAll = (options = {}) => update(machine.host, null, options, quiet, unstopped);
const goBack = (version = '', id = 'hello') =>
    rollback(machine.host, id, version, {}, quiet, unstopped);

async function feature(id = 'hello') {
    const found = (await readFeatures(machine.host)).find(state => state.id === id);
    if (!found) throw new Error(`no ${id}`);
    return found;
}

describe('enable', () => {
    beforeEach(async () => {
        await machine.define({name: 'hello'});
        await machine.offer([
            {name: 'hello', version: '1.0'},
            {name: 'hello', version: '1.1'},
        ]);
    });

    it('installs, links and merges the newest version, and turns the switch on', async () => {
        const result = await turnOn();
        expect(result).toMatchObject({version: '1.1', merged: true, features: ['hello']});
        expect(await machine.merged()).toEqual({hello: image('1.1')});
        expect(await machine.link('/var/lib/extensions/hello.raw')).toBe(
            `../extensions.d/${imageFileName('hello', '1.1', 'raw')}`,
        );
        expect(await machine.link('/var/lib/extensions.d/hello.raw')).toBe(
            imageFileName('hello', '1.1', 'raw'),
        );
        expect(await machine.read('/etc/sysupdate.hello.d/hello.feature.d/00-updex.conf')).toBe(
            '[Feature]\nEnabled=true\n',
        );
        expect(await feature()).toMatchObject({
            Enabled: true,
            Installed: '1.1',
            Newest: '1.1',
            Active: '1.1',
            Versions: ['1.1'],
            Problem: '',
        });
    });

    it('changes nothing the second time', async () => {
        await turnOn();
        const before = await machine.snapshot();
        const refreshes = machine.refreshes();
        expect(await turnOn()).toMatchObject({version: '1.1', features: []});
        expect(await machine.snapshot()).toEqual(before);
        expect(machine.refreshes()).toBe(refreshes);
    });

    it('leaves the running system alone where it is not to merge', async () => {
        expect(await turnOn('hello', false)).toMatchObject({merged: false});
        expect(await machine.merged()).toEqual({});
        expect(await feature()).toMatchObject({Enabled: true, Installed: '1.1', Active: ''});
    });

    it('works on a tree that is not running, and never merges there', async () => {
        const host = machine.offline();
        expect(await enable(host, 'hello', {}, quiet, unstopped)).toMatchObject({merged: false});
        expect(machine.refreshes()).toBe(0);
        expect(await machine.list('/var/lib/extensions')).toEqual(['hello.raw']);
    });

    it('brings the drop-in of systemd-sysupdate in line, so that all tools agree', async () => {
        const directory = '/etc/sysupdate.hello.d/hello.feature.d';
        await machine.write({
            [`${directory}/50-systemd-sysupdate-enabled.conf`]: '[Feature]\nEnabled=no\n',
        });
        await turnOn();
        expect(await machine.read(`${directory}/50-systemd-sysupdate-enabled.conf`)).toBe(
            '[Feature]\nEnabled=true\n',
        );
        expect((await feature()).Enabled).toBe(true);
    });

    it('fails, and names it, where a hand-written drop-in overrides the switch', async () => {
        const dropIn = '/etc/sysupdate.hello.d/hello.feature.d/90-admin.conf';
        await machine.write({[dropIn]: '[Feature]\nEnabled=false\n'});
        const before = await machine.snapshot();
        await expect(turnOn()).rejects.toMatchObject({
            code: 'WrongState',
            message: expect.stringContaining(dropIn),
        });
        expect(await machine.snapshot()).toEqual(before);
    });

    it('uses what systemd-sysupdate installed: a plain image under a compressed name', async () => {
        const [raw = ''] = await makeImage(
            join(machine.root, 'var/lib/extensions.d'),
            {name: 'hello', version: '1.1'},
            ['raw'],
        );
        await rm(raw.replace(/$/, '.zst'), {force: true});
        await (await import('node:fs/promises')).rename(raw, `${raw}.zst`);
        await machine.repository.clearLog();
        await turnOn();
        expect(await machine.merged()).toEqual({hello: `${image('1.1')}.zst`});
        const asked = (await machine.repository.log()).requests.map(({path}) => path);
        expect(asked.filter(path => path.includes('.raw'))).toEqual([]);
    });

    it('refuses an image for another system before anything is installed', async () => {
        await machine.offer([
            {name: 'hello', version: '2.0', release: {ID: 'debian', VERSION_ID: '14'}},
        ]);
        const before = await machine.snapshot();
        await expect(turnOn()).rejects.toMatchObject({
            code: 'WrongState',
            message: expect.stringMatching(/debian 14.*debian 13/),
        });
        expect(await machine.snapshot()).toEqual(before);
    });

    it('knows no feature of another name', async () => {
        await expect(turnOn('nothing')).rejects.toMatchObject({code: 'NotFound'});
    });

    it('says beforehand what it would do, and does nothing of it', async () => {
        const before = await machine.snapshot();
        const plan = await planEnable(machine.host, 'hello', {}, unstopped);
        expect(describePlan(plan).map(line => line.split(' ')[0])).toEqual([
            'fetch',
            'link',
            'link',
            'merge',
            'write',
        ]);
        expect(await machine.snapshot()).toEqual(before);
    });

    it('says which program is missing where there is none to unpack with', async () => {
        const isInstalled = (name: string) => Promise.resolve(name !== 'zstd');
        const programs = {...machine.host.programs, isInstalled};
        await expect(
            enable({...machine.host, programs}, 'hello', {}, quiet, unstopped),
        ).rejects.toMatchObject({code: 'NotSupported', message: expect.stringContaining('zstd')});
    });

    it('takes the smallest compression that can be unpacked', async () => {
        await makeImage(
            componentDirectory(machine.directory, 'hello'),
            {name: 'hello', version: '1.2'},
            ['raw', 'gz', 'xz', 'zst'],
        );
        await machine.offer([{name: 'hello', version: '1.0'}]);
        await turnOn();
        const asked = (await machine.repository.log()).requests.map(({path}) => path);
        expect(asked).toContain(`/ext/hello/${imageFileName('hello', '1.2', 'zst')}`);
    });
});

describe('disable', () => {
    beforeEach(async () => {
        await machine.define({name: 'hello'}, {name: 'other'});
        await machine.offer([{name: 'hello', version: '1.0'}]);
        await machine.offer([{name: 'other', version: '3'}]);
    });

    it('leaves nothing of the feature, and the others as they were', async () => {
        await turnOn('other');
        const before = await machine.snapshot();
        await turnOn();
        await turnOff();
        expect(await machine.merged()).toEqual({other: image('3', 'other')});
        const withoutSwitch = (tree: Readonly<Record<string, string>>) =>
            Object.entries(tree).filter(([path]) => !path.includes('/sysupdate.hello.d'));
        expect(withoutSwitch(await machine.snapshot())).toEqual(withoutSwitch(before));
        expect(await feature()).toMatchObject({Enabled: false, Installed: '', Versions: []});
    });

    it('keeps a transfer that another feature still needs', async () => {
        await machine.write({
            '/usr/lib/sysupdate.hello.d/more.feature': '[Feature]\nDescription=More\n',
            '/usr/lib/sysupdate.hello.d/hello.transfer.d/shared.conf':
                '[Transfer]\nFeatures=hello more\n',
        });
        await turnOn('hello');
        await turnOn('more');
        await turnOff('hello');
        expect(await machine.merged()).toEqual({hello: image('1.0')});
        await turnOff('more');
        expect(await machine.merged()).toEqual({});
        expect(await machine.list('/var/lib/extensions.d')).toEqual([]);
    });

    it('keeps a protected version on the disk', async () => {
        await machine.write({
            '/usr/lib/sysupdate.hello.d/hello.transfer.d/p.conf':
                '[Transfer]\nProtectVersion=1.0\n',
        });
        await turnOn();
        await turnOff();
        expect(await machine.merged()).toEqual({});
        expect(await machine.list('/var/lib/extensions.d')).toEqual([
            imageFileName('hello', '1.0', 'raw'),
        ]);
    });
});

describe('requisites', () => {
    it('fetch a transfer only when all of them are on', async () => {
        await machine.define({name: 'hello', transfer: {RequisiteFeatures: 'base'}});
        await machine.write({
            '/usr/lib/sysupdate.hello.d/base.feature': '[Feature]\nDescription=Base\n',
        });
        await machine.offer([{name: 'hello', version: '1.0'}]);
        const result = await turnOn('hello');
        expect(result.warnings.join()).toContain('base');
        expect(await machine.merged()).toEqual({});
        expect((await feature('hello')).Problem).toContain('base');
        await turnOn('base');
        expect(await machine.merged()).toEqual({hello: image('1.0')});
        await turnOff('base');
        expect(await machine.merged()).toEqual({});
        expect(await feature('hello')).toMatchObject({Enabled: true});
    });
});

describe.each([false, true])('update (systemd-sysext telling origins: %s)', tellsOrigin => {
    beforeEach(async () => {
        machine.sysext.tellsOrigin = tellsOrigin;
        await machine.define({name: 'hello'}, {name: 'other'});
        await machine.offer([{name: 'hello', version: '1.0'}]);
        await machine.offer([{name: 'other', version: '3'}]);
        await turnOn('hello');
        await turnOn('other');
    });

    it('brings all features that are on to their newest version with one refresh', async () => {
        await machine.offer([{name: 'hello', version: '1.1'}]);
        await machine.offer([{name: 'other', version: '10'}]);
        const refreshes = machine.refreshes();
        expect((await updateAll()).features).toEqual(['hello', 'other']);
        expect(await machine.merged()).toEqual({
            hello: image('1.1'),
            other: image('10', 'other'),
        });
        expect(machine.refreshes()).toBe(refreshes + 1);
    });

    it('does nothing where only older versions are offered', async () => {
        await rm(componentDirectory(machine.directory, 'hello'), {recursive: true});
        await machine.offer([{name: 'hello', version: '0.9'}]);
        expect((await updateAll()).features).toEqual([]);
        expect(await feature()).toMatchObject({Installed: '1.0'});
    });

    it('keeps as many versions as InstancesMax= says, and always the one before', async () => {
        for (const version of ['1.1', '1.2', '1.3', '1.4']) {
            await machine.offer([{name: 'hello', version}]);
            await updateAll();
        }
        expect((await feature()).Versions).toEqual(['1.4', '1.3', '1.2']);
    });

    it('does not take away what is merged while it only links', async () => {
        for (const version of ['1.1', '1.2', '1.3', '1.4']) {
            await machine.offer([{name: 'hello', version}]);
            await updateAll({merge: false});
        }
        expect(await feature()).toMatchObject({Installed: '1.4', Active: '1.0'});
        expect((await feature()).Versions).toContain('1.0');
    });

    it('updates the others when one fails, says which, and leaves that one as it was', async () => {
        await machine.offer([{name: 'hello', version: '1.1'}]);
        await machine.offer([{name: 'other', version: '10'}]);
        await machine.repository.setFault('/ext/hello/SHA256SUMS', {kind: 'status', status: 500});
        await expect(updateAll()).rejects.toMatchObject({
            code: 'Network',
            message: expect.stringMatching(/hello.*500/),
        });
        expect(await machine.merged()).toEqual({
            hello: image('1.0'),
            other: image('10', 'other'),
        });
        expect((await feature()).Problem).toContain('500');
    });

    it('leaves out a feature whose image systemd-sysext refuses, and merges the others', async () => {
        await machine.offer([{name: 'hello', version: '1.1'}]);
        await machine.offer([{name: 'other', version: '10'}]);
        const {snapshot} = machine;
        machine.sysext.ignored.add('hello');
        await expect(updateAll()).rejects.toMatchObject({
            message: expect.stringContaining('hello'),
        });
        machine.sysext.ignored.clear();
        expect(await feature()).toMatchObject({Installed: '1.0', Versions: ['1.0']});
        expect(await feature('other')).toMatchObject({Installed: '10', Active: '10'});
        expect(Object.keys(await snapshot()).join()).not.toContain('left over');
    });

    it('takes only features that are on', async () => {
        await turnOff();
        await expect(update(machine.host, ['hello'], {}, quiet, unstopped)).rejects.toMatchObject({
            code: 'WrongState',
        });
    });
});

describe('rollback', () => {
    beforeEach(async () => {
        await machine.define({name: 'hello'});
        await machine.offer([{name: 'hello', version: '1.0'}]);
        await turnOn();
        await machine.offer([{name: 'hello', version: '1.1'}]);
        await updateAll();
    });

    it('goes back to the version before, without the network', async () => {
        await machine.repository.clearLog();
        expect(await goBack()).toMatchObject({version: '1.0'});
        expect(await machine.merged()).toEqual({hello: image('1.0')});
        expect((await machine.repository.log()).requests).toEqual([]);
        expect((await feature()).Versions).toEqual(['1.1', '1.0']);
    });

    it('is not undone by automatic updates, but by one that a user asks for', async () => {
        await goBack();
        await updateAll({automatic: true});
        expect((await feature()).Installed).toBe('1.0');
        await machine.offer([{name: 'hello', version: '1.2'}]);
        await updateAll({automatic: true});
        expect((await feature()).Installed).toBe('1.2');
        await goBack('1.1');
        await updateAll();
        expect((await feature()).Installed).toBe('1.2');
        await updateAll({automatic: true});
        expect((await feature()).Installed).toBe('1.2');
    });

    it('says what is not on the disk', async () => {
        await expect(goBack('9')).rejects.toMatchObject({code: 'NotFound'});
        await goBack();
        await expect(goBack()).rejects.toMatchObject({code: 'NotFound'});
    });
});

describe('check', () => {
    it('finds newer versions, remembers them, and when that was', async () => {
        await machine.define({name: 'hello'}, {name: 'other'});
        await machine.offer([{name: 'hello', version: '1.0'}]);
        await machine.offer([{name: 'other', version: '3'}]);
        await turnOn();
        await machine.offer([{name: 'hello', version: '1.1'}]);
        const result = await check(machine.host, quiet, unstopped);
        expect(result.features).toEqual(['hello']);
        expect(await feature()).toMatchObject({Installed: '1.0', Newest: '1.1'});
        expect(await feature('other')).toMatchObject({Installed: '', Newest: '3'});
        const {LastCheck} = await readSummary(machine.host);
        expect(Math.abs(LastCheck - Date.now() / 1000)).toBeLessThan(60);
    });

    it('does not let one repository that hangs keep the others waiting for ever', async () => {
        await machine.define({name: 'hello'}, {name: 'other'});
        await machine.offer([{name: 'hello', version: '1.0'}]);
        await machine.offer([{name: 'other', version: '3'}]);
        await machine.repository.setFault('/ext/hello/SHA256SUMS', {kind: 'hang'});
        await expect(check(machine.host, quiet, unstopped)).rejects.toMatchObject({
            code: 'Network',
            message: expect.stringContaining('hello'),
        });
        expect(await feature('other')).toMatchObject({Newest: '3'});
    });
});
