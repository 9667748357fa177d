// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';

import {machineArchitecture} from '../../../helper/src/host/os-release.ts';
import {isTransferActive, transfersOfFeature} from '../../../helper/src/features/definitions.ts';
import {imageTargetPattern} from '../../../helper/src/features/patterns.ts';
import {DefinitionTree, transferText} from './definition-tree.ts';

let tree: DefinitionTree;

beforeEach(async () => {
    tree = await DefinitionTree.create();
});

afterEach(() => tree[Symbol.asyncDispose]());

const off = '[Feature]\nDescription=Something\nEnabled=false\n';
const on = '[Feature]\nEnabled=true\n';

describe('a component with one feature and one transfer', () => {
    const directory = '/usr/lib/sysupdate.docker.d';

    beforeEach(async () => {
        await tree.write(
            `${directory}/docker.feature`,
            '[Feature]\nDescription=Docker\nDocumentation=https://example.org/docker\nEnabled=false',
        );
        await tree.write(
            `${directory}/docker.transfer`,
            transferText('docker', {transfer: 'Verify=true', target: 'CurrentSymlink=docker.raw'}),
        );
    });

    test('is read whole', async () => {
        const {components, features, problems} = await tree.load();
        expect(problems).toEqual([]);
        expect(components).toEqual([
            {name: 'docker', description: '', enabled: true, enabledBy: '', problem: ''},
        ]);
        expect(features).toEqual([
            {
                id: 'docker',
                name: 'docker',
                component: 'docker',
                description: 'Docker',
                documentation: 'https://example.org/docker',
                enabled: false,
                enabledBy: `${directory}/docker.feature`,
                masked: false,
                origin: `${directory}/docker.feature`,
                problem: '',
                warnings: [],
            },
        ]);

        const transfer = await tree.transfer('docker');
        const names = ['.raw.zst', '.raw.xz', '.raw'].map(
            suffix => `docker_@v_13_${machineArchitecture}${suffix}`,
        );
        expect(transfer).toMatchObject({
            component: 'docker',
            origin: `${directory}/docker.transfer`,
            features: ['docker'],
            requisiteFeatures: [],
            minVersion: '',
            protectVersions: [],
            verify: true,
            source: {type: 'url-file', path: 'https://repository.example.org/ext/docker'},
            target: {
                path: '/var/lib/extensions.d',
                currentSymlink: 'docker.raw',
                instancesMax: 3,
                mode: null,
                readOnly: null,
            },
            warnings: [],
        });
        expect(transfer.source.patterns.map(({text}) => text)).toEqual(names);
        expect(transfer.target.patterns.map(({text}) => text)).toEqual(names);
        expect(imageTargetPattern(transfer.target.patterns).text).toBe(names[2]);
    });

    test('a transfer verifies unless it says otherwise', async () => {
        await tree.write(`${directory}/docker.transfer`, transferText('docker'));
        expect((await tree.transfer('docker')).verify).toBe(true);
        await tree.write(
            `${directory}/docker.transfer`,
            transferText('docker', {transfer: 'Verify=OFF'}),
        );
        expect((await tree.transfer('docker')).verify).toBe(false);
    });
});

test('an empty tree has no definitions', async () => {
    expect(await tree.load()).toEqual({components: [], features: [], transfers: [], problems: []});
});

