// SPDX-License-Identifier: GPL-2.0-or-later
// snowctl intune against the real object of a container, on a machine in memory.
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdir} from 'node:fs/promises';

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import {UID, digestOf} from '../unit/intune/core/container-machine.ts';
import {bundle} from './harness/bundle.ts';
import type {ContainerManners} from './harness/intune-machine.ts';
import type {Running} from './harness/processes.ts';
import {initialState, setStage, type Stage} from './harness/stage.ts';

const ONE_LINE = /^snowctl: [^\n]{1,300}\n$/;
const PASSWORD = 'Snow-Fell-2026';
const IMAGE = 'ghcr.io/frostyard/ubuntu-intune:latest';
/** Milliseconds. */
const PATIENCE = 15_000;

interface Ended {
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
}

let stage: Stage;
let service: Running;
let program: string;

beforeAll(async () => {
    stage = await setStage({
        rules: `polkit.addRule(function (action, subject) {
            return subject.user === 'root' ? polkit.Result.YES : polkit.Result.NOT_HANDLED;
        });`,
    });
    program = await bundle('helper/src/main/snowctl.ts', stage.bus.directory);
});
afterAll(() => stage[Symbol.asyncDispose]());

beforeEach(async () => {
    await given({});
    service = await stage.startService();
});
afterEach(async () => {
    await service[Symbol.asyncDispose]();
    expect(await leftPipes()).toEqual([]);
});

const given = (container: ContainerManners): Promise<void> =>
    stage.setState({...initialState, container});
const leftPipes = async (): Promise<readonly string[]> =>
    (await readdir('/run')).filter(name => name.startsWith('snowctl-'));

/** As root, which may act on anybody's; a program of this machine's own /run, which the service sees. */
function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [program, 'intune', ...args], {
        env: {...process.env, DBUS_SYSTEM_BUS_ADDRESS: stage.bus.address, TERM: 'xterm', ...env},
        stdio: 'pipe',
    });
    return watch(child);
}

/** On a terminal that script(1) makes. */
function startOnTerminal(args: readonly string[]) {
    const [verb = '', ...rest] = args;
    const command = [process.execPath, program, 'intune', verb, `--user=${UID}`, ...rest]
        .map(word => `'${word}'`)
        .join(' ');
    const child = spawn('script', ['--quiet', '--return', '/dev/null', '--command', command], {
        env: {...process.env, DBUS_SYSTEM_BUS_ADDRESS: stage.bus.address, TERM: 'xterm'},
        stdio: 'pipe',
    });
    return watch(child);
}

function watch(child: ChildProcess) {
    const texts = {stdout: '', stderr: ''};
    const looks = new Set<() => void>();
    for (const name of ['stdout', 'stderr'] as const)
        child[name]?.on('data', chunk => {
            texts[name] += String(chunk);
            for (const look of looks) look();
        });
    return {
        child,
        ended: once(child, 'close').then(([status]): Ended => ({
            status: status as number,
            ...texts,
        })),
        waitFor: (text: string): Promise<void> =>
            new Promise((resolve, reject) => {
                const printed = (): string => texts.stdout + texts.stderr;
                const look = (): void => {
                    if (printed().includes(text)) resolve();
                };
                looks.add(look);
                look();
                const fail = (): void => reject(new Error(`No ${text} in ${printed()}`));
                setTimeout(fail, PATIENCE).unref();
            }),
    };
}

function intune(...args: readonly string[]): Promise<Ended> {
    const end = args.indexOf('--');
    const at = end < 0 ? args.length : end;
    const {child, ended} = start(args.toSpliced(at, 0, `--user=${UID}`));
    child.stdin?.end();
    return ended;
}

const documentOf = async (...args: readonly string[]): Promise<Record<string, unknown>> =>
    JSON.parse((await intune(...args, '--json')).stdout) as Record<string, unknown>;
const done = (): readonly string[] =>
    service.lines.filter(line => line.startsWith('intune: ')).map(line => line.slice(8));

