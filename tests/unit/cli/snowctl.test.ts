// SPDX-License-Identifier: GPL-2.0-or-later
// The program as it is installed, on the tree of an image.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import {bundle} from '../../bus/harness/bundle.ts';
import {type Machine, makeMachine} from '../features/machine.ts';

let directory: string;
let program: string;
let machine: Machine;

beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'snowctl-'));
    program = await bundle('helper/src/main/snowctl.ts', directory);
});
afterAll(() => rm(directory, {recursive: true, force: true}));

beforeEach(async () => {
    machine = await makeMachine();
    await machine.define({name: 'hello'}, {name: 'world'});
});
afterEach(() => machine.dispose());

interface Ended {
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
}

async function snowctl(...args: readonly string[]): Promise<Ended> {
    const env = {...process.env, DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent'};
    const child = spawn(process.execPath, [program, ...args], {stdio: 'pipe', env});
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', chunk => (stdout += String(chunk)));
    child.stderr.on('data', chunk => (stderr += String(chunk)));
    const [status] = (await once(child, 'close')) as [number | null];
    return {status, stdout, stderr};
}

const onTree = (...args: readonly string[]): Promise<Ended> =>
    snowctl(...args, `--root=${machine.root}`);

const offerHello = () =>
    machine.offer([
        {name: 'hello', version: '1.0', padding: 300_000},
        {name: 'hello', version: '1.1', padding: 300_000},
    ]);

describe('on the tree of an image', () => {
    it('lists what is defined', async () => {
        expect(await onTree('features', 'list')).toEqual({
            status: 0,
            stderr: '',
            stdout: [
                'NAME   STATE     VERSION  NEWEST  DESCRIPTION\n',
                'hello  disabled  -        -       The hello extension\n',
                'world  disabled  -        -       The world extension\n',
            ].join(''),
        });
    });

    it('enables, updates, rolls back and disables', async () => {
        await offerHello();
        expect(await onTree('features', 'enable', 'hello')).toMatchObject({
            status: 0,
            stdout: 'hello 1.1 is enabled.\n',
            stderr: expect.stringContaining('Downloading hello 1.1\n'),
        });
        expect(await onTree('features', 'update')).toMatchObject({
            status: 0,
            stdout: 'Everything is up to date.\n',
        });

        await machine.offer([
            {name: 'hello', version: '1.2'},
            {name: 'world', version: '7'},
        ]);
        const check = await onTree('features', 'check', '--json');
        expect(JSON.parse(check.stdout)).toMatchObject({
            updates: [{id: 'hello', installed: '1.1', newest: '1.2', updateAvailable: true}],
        });
        expect((await onTree('features', 'update', 'hello')).stdout).toBe(
            'hello is updated to 1.2.\n',
        );
        expect((await onTree('features', 'rollback', 'hello')).stdout).toBe(
            'hello is back at 1.1.\n',
        );
        const shown = JSON.parse((await onTree('features', 'show', 'hello', '--json')).stdout);
        expect(shown).toMatchObject({enabled: true, installed: '1.1', versions: ['1.2', '1.1']});

        expect((await onTree('features', 'disable', 'hello')).stdout).toBe('hello is disabled.\n');
        expect(await machine.list('/var/lib/extensions.d')).toEqual([]);
    });

    it('says with --dry-run what would be done, and does nothing', async () => {
        await offerHello();
        const before = await machine.snapshot();
        const {status, stdout} = await onTree('features', 'enable', 'hello', '--dry-run');
        expect(status).toBe(0);
        expect(stdout).toMatch(
            /^This would be done:\n {2}fetch http.*hello_1\.1_13_x86-64\.raw\.zst/,
        );
        expect(await machine.snapshot()).toEqual(before);
    });

    it('tells everything as JSON lines with --json=stream, the result last', async () => {
        await offerHello();
        const {stdout, stderr} = await onTree('features', 'enable', 'hello', '--json=stream');
        const lines = stdout.trimEnd().split('\n');
        const events = lines.map(line => JSON.parse(line) as {readonly type: string});
        expect(events.map(({type}) => type)).toContain('step');
        expect(events.map(({type}) => type)).toContain('progress');
        expect(events.at(-1)).toMatchObject({
            type: 'result',
            result: {results: [{operation: 'enable', feature: 'hello', version: '1.1'}]},
        });
        expect(stderr).toBe('');
    });

    it('checks all names before it begins with the first one', async () => {
        await offerHello();
        const before = await machine.snapshot();
        expect(await onTree('features', 'enable', 'hello', 'wrold')).toEqual({
            status: 4,
            stdout: '',
            stderr: 'snowctl: There is no feature "wrold"; did you mean "world"?\n',
        });
        expect(await machine.snapshot()).toEqual(before);
    });

    it('tells of a failure what was done before it', async () => {
        await offerHello();
        const {status, stdout} = await onTree('features', 'enable', 'hello', 'world', '--json');
        expect(status).not.toBe(0);
        expect(JSON.parse(stdout)).toMatchObject({
            error: {code: expect.any(String)},
            results: [{feature: 'hello', version: '1.1'}],
        });
    });

    it('tells of a check what the other repositories have, where one is away', async () => {
        await offerHello();
        await onTree('features', 'enable', 'hello');
        await machine.offer([{name: 'hello', version: '1.2'}]);
        const {status, stdout} = await onTree('features', 'check', '--json');
        expect(status).toBe(4);
        expect(JSON.parse(stdout)).toMatchObject({
            error: {code: 'NotFound', message: expect.stringContaining('world')},
            updates: [{id: 'hello', newest: '1.2'}],
        });
    });

    it('finds out what is wrong', async () => {
        await rm(join(machine.root, 'etc/systemd/import-pubring.gpg'));
        const {status, stdout} = await onTree('doctor', '--json');
        expect(status).toBe(1);
        const {healthy, findings} = JSON.parse(stdout) as {
            healthy: boolean;
            findings: readonly {readonly check: string}[];
        };
        expect(healthy).toBe(false);
        expect(findings.map(({check}) => check)).toContain('keyring');
    });
});

describe('--json', () => {
    it.each([
        [0, ['features', 'list']],
        [0, ['features', 'show', 'hello']],
        [0, ['features', 'update', '--dry-run']],
        [0, ['features', 'disable', 'hello']],
        [4, ['features', 'show', 'nothing']],
        [10, ['features', 'update', 'hello']],
        [2, ['features', 'enable']],
        [2, ['features', 'nonsense']],
        [2, ['--nonsense']],
        [0, ['help', 'features']],
        [0, ['--version']],
    ])('ends with %i and exactly one document: %j', async (status, args) => {
        const root = args[0] === 'features' && status !== 2 ? [`--root=${machine.root}`] : [];
        const ended = await snowctl(...args, ...root, '--json');
        expect(ended.status).toBe(status);
        const document = JSON.parse(ended.stdout) as Record<string, unknown>;
        expect('error' in document).toBe(status !== 0);
        expect(ended.stderr === '').toBe(status === 0);
    });
});

describe('errors', () => {
    it.each([
        ['the server is away', 6, 'Network', () => machine.repository.close()],
        [
            'there is no key',
            7,
            'VerificationFailed',
            () => rm(join(machine.root, 'etc/systemd/import-pubring.gpg')),
        ],
    ])('are one line and a status of their own: %s', async (_, status, code, spoil) => {
        await offerHello();
        await spoil();
        const {stdout, stderr, ...ended} = await onTree('features', 'enable', 'hello', '--json');
        expect(ended.status).toBe(status);
        expect(JSON.parse(stdout)).toMatchObject({error: {code}});
        expect(stderr).toMatch(/^snowctl: [^\n]+\n$/);
    });

    it('say that the bus is not there', async () => {
        expect(await snowctl('jobs')).toEqual({
            status: 9,
            stdout: '',
            stderr: 'snowctl: The system bus cannot be reached; is D-Bus running?\n',
        });
    });

    it('say that the tree is not there', async () => {
        expect(await snowctl('features', 'list', '--root=/nonexistent')).toMatchObject({
            status: 2,
            stderr: 'snowctl: "/nonexistent" is not a directory\n',
        });
    });

    it('do not come from a reader that has seen enough', async () => {
        const command = `"$0" "$1" help | true; echo "\${PIPESTATUS[0]}"`;
        const child = spawn('bash', ['-c', command, process.execPath, program], {stdio: 'pipe'});
        let printed = '';
        child.stdout.on('data', chunk => (printed += String(chunk)));
        child.stderr.on('data', chunk => (printed += String(chunk)));
        await once(child, 'close');
        expect(printed).toBe('0\n');
    });

    it('come from a disk that is full', async () => {
        const child = spawn('bash', ['-c', '"$0" "$1" help >/dev/full', process.execPath, program]);
        let printed = '';
        child.stderr.on('data', chunk => (printed += String(chunk)));
        const [status] = (await once(child, 'close')) as [number];
        expect(status).toBe(1);
        expect(printed).toMatch(/^snowctl: The output cannot be written: ENOSPC[^\n]*\n$/);
    });
});

it('offers names to the shells, and nothing where it cannot', async () => {
    const {status, stderr} = await snowctl('__complete', 'nonsense');
    expect([status, stderr]).toEqual([0, '']);
    expect(await snowctl('__complete', 'job')).toEqual({status: 0, stdout: '', stderr: ''});
});

it('loads nothing for a list that reaches out of the machine', async () => {
    const trace = join(directory, 'trace.cjs');
    const report = "console.error(process.moduleLoadList.join('\\n'))";
    await writeFile(trace, `process.on('exit', () => ${report});`);
    const modulesOf = async (...args: readonly string[]): Promise<readonly string[]> => {
        const child = spawn(process.execPath, ['-r', trace, program, ...args]);
        let loaded = '';
        child.stderr.on('data', chunk => (loaded += String(chunk)));
        await once(child, 'close');
        return loaded.split('\n');
    };
    const undici = 'NativeModule http2';
    const root = `--root=${machine.root}`;
    expect(await modulesOf('features', 'check', '--quiet', root)).toContain(undici);
    expect(await modulesOf('features', 'list', root)).not.toContain(undici);
});