describe('the switch of a feature', () => {
    const definition = '/usr/lib/sysupdate.d/dev.feature';

    beforeEach(() => tree.write(definition, off));

    test('is off unless a file says otherwise', async () => {
        await tree.write(definition, '[Feature]\n');
        expect(await tree.feature('dev')).toMatchObject({enabled: false, enabledBy: definition});
    });

    test('is what the last drop-in by name says, wherever it is', async () => {
        await tree.write('/etc/sysupdate.d/dev.feature.d/40-admin.conf', '[Feature]\nEnabled=no');
        await tree.write('/usr/lib/sysupdate.d/dev.feature.d/50-vendor.conf', on);
        expect(await tree.feature('dev')).toMatchObject({
            enabled: true,
            enabledBy: '/usr/lib/sysupdate.d/dev.feature.d/50-vendor.conf',
            origin: definition,
        });
    });

    test('of drop-ins with one name only that of the first directory counts', async () => {
        const path = 'sysupdate.d/dev.feature.d/50-switch.conf';
        await tree.write(`/usr/lib/${path}`, on);
        await tree.write(`/usr/local/lib/${path}`, off);
        expect(await tree.feature('dev')).toMatchObject({
            enabled: false,
            enabledBy: `/usr/local/lib/${path}`,
        });
        await tree.write(`/run/${path}`, on);
        expect(await tree.feature('dev')).toMatchObject({
            enabled: true,
            enabledBy: `/run/${path}`,
        });
        await tree.write(`/etc/${path}`, '[Feature]\nDescription=Without a word on it\n');
        expect(await tree.feature('dev')).toMatchObject({
            description: 'Without a word on it',
            enabled: false,
            enabledBy: definition,
        });
    });

    test.each(['', '/dev/null', 'nowhere'])('a mask %j hides a drop-in', async mask => {
        await tree.write('/usr/lib/sysupdate.d/dev.feature.d/50-vendor.conf', on);
        const path = '/etc/sysupdate.d/dev.feature.d/50-vendor.conf';
        if (mask === '') await tree.write(path, '');
        else await tree.link(path, mask);
        expect(await tree.feature('dev')).toMatchObject({enabled: false, enabledBy: definition});
    });

    test('files without .conf are no drop-ins', async () => {
        await tree.write('/etc/sysupdate.d/dev.feature.d/50-a.conf.bak', on);
        await tree.write('/etc/sysupdate.d/dev.feature.d/.#50-a.conf.1234', on);
        await tree.write('/etc/sysupdate.d/other.feature.d/50-a.conf', on);
        expect((await tree.feature('dev')).enabled).toBe(false);
    });

    test('is not touched by what is neither yes nor no, which is a problem', async () => {
        await tree.write('/etc/sysupdate.d/dev.feature.d/10-a.conf', on);
        await tree.write('/etc/sysupdate.d/dev.feature.d/20-b.conf', '[Feature]\n\nEnabled=maybe');
        expect(await tree.feature('dev')).toMatchObject({
            enabled: true,
            enabledBy: '/etc/sysupdate.d/dev.feature.d/10-a.conf',
            problem:
                '/etc/sysupdate.d/dev.feature.d/20-b.conf:3: Enabled=maybe is neither yes nor no',
        });
    });
});

