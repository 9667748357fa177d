// SPDX-License-Identifier: GPL-2.0-or-later
// The real snowd with the real engine, in a mount namespace with a small /etc and /var of its own, and
// programs of systemd and GLib as its clients.
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterAll, beforeAll, describe, expect, it} from 'vitest';

import type {BusConnection} from '../../helper/src/host/dbus.ts';
import {bundle} from './harness/bundle.ts';
import {type Running, runProgram, startProgram} from './harness/processes.ts';
import {FEATURE, FEATURES, JOB, ROOT, SERVICE, finished, getAll, start} from './harness/remote.ts';
import {type Stage, setStage} from './harness/stage.ts';

const FEATURE_PATH = `${ROOT}/Features/demo`;

const feature = `[Feature]
Description=A demo
Documentation=https://example.org/demo
Enabled=false
`;

const transfer = `[Transfer]
Verify=no
Features=demo

[Source]
Type=regular-file
Path=/srv
MatchPattern=demo_@v.raw

[Target]
Type=regular-file
Path=/var/lib/extensions.d
MatchPattern=demo_@v.raw
CurrentSymlink=demo.raw
`;

let stage: Stage;
let service: Running;
let bus: BusConnection;

beforeAll(async () => {
    stage = await setStage();
    const root = join(stage.bus.directory, 'root');
    const definitions = join(root, 'etc/sysupdate.demo.d');
    for (const path of [definitions, join(root, 'var/lib'), join(root, 'srv')])
        await mkdir(path, {recursive: true});
    const files = {
        'etc/os-release': 'ID=snow\nVERSION_ID=13\n',
        'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
        'etc/sysupdate.demo.d/demo.feature': feature,
        'etc/sysupdate.demo.d/demo.transfer': transfer,
        'srv/demo_1.2.raw': 'no image at all',
    };
    for (const [path, content] of Object.entries(files)) await writeFile(join(root, path), content);

    const snowd = await bundle('helper/src/main/snowd.ts', stage.bus.directory);
    const mounts = ['etc', 'var', 'srv'].map(name => `mount --bind ${join(root, name)} /${name}`);
    const run = [...mounts, 'mount -t tmpfs tmpfs /run', `exec ${process.execPath} ${snowd}`];
    service = startProgram(
        ['unshare', '-m', '--propagation', 'private', 'sh', '-ec', run.join('; ')],
        {env: {...process.env, DBUS_SYSTEM_BUS_ADDRESS: stage.bus.address}},
    );
    bus = await stage.connect();
    await new Promise<void>((resolve, reject) => {
        void service.ended.then(() => reject(new Error(service.lines.join('\n'))));
        bus.watchOwner(SERVICE, owner => {
            if (owner !== '') resolve();
        }).catch(reject);
    });
});