describe('the life of a container', () => {
    it('is started, shown and stopped', async () => {
        expect((await intune('status')).stdout).toMatch(
            new RegExp(`^State: +stopped\nImage: +${IMAGE} \\(stable, sha256:000000000000\\)\n`),
        );
        expect(await intune('start')).toMatchObject({status: 0, stdout: 'The container runs.\n'});
        const {stdout, stderr} = await intune('status');
        expect(stderr).toBe('');
        expect(stdout).toMatch(/^State: +running since 2025-10-09 [\d:]+ \([\d:]+\)$/m);
        expect(stdout).toMatch(
            /^From this machine: +wayland: \/run\/user\/1001\/wayland-0 at \/run\/host-wayland\n +pulse: not there$/m,
        );
        expect(await intune('stop')).toMatchObject({
            status: 0,
            stdout: 'The container is stopped.\n',
        });
        expect(await documentOf('status')).toMatchObject({
            uid: UID,
            state: 'stopped',
            image: IMAGE,
            digest: digestOf('1'),
            newerAvailable: false,
            uptime: 0,
            session: null,
            problems: [],
        });
    });

    it('is told in JSON, or in lines of it', async () => {
        expect(await documentOf('restart')).toEqual({operation: 'restart', uid: UID});
        const {stdout} = await intune('stop', '--json=stream');
        const events = stdout
            .trimEnd()
            .split('\n')
            .map(line => JSON.parse(line) as unknown);
        expect(events[0]).toMatchObject({type: 'job', operation: 'stop', uid: UID});
        expect(events.at(-1)).toEqual({type: 'result', result: {operation: 'stop', uid: UID}});
        expect(await documentOf('start', '--no-wait')).toMatchObject({
            job: '3',
            operation: 'start',
        });
    });

    it('goes on when snowctl is ended, which leaves nothing', async () => {
        await given({startTime: 2000});
        const {child, ended, waitFor} = start(['start', '--json=stream', `--user=${UID}`]);
        await waitFor('"type":"job"');
        child.kill('SIGTERM');
        expect((await ended).status).toBe(143);
        await expect
            .poll(() => documentOf('status'), {timeout: PATIENCE})
            .toMatchObject({state: 'running'});
    });

    it('has problems and their remedies in its status', async () => {
        await given({
            report: {
                sessionBus: true,
                keyring: 'locked',
                broker: 'running',
                agentTimer: false,
                lastCompliance: {time: 1_760_000_000, succeeded: false},
                problems: [{problem: 'The keyring is locked', remedy: 'Restart the container'}],
            },
        });
        await intune('start');
        const {status, stdout} = await intune('status');
        expect(status).toBe(0);
        expect(stdout).toMatch(/^Session bus: +answers$/m);
        expect(stdout).toMatch(/^Keyring: +locked$/m);
        expect(stdout).toMatch(/^Agent timer: +off$/m);
        expect(stdout).toMatch(/^Last compliance run: +2025-10-09 [\d:]+, failed$/m);
        expect(stdout).toMatch(/^Problem: +The keyring is locked\n +Restart the container$/m);
        expect(await documentOf('status')).toMatchObject({
            session: {keyring: 'locked'},
            problems: [{problem: 'The keyring is locked', remedy: 'Restart the container'}],
        });
    });

    it('is made anew, taken back, destroyed and made again with a password', async () => {
        await given({newest: '2'});
        expect((await intune('check')).stdout).toContain('There is a newer image');
        expect((await intune('status')).stdout).toMatch(/^Newer image: +sha256:000000000000; /m);
        expect((await intune('recreate', '--dry-run')).stdout).toBe(
            [
                'This would be done:\n',
                '  fetch the newest image of the channel stable\n',
                '  set up the user in it, with the enrolment of the present container\n',
                '  put the other one into its place, and keep it\n',
            ].join(''),
        );
        expect(await documentOf('recreate')).toMatchObject({
            operation: 'recreate',
            digest: digestOf('2'),
            channel: 'stable',
        });
        expect(await documentOf('recreate', '--undo')).toMatchObject({digest: digestOf('1')});

        expect(await intune('destroy', '--all')).toMatchObject({
            status: 0,
            stdout: expect.stringContaining('your own files in ~/Intune are still there'),
        });
        expect((await intune('status')).stdout).toContain('absent; "snowctl intune init"');
        expect(await intune('recreate')).toMatchObject({
            status: 10,
            stderr: expect.stringContaining('make one first (snowctl intune init)'),
        });

        const {child, ended} = start(['init', '--password-file=-', `--user=${UID}`]);
        child.stdin?.end(`${PASSWORD}\n`);
        const {status, stdout, stderr} = await ended;
        expect([status, stdout]).toEqual([
            0,
            `The container is made from ${IMAGE} (sha256:000000000000); "snowctl intune start" starts it.\n`,
        ]);
        expect(stderr).not.toContain(PASSWORD);
        expect(done()).toContain(`provision ${PASSWORD} null`);
    });

    it('says with --dry-run what would be removed, and removes nothing', async () => {
        const {stdout} = await intune('destroy', '--dry-run', '--all');
        expect(stdout).toContain(`  remove /var/lib/machines/intune-u${UID}\n`);
        expect(stdout).toContain('  remove ~/Intune/.local/share/keyrings\n');
        expect(stdout).toContain('  remove the settings\n');
        expect(await documentOf('status')).toMatchObject({state: 'stopped'});
        expect(await intune('init', '--dry-run')).toMatchObject({status: 10});
    });
});