describe('of definitions with one name', () => {
    test('that of the first directory counts', async () => {
        for (const directory of ['/usr/lib', '/usr/local/lib', '/run', '/etc']) {
            const path = `${directory}/sysupdate.d/dev.feature`;
            await tree.write(path, `[Feature]\nDescription=Of ${directory}\n`);
            const {features} = await tree.load();
            expect(features).toHaveLength(1);
            expect(features[0]).toMatchObject({description: `Of ${directory}`, origin: path});
        }
    });

    test.each([
        ['an empty file', async (path: string) => tree.write(path, '')],
        ['a link to /dev/null', async (path: string) => tree.link(path, '/dev/null')],
        ['a relative link to /dev/null', async (path: string) => tree.link(path, '../../dev/null')],
    ])('%s masks the others', async (_what, mask) => {
        await tree.write('/usr/lib/sysupdate.d/dev.feature', `${on}Description=Hidden`);
        await tree.write('/usr/lib/sysupdate.d/dev.feature.d/50-a.conf', on);
        await mask('/etc/sysupdate.d/dev.feature');
        expect(await tree.feature('dev')).toMatchObject({
            masked: true,
            enabled: false,
            enabledBy: '/etc/sysupdate.d/dev.feature',
            origin: '/etc/sysupdate.d/dev.feature',
            problem: 'dev is masked by /etc/sysupdate.d/dev.feature',
        });
    });

    test('a mask masks nothing that comes before it, and nothing alone is no feature', async () => {
        await tree.write('/etc/sysupdate.d/dev.feature', on);
        await tree.link('/usr/lib/sysupdate.d/dev.feature', '/dev/null');
        await tree.link('/etc/sysupdate.d/other.feature', '/dev/null');
        const {features} = await tree.load();
        expect(features).toHaveLength(1);
        expect(features[0]).toMatchObject({name: 'dev', masked: false, enabled: true});
    });

    test('one that is no file, or leads nowhere, does not count', async () => {
        await tree.write('/usr/lib/sysupdate.d/dev.feature', on);
        await tree.directory('/etc/sysupdate.d/dev.feature');
        await tree.link('/run/sysupdate.d/dev.feature', 'nowhere');
        expect((await tree.feature('dev')).origin).toBe('/usr/lib/sysupdate.d/dev.feature');
    });

    test('a link to a file of the tree counts as that file', async () => {
        await tree.write('/usr/share/dev.feature', on);
        await tree.link('/usr/lib/sysupdate.d/dev.feature', '/usr/share/dev.feature');
        expect(await tree.feature('dev')).toMatchObject({
            enabled: true,
            origin: '/usr/lib/sysupdate.d/dev.feature',
        });
    });

    test('a masked transfer is none', async () => {
        await tree.write('/usr/lib/sysupdate.d/dev.transfer', transferText('dev'));
        await tree.write('/etc/sysupdate.d/dev.transfer', '');
        expect((await tree.load()).transfers).toEqual([]);
    });
});

describe('components', () => {
    test('are the directories, with the default one first', async () => {
        await tree.write('/usr/lib/sysupdate.podman.d/podman.transfer', transferText('podman'));
        await tree.write('/etc/sysupdate.docker.d/docker.feature', on);
        await tree.write('/run/sysupdate.d/dev.feature', on);
        await tree.directory('/usr/lib/sysupdate.empty.d');
        await tree.write('/usr/lib/sysupdate.file.d', 'no directory');
        await tree.write('/usr/lib/sysupdate.nothing.component', '[Component]\n');
        await tree.directory('/usr/lib/sysupdate.podman.component.d');
        const {components, problems} = await tree.load();
        expect(components.map(({name}) => name)).toEqual(['', 'docker', 'empty', 'podman']);
        expect(problems).toEqual([]);
    });

    test('gather their files from every directory', async () => {
        await tree.write('/usr/lib/sysupdate.web.d/a.feature', off);
        await tree.write('/usr/local/lib/sysupdate.web.d/b.feature', off);
        await tree.write('/run/sysupdate.web.d/c.feature', off);
        await tree.write('/etc/sysupdate.web.d/d.feature', off);
        await tree.write('/etc/sysupdate.web.d/a.feature.d/1.conf', on);
        const {features} = await tree.load();
        expect(features.map(({id, enabled}) => `${id} ${enabled}`)).toEqual([
            'a true',
            'b false',
            'c false',
            'd false',
        ]);
    });

    test('turned off by their definition cannot be used', async () => {
        await tree.write('/usr/lib/sysupdate.web.d/web.feature', on);
        const definition = '/usr/lib/sysupdate.web.component';
        await tree.write(definition, '[Component]\nDescription=Web\nEnabled=no\n');
        const {components, features} = await tree.load();
        expect(components).toEqual([
            {name: 'web', description: 'Web', enabled: false, enabledBy: definition, problem: ''},
        ]);
        expect(features[0]).toMatchObject({
            enabled: true,
            problem: `The component web is turned off by ${definition}`,
        });
    });

    test.each([
        ['a drop-in', '/etc/sysupdate.web.component.d/50-on.conf', '[Component]\nEnabled=yes'],
        ['an empty file', '/etc/sysupdate.web.component', ''],
    ])('turned off are turned on by %s', async (_what, path, content) => {
        await tree.write('/usr/lib/sysupdate.web.d/web.feature', on);
        await tree.write('/usr/lib/sysupdate.web.component', '[Component]\nEnabled=no\n');
        await tree.write(path, content);
        expect((await tree.load()).components[0]?.enabled).toBe(true);
        expect((await tree.feature('web')).problem).toBe('');
    });

    test('are turned off by a drop-in alone, as systemd-sysupdate writes it', async () => {
        await tree.write('/usr/lib/sysupdate.web.d/web.feature', on);
        const path = '/etc/sysupdate.web.component.d/50-systemd-sysupdate-enabled.conf';
        await tree.write(path, '# Generated\n\n[Component]\nEnabled=no\n');
        expect((await tree.load()).components[0]).toMatchObject({enabled: false, enabledBy: path});
    });

    test('with a bad definition of their own are a problem of their features alone', async () => {
        await tree.write('/usr/lib/sysupdate.web.d/web.feature', on);
        await tree.write('/usr/lib/sysupdate.dev.d/dev.feature', on);
        await tree.write('/usr/lib/sysupdate.web.component', '[Component]\nEnabled=perhaps\n');
        expect((await tree.feature('web')).problem).toMatch(
            /^\/usr\/lib\/sysupdate\.web\.component:2: /,
        );
        expect((await tree.feature('dev')).problem).toBe('');
    });
});

