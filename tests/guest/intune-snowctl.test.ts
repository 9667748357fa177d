// SPDX-License-Identifier: GPL-2.0-or-later
// A container as its user has it from the command line: a real image, a real container, and programs of
// it with the streams, the signals and the terminal of who called.
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import type {RunResult} from '../lab/guest.ts';
import {CONTAINER_PASSWORD, IMAGE, IntuneLab} from '../lab/intune/lab.ts';
import type {Session} from '../lab/session.ts';

const LONG = 120_000;
const UNIT = 'systemd-nspawn@intune-u1001.service';
/** The passwords of administrators are tested elsewhere. */
const rule = `polkit.addRule(function (action, subject) {
    if (action.id === 'org.frostyard.Snow1.intune.manage') return polkit.Result.YES;
});
`;

let lab: IntuneLab;
let session: Session;

beforeAll(async () => {
    lab = await IntuneLab.boot({
        name: 'intune-snowctl',
        files: {'/etc/polkit-1/rules.d/10-lab.rules': rule},
    });
    session = await lab.guest.openSession('alice');
}, 600_000);
afterAll(() => lab?.[Symbol.asyncDispose]());

const shell = (script: string): Promise<RunResult> =>
    lab.guest.run(script, {session, timeout: LONG});
const intune = (...args: readonly string[]): Promise<RunResult> =>
    lab.guest.run(['snowctl', 'intune', ...args], {session, timeout: LONG});
const startTerminal = (...args: readonly string[]) =>
    lab.guest.startTerminal(['snowctl', 'intune', ...args], {session, timeout: LONG});

test('it is made with a password that nobody sees', async () => {
    const terminal = startTerminal('init');
    await terminal.waitFor(/New password for the container: $/);
    terminal.type(`${CONTAINER_PASSWORD}\n`);
    await terminal.waitFor(/again: $/);
    terminal.type(`${CONTAINER_PASSWORD}\n`);
    expect(await terminal.exit).toBe(0);
    expect(terminal.text).toContain(`Downloading ${IMAGE}:latest`);
    expect(terminal.text).not.toContain(CONTAINER_PASSWORD);
    expect(await lab.guest.check('journalctl --no-pager -b')).not.toContain(CONTAINER_PASSWORD);
    expect(JSON.parse((await intune('status', '--json')).stdout)).toMatchObject({
        uid: session.uid,
        state: 'stopped',
        image: `${IMAGE}:latest`,
        digest: lab.digests[1],
    });
});

test('what is configured counts for whoever starts it next', async () => {
    const limit = async (): Promise<string> =>
        (await lab.guest.check(['systemctl', 'show', '-P', 'MemoryMax', UNIT])).trim();
    expect(await limit()).toBe('infinity');
    expect(await intune('configure', 'memory-max=900M')).toMatchObject({exitCode: 0});
    expect(await limit()).toBe(`${900 * 1024 * 1024}`);
    expect(await intune('configure', 'memory-max=')).toMatchObject({exitCode: 0});
    expect(await limit()).toBe('infinity');
});

test('it starts at login where that is wanted, and not elsewhere', async () => {
    const login = async (): Promise<string> => {
        await shell('systemctl --user start snow-intune-autostart.service');
        const {stdout} = await intune('status', '--json');
        return (JSON.parse(stdout) as {readonly state: string}).state;
    };
    expect(await login()).toBe('stopped');
    expect((await intune('autostart', 'on')).exitCode).toBe(0);
    expect(await login()).toBe('running');
});

describe('a program', () => {
    test('is the user in the container, with what it is given and its exit status', async () => {
        const {stdout, stderr, exitCode} = await shell(
            "echo asked | snowctl intune run -- sh -c 'id -un; tty; cat; echo told >&2; exit 42'",
        );
        expect([stdout, stderr, exitCode]).toEqual(['alice\nnot a tty\nasked\n', 'told\n', 42]);
    });

    test('gets and gives every byte', async () => {
        const {stdout} = await shell(
            `head -c 20000000 /dev/urandom >/tmp/bytes; sha256sum </tmp/bytes
            snowctl intune run -- sha256sum </tmp/bytes
            snowctl intune run -- cat </tmp/bytes | sha256sum; rm /tmp/bytes`,
        );
        const [wanted, ...others] = stdout.trim().split('\n');
        expect(others).toEqual([wanted, wanted]);
    });

    test('ends with its reader, and without an input', async () => {
        const {stdout, stderr} = await shell(
            'snowctl intune run -- yes | head -n 1; snowctl intune run -- cat </dev/null; echo $?',
        );
        expect(stdout).toBe('y\n0\n');
        expect(stderr).toContain('Broken pipe');
    });

    test('is ended by a signal, and nothing of it is left', async () => {
        const {stdout, stderr} = await shell(
            `snowctl intune run -- sh -c 'echo begun; exec sleep 1000' >/tmp/begun &
            until grep -q begun /tmp/begun; do sleep 0.1; done
            kill -INT $!; wait $!; echo $?; rm /tmp/begun
            snowctl intune run -- pgrep -x sleep >&2; echo $?
            ls -d $XDG_RUNTIME_DIR/snowctl-* 2>/dev/null`,
        );
        expect(stdout).toBe('130\n1\n');
        expect(stderr).toMatch(/^snowctl: The program was ended$/m);
    });
});

test('a shell has the terminal: its size, its Ctrl+C and its exit status', async () => {
    const terminal = startTerminal('shell');
    await terminal.waitFor(/\$ /);
    terminal.type('stty size\n');
    await terminal.waitFor(/\d+ \d+\r\n/);
    // Printed by what has the terminal: between two programs the shell itself would get the signal.
    terminal.type(`sh -c 'echo be""gun; exec sleep 1000'\n`);
    await terminal.waitFor(/begun\r\n/);
    terminal.type('\u0003');
    // What is typed before the next prompt may be dropped with what was interrupted.
    await terminal.waitFor(/\^C[^]*\$ $/);
    terminal.type('exit 5\n');
    expect(await terminal.exit).toBe(5);
});

test('what it is in is told, and that it is well', async () => {
    const {stdout, exitCode} = await intune('status');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^State: +running since /m);
    expect(stdout).toMatch(/^From this machine: +home: \/home\/alice\/Intune at \/home\/alice$/m);
    expect(stdout).toMatch(/^Keyring: +unlocked$/m);
    expect(stdout).toMatch(/^Agent timer: +on$/m);
    const {stdout: findings} = await shell('snowctl doctor --json');
    // Nobody can sign in where no desktop runs.
    expect(findings).toContain('The container has no display');
});

test('root acts on it by the name of its user, and nobody else does', async () => {
    const user = `--user=${session.user}`;
    const asRoot = await lab.guest.check(['snowctl', 'intune', 'run', user, '--', 'id', '-un']);
    expect(asRoot).toBe('alice\n');
    const asBob = await lab.guest.run(['snowctl', 'intune', 'stop', user], {user: 'bob'});
    expect(asBob).toMatchObject({exitCode: 3, stderr: expect.stringContaining('another user’s')});
});