describe('settings', () => {
    it('are changed, and count from the next start', async () => {
        await intune('start');
        expect(await intune('configure', 'audio=no', 'memory-max=4G')).toMatchObject({
            status: 0,
            stdout: 'The settings are changed. They count from the next start: snowctl intune restart\n',
        });
        expect(await documentOf('status')).toMatchObject({
            settings: {audio: false, 'memory-max': '4G', gpu: true},
        });
    });

    it('start the container at login, or not', async () => {
        expect(await intune('start', '--if-configured')).toEqual({
            status: 0,
            stdout: '',
            stderr: '',
        });
        expect((await intune('autostart', 'on')).stdout).toBe(
            'The container is started at login.\n',
        );
        expect((await intune('autostart', 'status')).stdout).toBe('on\n');
        expect(done()).toEqual([]);
        await intune('start', '--if-configured');
        expect(done()).toContain('start');
        expect(await intune('start', '--if-configured', '--user=4242')).toMatchObject({status: 0});
    });

    it.each([
        [2, 'configure', 'audio'],
        [2, 'configure', 'audio=loud'],
        [2, 'configure', 'adio=no'],
        [2, 'configure', 'memory-max=lots'],
        [2, 'recreate', '--channel=beta'],
        [3, 'recreate', '--image=ghcr.io/mallory/intune:1'],
        [2, 'recreate', '--image=x', '--channel=stable'],
        [2, 'recreate', '--undo', '--channel=stable'],
        [2, 'open', ''],
        [2, 'run'],
        [2, 'status', '--root=/mnt'],
        [4, 'recreate', '--undo'],
        [2, 'init', '--no-wait', '--password-file=/dev/null'],
        [2, 'init', '--password-file=/dev/null'],
        [4, 'init', '--password-file=/nonexistent'],
    ])('or what is wrong ends with %i and one line: %s %s', async (wanted, ...words) => {
        const {status, stdout, stderr} = await intune(...words.map(String));
        expect([status, stdout]).toEqual([wanted, '']);
        expect(stderr).toMatch(ONE_LINE);
    });
});

describe('an application', () => {
    it('is opened with its arguments, and the container started for it', async () => {
        expect(await intune('open', 'edge', 'https://example.com/')).toMatchObject({
            status: 0,
            stdout: 'edge is started.\n',
        });
        await intune('open', 'edge', '--', '--new-window');
        expect(done()).toEqual([
            'session ',
            'start',
            'open edge https://example.com/',
            'open edge --new-window',
        ]);
    });

    it('is told the token of who launched it, and nothing that is none', async () => {
        const open = (token: string) =>
            start(['open', `--user=${UID}`, 'edge'], {XDG_ACTIVATION_TOKEN: token}).ended;
        await open('265816c0-b12c-4001');
        await open('two\nlines');
        expect(done().slice(-2)).toEqual(['open edge as 265816c0-b12c-4001', 'open edge']);
    });

    it('that cannot be started ends with its reason', async () => {
        await given({openFault: 'There is no such program'});
        expect(await intune('open', 'nothing')).toMatchObject({
            status: 1,
            stderr: expect.stringMatching(/snowctl: There is no such program\n$/),
        });
    });
});