describe('ids', () => {
    async function ids(...places: readonly string[]): Promise<readonly string[]> {
        for (const place of places) await tree.write(`/usr/lib/sysupdate${place}.feature`, off);
        return (await tree.load()).features.map(({id}) => id);
    }

    test('are the plain names where these are unique', async () => {
        expect(await ids('.d/dev', '.web.d/web', '.db.d/sql')).toEqual(['dev', 'sql', 'web']);
    });

    test('carry the component where they are not', async () => {
        expect(await ids('.web.d/tools', '.db.d/tools')).toEqual(['db/tools', 'web/tools']);
    });

    test('leave the plain name to the default component', async () => {
        expect(await ids('.d/tools', '.db.d/tools')).toEqual(['tools', 'db/tools']);
    });
});

describe('lists of a transfer', () => {
    async function read(text: Parameters<typeof transferText>[1]) {
        await tree.write('/usr/lib/sysupdate.d/dev.transfer', transferText('dev', text));
        return tree.transfer('dev');
    }

    test('given twice are put together', async () => {
        const transfer = await read({
            transfer: 'Features=web dev\nRequisiteFeatures=gpu "x"\nRequisiteFeatures=net',
            source: 'MatchPattern=more_@v.raw dev_@v_%w_%a.raw',
        });
        expect(transfer.features).toEqual(['dev', 'web']);
        expect(transfer.requisiteFeatures).toEqual(['gpu', 'x', 'net']);
        expect(transfer.source.patterns.map(({text}) => text).slice(3)).toEqual(['more_@v.raw']);
    });

    test('are reset by nothing', async () => {
        const transfer = await read({
            transfer:
                'Features=\nFeatures=web\nProtectVersion=1 2\nProtectVersion=\nProtectVersion=3',
            source: 'MatchPattern=\nMatchPattern=web_@v.raw',
        });
        expect(transfer.features).toEqual(['web']);
        expect(transfer.protectVersions).toEqual(['3']);
        expect(transfer.source.patterns.map(({text}) => text)).toEqual(['web_@v.raw']);
    });

    test('of the target are those of the source where it has none', async () => {
        const transfer = await read({
            source: 'MatchPattern=\nMatchPattern=**/web_@v.raw.zst',
            target: 'MatchPattern=',
        });
        expect(transfer.source.patterns.map(({text}) => text)).toEqual(['web_@v.raw.zst']);
        expect(transfer.target.patterns.map(({text}) => text)).toEqual([
            'web_@v.raw.zst',
            'web_@v.raw',
        ]);
    });

    test('are changed by drop-ins', async () => {
        await tree.write(
            '/etc/sysupdate.d/dev.transfer.d/10-mirror.conf',
            '[Source]\nPath=http://mirror.example.org/dev\n[Transfer]\nFeatures=\n',
        );
        const transfer = await read({});
        expect(transfer.source.path).toBe('http://mirror.example.org/dev');
        expect(transfer.features).toEqual([]);
    });
});