afterAll(async () => {
    await bus.close();
    await service[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
});

async function busctl(...args: readonly string[]): Promise<string> {
    const {status, stdout, stderr} = await runProgram([
        'busctl',
        `--address=${stage.bus.address}`,
        '--json=short',
        ...args,
    ]);
    if (status !== 0) throw new Error(stderr.trim());
    return stdout.trim();
}

function gdbus(command: string, ...args: readonly string[]) {
    return runProgram([
        'gdbus',
        command,
        `--address=${stage.bus.address}`,
        '--dest',
        SERVICE,
        ...args,
    ]);
}

describe('busctl', () => {
    it('finds every object', async () => {
        expect((await busctl('tree', '--list', SERVICE)).split('\n')).toEqual(
            expect.arrayContaining([ROOT, `${ROOT}/Features`, FEATURE_PATH, `${ROOT}/Jobs`]),
        );
    });

    it('reads the properties of a feature, and of all', async () => {
        const read = (path: string, name: string, property: string): Promise<string> =>
            busctl('get-property', SERVICE, path, name, property);
        expect(await read(FEATURE_PATH, FEATURE, 'Name')).toBe('{"type":"s","data":"demo"}');
        expect(await read(FEATURE_PATH, FEATURE, 'Enabled')).toBe('{"type":"b","data":false}');
        expect(await read(`${ROOT}/Features`, FEATURES, 'LastCheck')).toMatch(/"type":"x"/);
    });

    it('understands the introspection data', async () => {
        const {stdout} = await runProgram([
            'busctl',
            `--address=${stage.bus.address}`,
            'introspect',
            SERVICE,
            FEATURE_PATH,
        ]);
        expect(stdout).toMatch(/\.Rollback +method +sa\{sv\} +o/);
        expect(stdout).toMatch(/\.Versions +property +as/);
    });

    it('starts a check, after which its time is known', async () => {
        const end = await finished(bus, async () => {
            const reply = await busctl(
                ...['call', SERVICE, `${ROOT}/Features`, FEATURES, 'Check', 'a{sv}', '0'],
            );
            return (JSON.parse(reply) as {data: [string]}).data[0];
        });
        expect(end).toMatchObject({state: 'done'});
        const {LastCheck: lastCheck} = await getAll(bus, `${ROOT}/Features`, FEATURES);
        expect(Math.abs(Number(lastCheck) - Date.now() / 1000)).toBeLessThan(60);
    });

    it('is told what is wrong', async () => {
        const call = (...args: readonly string[]): Promise<string> =>
            busctl('call', SERVICE, FEATURE_PATH, FEATURE, ...args);
        await expect(call('Enable', 'a{sv}', '1', 'force', 'b', 'true')).rejects.toThrow(
            'There is no option "force"',
        );
        await expect(call('Rollback', 'sa{sv}', '../../1.0', '0')).rejects.toThrow(
            'Rollback takes a version',
        );
        await expect(
            busctl('set-property', SERVICE, FEATURE_PATH, FEATURE, 'Enabled', 'b', 'true'),
        ).rejects.toThrow('Enabled cannot be set');
    });
});

describe('gdbus', () => {
    it('introspects with the properties', async () => {
        const {stdout} = await gdbus('introspect', '--object-path', FEATURE_PATH);
        expect(stdout).toContain("Description = 'A demo'");
        expect(stdout).toMatch(/UpdateAll|Rollback\(in {2}s version,/);
    });

    it('gets the managed objects', async () => {
        const method = 'org.freedesktop.DBus.ObjectManager.GetManagedObjects';
        const {stdout} = await gdbus('call', '--object-path', ROOT, '--method', method);
        expect(stdout).toContain(`'${FEATURE_PATH}': {`);
        expect(stdout).toContain("'Documentation': <'https://example.org/demo'>");
    });

    it('gets the name of an error', async () => {
        const args = [
            '--object-path',
            `${ROOT}/Features/nope`,
            '--method',
            `${FEATURE}.Enable`,
            '{}',
        ];
        const {status, stderr} = await gdbus('call', ...args);
        expect(status).not.toBe(0);
        expect(stderr).toContain('org.freedesktop.DBus.Error.UnknownObject');
    });
});

describe('the engine behind the bus', () => {
    it('refuses what is no image, with a job that failed and nothing changed', async () => {
        const before = await getAll(bus, FEATURE_PATH, FEATURE);
        const end = await finished(bus, () => start(bus, 'demo', 'Enable'));
        expect(end.state).toBe('failed');
        expect(end.error[0]).toMatch(/^org\.frostyard\.Snow1\.Error\.\w+$/);
        expect(end.error[1]).toMatch(/^.{10,300}$/);
        expect(await getAll(bus, end.path, JOB)).toMatchObject({State: 'failed'});
        expect(await getAll(bus, FEATURE_PATH, FEATURE)).toEqual(before);
        await service.waitForLine(/^<5>features\.enable demo\S* for uid 0: failed in /);
    });
});