describe('a program', () => {
    const run = (command: readonly string[], args: readonly string[] = []) =>
        start(['run', `--user=${UID}`, ...args, '--', ...command]);

    it('has the standard streams, and its exit status is that of snowctl', async () => {
        const {child, ended} = run(['sh', '-c', 'cat; echo "$1" >&2; exit 7', 'sh', 'two\nlines']);
        child.stdin?.end('asked\n');
        expect(await ended).toEqual({status: 7, stdout: 'asked\n', stderr: 'two\nlines\n'});
    });

    it('gets the end of an input that is over before it is started', async () => {
        await given({startTime: 500});
        const {child, ended} = run(['cat']);
        child.stdin?.end();
        expect(await ended).toEqual({status: 0, stdout: '', stderr: ''});
    });

    it('is handed every byte, however much it is', async () => {
        const {child, ended} = run(['sh', '-c', 'cat | sha256sum']);
        const bytes = Buffer.alloc(20_000_000);
        for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
        child.stdin?.end(bytes);
        const hash = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex');
        expect((await ended).stdout).toBe(`${hash}  -\n`);
    });

    it('writes every byte, and no faster than it is read', async () => {
        const {child, ended} = run(['head', '-c', '20000000', '/dev/zero']);
        child.stdin?.end();
        let bytes = 0;
        child.stdout?.removeAllListeners('data');
        child.stdout?.on('data', (chunk: Buffer) => (bytes += chunk.length));
        expect((await ended).status).toBe(0);
        expect(bytes).toBe(20_000_000);
    });

    it('ends when nobody reads it any more', async () => {
        const {child, ended} = run(['sh', '-c', 'yes; echo "yes ended with $?" >&2']);
        child.stdin?.end();
        child.stdout?.once('data', () => child.stdout?.destroy());
        expect((await ended).stderr).toMatch(/yes ended with/);
    });

    it('does not wait for an input that it does not want', async () => {
        expect(await run(['true']).ended).toMatchObject({status: 0});
    });

    it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('is ended by %s', async signal => {
        const {child, ended, waitFor} = run(['sh', '-c', 'echo ready; exec sleep 60']);
        await waitFor('ready');
        child.kill(signal);
        expect(await ended).toMatchObject({status: 130, stdout: 'ready\n'});
    });

    it('says on the standard error alone why it was not run', async () => {
        await intune('destroy');
        const {child, ended} = run(['true']);
        child.stdin?.end();
        expect(await ended).toMatchObject({
            status: 10,
            stdout: '',
            stderr: expect.stringMatching(ONE_LINE),
        });
    });

    it('has the terminal, where there is one', async () => {
        const {ended} = startOnTerminal(['run', '--', 'tty']);
        const {status, stdout} = await ended;
        expect(status).toBe(0);
        expect(stdout).toMatch(/^Starting the container…\r\n\/dev\/pts\/\d+\r\n$/);
    });

    it('is a shell without a command', async () => {
        const {child, ended} = start(['shell', `--user=${UID}`]);
        child.stdin?.end('echo hello; exit 3\n');
        expect(await ended).toMatchObject({status: 3, stdout: 'hello\n'});
    });
});

describe('on a terminal', () => {
    it('a password is asked for twice, looked at before anything is fetched, and never shown', async () => {
        await intune('destroy');
        const {child, ended, waitFor} = startOnTerminal(['init']);
        await waitFor('New password for the container: ');
        child.stdin?.write('short\r');
        await waitFor('The password needs at least 12 characters');
        child.stdin?.write(`${PASSWORD}\r`);
        await waitFor('The same password again: ');
        child.stdin?.write('another\r');
        await waitFor('not the same');
        child.stdin?.write(`${PASSWORD}x\u007f\r${PASSWORD}\r`);
        const {status, stdout} = await ended;
        expect(status).toBe(0);
        expect(stdout).toContain('The container is made from');
        expect(stdout).not.toContain(PASSWORD);
        expect(stdout).not.toContain('another');
        expect(done()).toContain(`provision ${PASSWORD} null`);
    });

    it('is left by Ctrl+C while it is asked', async () => {
        await intune('destroy');
        const {child, ended, waitFor} = startOnTerminal(['init']);
        await waitFor('New password');
        child.stdin?.write('\u0003');
        expect((await ended).status).toBe(130);
        expect(done()).not.toContain('fetch');
    });

    it('it asks before something is lost', async () => {
        const {child, ended, waitFor} = startOnTerminal(['destroy']);
        await waitFor('Remove it? [y/N] ');
        child.stdin?.write('n\n');
        const {status, stdout} = await ended;
        expect(status).toBe(130);
        expect(stdout).toContain('remove ~/Intune/.config/intune');
        expect(await documentOf('status')).toMatchObject({state: 'stopped'});
        expect(await startOnTerminal(['destroy', '--yes']).ended).toMatchObject({status: 0});
    });
});

it('is refused to those whose container it is not', async () => {
    const child = spawn(
        'setpriv',
        [
            '--reuid=games',
            '--regid=nogroup',
            '--clear-groups',
            process.execPath,
            program,
            'intune',
            'stop',
            `--user=${UID}`,
        ],
        {env: {...process.env, DBUS_SYSTEM_BUS_ADDRESS: stage.bus.address}, stdio: 'pipe'},
    );
    expect(await watch(child).ended).toMatchObject({
        status: 3,
        stderr: 'snowctl: The container is another user’s\n',
    });
});

it('asks whose container root means', async () => {
    expect(await start(['status', '--user=nobody-of-that-name']).ended).toMatchObject({status: 4});
    const {ended} = start(['status']);
    expect(await ended).toMatchObject({
        status: 2,
        stderr: 'snowctl: Say whose container is meant: --user=USER\n',
    });
});