describe('settings of a transfer', () => {
    const path = '/usr/lib/sysupdate.d/dev.transfer';

    async function read(text: Parameters<typeof transferText>[1]) {
        await tree.write(path, transferText('dev', text));
        return tree.transfer('dev');
    }

    test('versions with specifiers, where one may stand for nothing', async () => {
        const transfer = await read({transfer: 'MinVersion=%w\nProtectVersion=%A %B'});
        expect(transfer.minVersion).toBe('13');
        expect(transfer.protectVersions).toEqual(['20250601120000']);
        expect(transfer.warnings).toEqual([]);
    });

    test.each([
        ['', '', 3],
        ['', 'InstancesMax=5', 5],
        ['', 'InstancesMax=5\nInstancesMax=', 3],
        ['InstancesMax=4', '', 4],
        ['InstancesMax=4', 'InstancesMax=2', 2],
    ])('InstancesMax: [Transfer] %j and [Target] %j give %i', async (transfer, target, count) => {
        const {target: found, warnings} = await read({transfer, target});
        expect(found.instancesMax).toBe(count);
        expect(warnings).toHaveLength(transfer === '' ? 0 : 1);
    });

    test('InstancesMax below 2 is 2, with a warning', async () => {
        const transfer = await read({target: 'InstancesMax=1'});
        expect(transfer.target.instancesMax).toBe(2);
        expect(transfer.warnings).toEqual([expect.stringMatching(/^\/.*:17: InstancesMax=1 /)]);
    });

    test('Mode and ReadOnly', async () => {
        const {target} = await read({target: 'Mode=0444\nReadOnly=yes'});
        expect(target).toMatchObject({mode: 0o444, readOnly: true});
        expect((await read({target: 'Mode=0444\nMode=\nReadOnly='})).target).toMatchObject({
            mode: null,
            readOnly: null,
        });
    });

    test.each(['current/dev.raw', '/var/lib/extensions/dev.raw', ''])(
        'CurrentSymlink=%s',
        async link => {
            const {target} = await read({target: `CurrentSymlink=${link}`});
            expect(target.currentSymlink).toBe(link);
        },
    );

    test('an unknown one is a warning', async () => {
        const {warnings} = await read({target: 'Colour=blue\nX-Colour=blue'});
        expect(warnings).toEqual([expect.stringMatching(/^\/.*:17: Unknown setting Colour=/)]);
    });

    test('a directory as source', async () => {
        const {source} = await read({source: 'Type=regular-file\nPath=/mnt/medium/'});
        expect(source).toMatchObject({type: 'regular-file', path: '/mnt/medium'});
    });

    test('a target without Type= is a file', async () => {
        const text = transferText('dev').replace('Type=regular-file\n', '');
        await tree.write(path, text);
        expect((await tree.transfer('dev')).target.path).toBe('/var/lib/extensions.d');
    });

    test('names of before systemd 257 are read where there are no others', async () => {
        await tree.write('/usr/lib/sysupdate.old.d/10-old.conf', transferText('old'));
        await tree.write('/usr/lib/sysupdate.old.d/old.feature', off);
        const {features, transfers} = await tree.load();
        expect(features[0]?.problem).toBe('');
        expect(transfers[0]).toMatchObject({name: '10-old', component: 'old'});
        await tree.write('/usr/lib/sysupdate.old.d/20-new.transfer', transferText('old'));
        expect((await tree.load()).transfers.map(({name}) => name)).toEqual(['20-new']);
    });
});

describe('transfers of another domain, even bad ones, are skipped without a word', () => {
    test.each([
        ['a partition', {target: 'Type=partition\nPath=auto\nMatchPartitionType=root'}],
        ['a device', {target: 'Type=partition\nPath=/dev/sda'}],
        ['a kernel image', {target: 'Path=/EFI/Linux\nPathRelativeTo=boot\nMode=0444'}],
        ['a file of the ESP', {target: 'PathRelativeTo=esp'}],
        ['an archive', {source: 'Type=url-tar', target: 'Type=directory'}],
        ['a local archive', {source: 'Type=tar\nPath=/srv', target: 'Type=subvolume'}],
        ['a directory', {source: 'Type=directory\nPath=/srv', target: 'Type=directory'}],
        ['a bad one', {target: 'Type=partition\nPath=auto\nMatchPattern=a/b/@q\nMode=x'}],
        ['one of the command line', {source: 'Type=regular-file\nPathRelativeTo=explicit'}],
    ])('%s', async (_what, text) => {
        await tree.write('/usr/lib/sysupdate.d/20-root.transfer', transferText('dev', text));
        await tree.write('/usr/lib/sysupdate.d/dev.feature', off);
        const {transfers, problems, features} = await tree.load();
        expect(transfers).toEqual([]);
        expect(problems).toEqual([]);
        expect(features[0]?.problem).toBe('');
    });

    test('a target without Type= below /dev', async () => {
        const text = transferText('dev')
            .replace('Type=regular-file\n', '')
            .replace('/var/lib/extensions.d/', '/dev/sda');
        await tree.write('/usr/lib/sysupdate.d/20-root.transfer', text);
        expect(await tree.load()).toMatchObject({transfers: [], problems: []});
    });
});

describe('a bad definition', () => {
    const directory = '/usr/lib/sysupdate.d';

    beforeEach(async () => {
        await tree.write(`${directory}/good.feature`, off);
        await tree.write(`${directory}/good.transfer`, transferText('good'));
        await tree.write(`${directory}/bad.feature`, off);
        await tree.write(`${directory}/bad.transfer`, transferText('bad'));
    });

    async function problems(): Promise<Readonly<Record<string, string>>> {
        const {features} = await tree.load();
        return Object.fromEntries(features.map(({id, problem}) => [id, problem]));
    }

    test.each([
        ['[Feature]\nEnabled=maybe\n', 2],
        ['[Feature\n', 1],
        ['[Feature]\n\nDescription\n', 3],
        ['Enabled=yes\n', 1],
        ['[Feature]\nEnabled=yes\0\n', 2],
        ['[Feature]\nDocumentation=https://example.org/%z', 2],
    ])('feature %j is its own problem', async (text, line) => {
        await tree.write(`${directory}/bad.feature`, text);
        const found = await problems();
        expect(found['bad']).toMatch(new RegExp(`^${directory}/bad.feature:${line}: `));
        expect(found['good']).toBe('');
    });

    test('of more than 1 MiB is a problem', async () => {
        await tree.write(`${directory}/bad.feature`, `[Feature]\n${'#\n'.repeat(600_000)}`);
        const found = await problems();
        expect(found['bad']).toMatch(`${directory}/bad.feature is larger than`);
        expect(found['good']).toBe('');
    });

    test('drop-in is a problem of what it changes', async () => {
        const path = '/etc/sysupdate.d/bad.transfer.d/10-a.conf';
        await tree.write(path, '[Source]\nPath=%Z\n');
        expect(await problems()).toEqual({
            bad: `${path}:2: Path=: Unknown specifier %Z`,
            good: '',
        });
    });

    test.each([
        [{source: 'Type=ftp-file'}, 10],
        [{source: 'Path=ftp://example.org/'}, 10],
        [{source: 'Path=file:///srv/'}, 10],
        [{source: 'Path=https://'}, 10],
        [{source: 'Path=https://example.org/?q='}, 10],
        [{source: 'Path=https://exämple.org/'}, 10],
        [{source: 'Path=/srv'}, 10],
        [{source: 'Path='}, 10],
        [{source: 'Type=regular-file\nPath=srv'}, 11],
        [{source: 'Type=regular-file\nPath=/srv/../etc'}, 11],
        [{source: 'MatchPattern='}, 1],
        [{source: 'MatchPattern=dev.raw'}, 10],
        [{source: 'MatchPattern=../dev_@v.raw'}, 10],
        [{source: 'MatchPattern=dev_@v/dev.raw'}, 10],
        [{source: 'MatchPattern=dev_@v_%z.raw'}, 10],
        [{source: 'MatchPattern=dev_\\x2f@v.raw'}, 10],
        [{target: 'MatchPattern=**/dev_@v.raw'}, 17],
        [{target: 'Path=var/lib/extensions'}, 17],
        [{target: 'Path=/var/lib/../../etc'}, 17],
        [{target: 'Path=/var//lib'}, 17],
        [{target: 'Path=/var/./lib'}, 17],
        [{target: 'Path=/var/\x01'}, 17],
        [{target: 'Path='}, 17],
        [{target: 'Path=auto'}, 17],
        [{target: 'Type=file'}, 17],
        [{target: 'PathRelativeTo=home'}, 17],
        [{target: 'InstancesMax=many'}, 17],
        [{target: 'InstancesMax=-1'}, 17],
        [{target: 'Mode=rw'}, 17],
        [{target: 'Mode=0888'}, 17],
        [{target: 'ReadOnly=perhaps'}, 17],
        [{target: 'CurrentSymlink=../dev.raw'}, 17],
        [{target: 'CurrentSymlink=/var/lib/../dev.raw'}, 17],
        [{transfer: 'Verify=maybe'}, 3],
        [{transfer: 'MinVersion=0/2'}, 3],
        [{transfer: 'MinVersion=1 2'}, 3],
        [{target: 'Mode=77777'}, 17],
        [{transfer: 'ProtectVersion=1/2'}, 3],
        [{transfer: 'Features="bad'}, 3],
    ])('transfer with %j is a problem of its feature', async (text, line) => {
        await tree.write(`${directory}/bad.transfer`, transferText('bad', text));
        const found = await problems();
        expect(found['bad']).toMatch(new RegExp(`^${directory}/bad.transfer:${line}: `));
        expect(found['good']).toBe('');
        expect((await tree.load()).transfers.map(({name}) => name)).toEqual(['good']);
    });

    test('transfer of several features is a problem of each', async () => {
        await tree.write(
            `${directory}/bad.transfer`,
            transferText('bad', {transfer: 'Features=good\nVerify=?'}),
        );
        const found = await problems();
        expect(found['good']).toBe(found['bad']);
        expect(found['good']).not.toBe('');
    });

    test('transfer that names no feature is one of the only feature there is', async () => {
        await tree.write('/usr/lib/sysupdate.web.d/web.feature', off);
        await tree.write('/usr/lib/sysupdate.web.d/10-web.transfer', '[Transfer');
        expect((await problems())['web']).toMatch('/usr/lib/sysupdate.web.d/10-web.transfer:1: ');
    });

    test('transfer that names no feature among several is a line by itself', async () => {
        await tree.write(`${directory}/bad.transfer`, '[Transfer');
        const {problems: lines, features} = await tree.load();
        expect(lines).toEqual([expect.stringMatching(`^${directory}/bad.transfer:1: `)]);
        expect(features.map(({problem}) => problem)).toEqual(['', '']);
    });

    test.each(['two words', 'a..b', '-x', '.hidden', 'ä', 'a\nb', 'quo"te', 'x'.repeat(129)])(
        'name %j is said, and nothing is read by it',
        async name => {
            await tree.write(`${directory}/${name}.feature`, on);
            const {problems: lines, features} = await tree.load();
            expect(features.map(({name: found}) => found)).toEqual(['bad', 'good']);
            expect(lines).toHaveLength(1);
            expect(lines[0]).toMatch(/^\/usr\/lib\/sysupdate\.d\/.* name is not supported$/);
        },
    );

    test('name of a component is said', async () => {
        await tree.write('/usr/lib/sysupdate.a b.d/web.feature', on);
        const {problems: lines, components} = await tree.load();
        expect(components.map(({name}) => name)).toEqual(['']);
        expect(lines).toHaveLength(1);
    });

    test('never keeps the others from being read, whatever is in it', async () => {
        const line = fc.oneof(
            fc.constantFrom('[Transfer]', '[Source]', '[Target]', '[Feature]', 'Features=bad \\'),
            fc
                .tuple(
                    fc.constantFrom('Type', 'Path', 'MatchPattern', 'Enabled', 'Mode', 'Features'),
                    fc.string({unit: fc.constantFrom(...'@v%w/. "\\*')}),
                )
                .map(([key, value]) => `${key}=${value}`),
            fc.string({unit: 'binary'}),
        );
        const text = fc.array(line, {minLength: 1, maxLength: 8}).map(lines => lines.join('\n'));
        await fc.assert(
            fc.asyncProperty(text, text, async (feature, transfer) => {
                await tree.write(`${directory}/bad.feature`, feature);
                await tree.write(`${directory}/bad.transfer`, transfer);
                const {features, transfers, problems: lines} = await tree.load();
                expect(features.find(({name}) => name === 'good')?.description).toBe('Something');
                expect(transfers.map(({name}) => name)).toContain('good');
                for (const problem of [...lines, ...features.map(found => found.problem)])
                    expect(problem).toMatch(/^$|^\/[^\n]+:\d+: |masked by/);
            }),
            {numRuns: 150},
        );
    });
});

describe('which transfers', () => {
    test('a feature has a part in', async () => {
        await tree.write('/usr/lib/sysupdate.d/a.feature', off);
        await tree.write('/usr/lib/sysupdate.d/b.feature', off);
        await tree.write('/usr/lib/sysupdate.web.d/a.feature', off);
        await tree.write('/usr/lib/sysupdate.d/1.transfer', transferText('a'));
        await tree.write(
            '/usr/lib/sysupdate.d/2.transfer',
            transferText('b', {transfer: 'RequisiteFeatures=a'}),
        );
        await tree.write(
            '/usr/lib/sysupdate.d/3.transfer',
            transferText('b', {transfer: 'Features='}),
        );
        await tree.write('/usr/lib/sysupdate.web.d/4.transfer', transferText('a'));
        const definitions = await tree.load();
        const found = definitions.features.map(feature => [
            feature.id,
            transfersOfFeature(definitions, feature).map(({name}) => name),
        ]);
        expect(Object.fromEntries(found)).toEqual({a: ['1', '2'], b: ['2'], 'web/a': ['4']});
    });

    test.each([
        ['', '', '', true],
        ['', 'a', '', false],
        ['', 'a', 'a', true],
        ['', 'a b', 'b', true],
        ['a', '', '', false],
        ['a b', '', 'a', false],
        ['a b', '', 'a b', true],
        ['a', 'b', 'a', false],
        ['a', 'b', 'b', false],
        ['a', 'b c', 'a c', true],
    ])('are active: requisites %j, features %j, on %j: %j', async (all, any, enabled, active) => {
        await tree.write(
            '/usr/lib/sysupdate.d/x.transfer',
            transferText('x', {transfer: `Features=\nFeatures=${any}\nRequisiteFeatures=${all}`}),
        );
        const names = new Set(enabled.split(' ').filter(name => name !== ''));
        expect(isTransferActive(await tree.transfer('x'), names)).toBe(active);
    });
});
