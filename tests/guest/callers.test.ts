// SPDX-License-Identifier: GPL-2.0-or-later
// Who may have what done, on a real system: its polkit and logind, its sshd, and people at terminals.
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import type {RunOptions, RunResult} from '../lab/guest.ts';
import type {Session} from '../lab/session.ts';
import {PASSWORD} from '../lab/trees.ts';
import {GuestAgent} from './support/guest-agent.ts';
import {SnowGuest} from './support/snow-guest.ts';
import {until} from './support/waiting.ts';

const BUS_NAME = 'org.frostyard.Snow1';
const ROOT = '/org/frostyard/Snow1';
const FIGLET = `${ROOT}/Features/figlet`;
const EXAMPLE_RULE = '/usr/share/doc/snow-control/50-snow-control-admins.rules';
const RULES = '/etc/polkit-1/rules.d/50-snow-control-admins.rules';
const FAST = {timeout: 20_000};

/** Exit statuses of snowctl. */
const DONE = 0;
const NOT_AUTHORIZED = 3;

let snow: SnowGuest;

beforeAll(async () => {
    snow = await SnowGuest.boot('desktop', {
        name: 'callers',
        components: [{name: 'figlet'}, {name: 'jq'}],
    });
    await snow.offer('figlet', ['1.0']);
    await snow.offer('jq', ['1.7']);
    await snow.guest.check('groupadd snow-admins && usermod -aG snow-admins alice');
});
afterAll(() => snow?.[Symbol.asyncDispose]());

beforeEach(() => snow.repository.clearFaults());
afterEach(() => snow.disableAll());

/** A call that does not allow polkit to ask, by a program that knows nothing of Snow Control. */
function call(words: string, options: RunOptions = {}): Promise<RunResult> {
    return snow.guest.run(`busctl --timeout=20 call ${BUS_NAME} ${words}`, options);
}

/** One that allows it. */
function asking(words: string) {
    return `busctl --timeout=60 call --allow-interactive-authorization=yes ${BUS_NAME} ${words}`;
}

const checkCall = `${ROOT}/Features ${BUS_NAME}.Features Check 'a{sv}' 0`;
const updateCall = `${ROOT}/Features ${BUS_NAME}.Features UpdateAll 'a{sv}' 0`;
const enableCall = `${FIGLET} ${BUS_NAME}.Feature Enable 'a{sv}' 0`;

const notAsked = expect.objectContaining({
    exitCode: 1,
    stderr: expect.stringContaining('Authentication is required') as unknown,
}) as unknown;
const accepted = expect.objectContaining({
    exitCode: 0,
    stdout: expect.stringMatching(/^o "\/org\/frostyard\/Snow1\/Jobs\/\d+"\n$/) as unknown,
}) as unknown;

async function isEnabled() {
    return (await snow.feature('figlet')).enabled;
}

/** As the merged image says it. */
function figletVersion(user: string) {
    return snow.guest.check(['cat', '/usr/share/snow-lab/figlet.version'], {user});
}

/** Waits for the end of all jobs. */
async function jobsEnd() {
    await until('the jobs end', async () => {
        const {jobs} = JSON.parse(await snow.ok('jobs --json')) as {jobs: {state: string}[]};
        return jobs.every(({state}) => state !== 'running');
    });
}

describe('a user without a session', () => {
    const alice = {user: 'alice'};

    test('may look at everything', async () => {
        expect(await snow.ok('features list', alice)).toContain('figlet');
        expect(await snow.ok('features auto status', alice)).toContain('off');
        expect(await snow.ok('jobs', alice)).toBeTruthy();
        const state = await call(
            `${ROOT} org.freedesktop.DBus.ObjectManager GetManagedObjects`,
            alice,
        );
        expect(state.stdout).toContain('"The figlet extension"');
    });

    test('may change nothing, nor ask the network', async () => {
        const before = await snow.snapshot();
        for (const words of [checkCall, updateCall, enableCall])
            expect(await call(words, alice)).toEqual(notAsked);
        for (const line of [
            'features check',
            'features update',
            'features enable figlet',
            'features auto on',
        ]) {
            const {exitCode, stderr, stdout} = await snow.snowctl(line, alice);
            expect([line, exitCode, stdout]).toEqual([line, NOT_AUTHORIZED, '']);
            expect(stderr).toMatch(/^(.*\n)?snowctl: Authentication is required[^\n]*\n$/);
        }
        expect(await snow.snapshot()).toBe(before);
        expect((await snow.repository.log()).requests).toEqual([]);
    });
});

describe('at the machine', () => {
    let session: Session;

    beforeEach(async () => {
        session = await snow.guest.openSession('alice');
    });
    afterEach(() => session.close());

    test('an active user looks for updates and updates without a question, and no more', async () => {
        for (const words of [checkCall, updateCall]) {
            expect(await call(words, {session})).toEqual(accepted);
            await jobsEnd();
        }
        expect(await snow.snowctl('features check', {session})).toMatchObject({exitCode: DONE});
        expect(await snow.snowctl('features update', {session})).toMatchObject({exitCode: DONE});
        expect(await call(enableCall, {session})).toEqual(notAsked);
        expect(await isEnabled()).toBe(false);
    });

    test('a user whose session is in the background may not even that', async () => {
        await using other = await snow.guest.openSession('bob');
        expect([await session.isActive(), await other.isActive()]).toEqual([false, true]);
        for (const words of [checkCall, updateCall, enableCall])
            expect(await call(words, {session})).toEqual(notAsked);
        expect(await call(checkCall, {session: other})).toEqual(accepted);
    });

    test('the password of an admin on the terminal is what it takes', async () => {
        const terminal = snow.guest.startTerminal(['snowctl', 'features', 'enable', 'figlet'], {
            session,
        });
        await terminal.waitFor(/turn on the system extension figlet[^]*admin[^]*Password: /);
        await untilAsked();
        terminal.type(`${PASSWORD}\n`);
        await terminal.waitFor(/figlet 1\.0 is enabled and merged\./);
        expect(await terminal.exit).toBe(DONE);
        expect(terminal.text).not.toContain(PASSWORD);
        expect(await snow.merged()).toEqual(['figlet']);
    });

    test('a wrong one is refused, and nothing changes', async () => {
        const before = await snow.snapshot();
        const terminal = snow.guest.startTerminal(['snowctl', 'features', 'enable', 'figlet'], {
            session,
        });
        await terminal.waitFor(/Password: /);
        await untilAsked();
        terminal.type('wrong\n');
        await terminal.waitFor(/AUTHENTICATION FAILED/);
        expect(await terminal.exit).toBe(NOT_AUTHORIZED);
        expect(terminal.text).toMatch(/snowctl: [^\n]*\r?\n$/);
        expect(await snow.snapshot()).toBe(before);
    });

    test('Ctrl-C at the prompt leaves, and the terminal is as it was', async () => {
        const before = await snow.snapshot();
        const script = 'snowctl features enable figlet; echo "status $?"; stty';
        const terminal = snow.guest.startTerminal(['bash', '-ic', script], {session});
        await terminal.waitFor(/Password: /);
        await untilAsked();
        terminal.interrupt();
        const [, status] = await terminal.waitFor(/status (\d+)/);
        expect(Number(status)).not.toBe(DONE);
        await terminal.exit;
        expect(terminal.text.slice(terminal.text.indexOf('status'))).not.toContain('-echo');
        expect(await snow.snapshot()).toBe(before);
    });

    test('a dialog that is dismissed is a no', async () => {
        await using agent = await GuestAgent.start(snow.guest, session, 'dismiss');
        const {exitCode, stderr} = await snow.snowctl('features enable figlet', {session});
        expect(exitCode).toBe(NOT_AUTHORIZED);
        expect(stderr).toContain('snowctl: The authentication was dismissed\n');
        expect(await agent.prompt()).toMatchObject({
            action: 'org.frostyard.Snow1.features.manage',
            message: 'Authentication is required to turn on the system extension figlet',
        });
        expect(await isEnabled()).toBe(false);
    });

    test('--no-ask-password asks nobody', async () => {
        await using agent = await GuestAgent.start(snow.guest, session, 'dismiss');
        const words = ['snowctl', 'features', 'enable', '--no-ask-password', 'figlet'];
        expect(await snow.guest.run(words, {session})).toMatchObject({exitCode: NOT_AUTHORIZED});
        const terminal = snow.guest.startTerminal(words, {session});
        expect(await terminal.exit).toBe(NOT_AUTHORIZED);
        expect(terminal.text).not.toMatch(/assword: /);
        expect(agent.prompts).toBe(0);
    });

    test('the dialog goes away with the client that it is for', async () => {
        await using agent = await GuestAgent.start(snow.guest, session, 'wait');
        const client = snow.guest.run(`echo $$ >/tmp/client; exec ${asking(enableCall)}`, {
            session,
        });
        const prompt = await agent.prompt();
        await snow.guest.check('kill -KILL "$(cat /tmp/client)"');
        await client;
        await agent.untilCancelled(prompt);
        await jobsEnd();
        expect(await isEnabled()).toBe(false);
        await snow.guest.check(['rm', '-f', '/tmp/client']);
    });

    test('the example rule lets its group in, there and nowhere else', async () => {
        await using other = await snow.guest.openSession('bob');
        expect(await call(enableCall, {session: other})).toEqual(notAsked);
        await snow.guest.check(['cp', EXAMPLE_RULE, RULES]);
        await session.activate();
        try {
            await until('polkit reads the rule', async () => {
                const {exitCode} = await call(enableCall, {session});
                return exitCode === 0;
            });
            await jobsEnd();
            expect(await isEnabled()).toBe(true);
            expect(await call(enableCall, {user: 'alice'})).toEqual(notAsked);
            await other.activate();
            expect(await call(enableCall, {session})).toEqual(notAsked);
            expect(await call(enableCall, {session: other})).toEqual(notAsked);
        } finally {
            await snow.guest.check(['rm', RULES]);
            await until('polkit forgets the rule', async () => {
                await session.activate();
                return (await call(enableCall, {session})).exitCode !== 0;
            });
        }
    });

    test('one user has at most 16 jobs that are not finished', async () => {
        await snow.repository.setFault('*', {kind: 'hang'});
        const results = await Promise.all(
            Array.from({length: 17}, () => call(checkCall, {session})),
        );
        expect(results.filter(({exitCode}) => exitCode === 0)).toHaveLength(16);
        expect(results.find(({exitCode}) => exitCode !== 0)?.stderr).toContain(
            '16 jobs that are not finished',
        );
        expect(await call(checkCall)).toEqual(accepted);

        const {stdout} = await call(`${ROOT} ${BUS_NAME}.Manager ListJobs`);
        for (const [, path] of stdout.matchAll(/"(\S+)"/g))
            await call(`${path} ${BUS_NAME}.Job Cancel 'a{sv}' 0`);
        await jobsEnd();
        expect(await call(checkCall, {session})).toEqual(accepted);
        await snow.repository.clearFaults();
        await snow.guest.check(['systemctl', 'stop', 'snowd.service']);
    });

    test('a job is cancelled by the one who started it, or root', async () => {
        await snow.repository.setFault('*', {kind: 'hang'});
        const start = async () => {
            const {stdout} = await call(checkCall, {session});
            return /Jobs\/(\d+)/.exec(stdout)?.[1] ?? '';
        };
        const cancel = (job: string, options: RunOptions) => snow.snowctl(`cancel ${job}`, options);
        const first = await start();
        const refused = await cancel(first, {user: 'bob'});
        expect(refused).toMatchObject({exitCode: NOT_AUTHORIZED});
        expect(refused.stderr).toContain('The job is another user’s');
        // Without a session, too: what is one's own needs no authorization.
        expect(await cancel(first, {user: 'alice'})).toMatchObject({exitCode: DONE});
        expect(await cancel(await start(), {})).toMatchObject({exitCode: DONE});
        await jobsEnd();
        const {jobs} = JSON.parse(await snow.ok('jobs --json')) as {jobs: {state: string}[]};
        expect(jobs.slice(-2).map(({state}) => state)).toEqual(['cancelled', 'cancelled']);
    });
});

/** pkttyagent throws away what was typed before it turned the echo off. */
async function untilAsked(): Promise<void> {
    await until('what is typed is read', async () => {
        const {stdout} = await snow.guest.run(
            'stty -a -F "/dev/$(ps -o tty= -C pkttyagent | tail -n 1)"',
        );
        return stdout.includes(' -echo ');
    });
}

describe('root', () => {
    test('needs neither session nor password', async () => {
        expect(await snow.ok('features enable figlet')).toBe('figlet 1.0 is enabled and merged.\n');
        expect(await figletVersion('alice')).toBe('1.0\n');
    });

    test('may do nothing either when polkit is away', async () => {
        const before = await snow.snapshot();
        await snow.guest.check(['systemctl', 'mask', '--runtime', '--now', 'polkit.service']);
        try {
            for (const user of ['root', 'alice']) {
                const {exitCode, stderr} = await snow.snowctl('features enable figlet', {user});
                expect([user, exitCode]).toEqual([user, NOT_AUTHORIZED]);
                expect(stderr).toContain('polkit cannot be asked, so nobody is authorized');
            }
            expect(await snow.snapshot()).toBe(before);
        } finally {
            await snow.guest.check(['systemctl', 'unmask', '--runtime', 'polkit.service']);
        }
        // One that is only stopped is started by the question.
        expect(await snow.snowctl('features enable figlet')).toMatchObject({exitCode: DONE});
    });

    test('a job goes on to its end without its client', async () => {
        await snow.repository.setFault(`/ext/figlet/figlet_1.0_13_x86-64.raw.zst`, {
            kind: 'throttle',
            bytesPerSecond: 20_000,
        });
        const client = snow.guest.run(
            'echo $$ >/tmp/client; exec snowctl features enable figlet',
            FAST,
        );
        await until('the download is under way', async () =>
            (await snow.ok('jobs')).includes('Downloading'),
        );
        await snow.guest.check('kill -KILL "$(cat /tmp/client)"; rm /tmp/client');
        await client;
        expect(await isEnabled()).toBe(false);
        await snow.repository.clearFaults();
        await until('the job ends', isEnabled);
        expect(await snow.merged()).toEqual(['figlet']);
    });
});

describe('over ssh', () => {
    const ssh = (user: string, ...options: string[]) => [
        ...['ssh', '-i', '/root/.ssh/lab', '-o', 'StrictHostKeyChecking=no'],
        ...['-o', 'LogLevel=ERROR', ...options, `${user}@127.0.0.1`],
    ];

    beforeAll(async () => {
        await snow.guest.check(`mkdir -p -m 700 /root/.ssh /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/lab
ssh-keygen -A
for user in alice admin root; do
    home=$(getent passwd $user | cut -d: -f6)
    install -d -m 700 -o $user -g $user $home/.ssh
    install -m 600 -o $user -g $user /root/.ssh/lab.pub $home/.ssh/authorized_keys
done
systemctl start ssh.service`);
    });

    test('there is no seat, and so an admin password is needed for everything', async () => {
        const before = await snow.snapshot();
        for (const line of ['features check', 'features update', 'features enable figlet']) {
            const {exitCode, stderr} = await snow.guest.run([...ssh('alice'), `snowctl ${line}`]);
            expect([line, exitCode]).toEqual([line, NOT_AUTHORIZED]);
            expect(stderr).toContain('snowctl: Authentication is required');
        }
        expect(await snow.guest.check([...ssh('alice'), 'snowctl features list'])).toContain(
            'figlet',
        );
        expect(await snow.snapshot()).toBe(before);
    });

    test('it is asked for where there is a terminal', async () => {
        for (const user of ['alice', 'admin']) {
            const terminal = snow.guest.startTerminal([
                ...ssh(user, '-tt'),
                'snowctl features enable figlet',
            ]);
            await terminal.waitFor(/Authenticating as: admin[^]*Password: /);
            await untilAsked();
            terminal.type(`${PASSWORD}\n`);
            expect([user, await terminal.exit, terminal.text]).toEqual([
                user,
                DONE,
                expect.stringContaining('figlet 1.0 is enabled and merged.'),
            ]);
            await snow.disableAll();
        }
    });

    test('root is let in as anywhere', async () => {
        const command = [...ssh('root'), 'snowctl features enable figlet'];
        expect(await snow.guest.run(command)).toMatchObject({
            exitCode: DONE,
            stdout: 'figlet 1.0 is enabled and merged.\n',
        });
    });
});

/**
 * Every method, as busctl calls it for root: what it answers, or what the error says. `guarded`: others
 * are asked for a password.
 */
const methods: readonly {
    readonly path: string;
    readonly name: string;
    readonly args?: string;
    readonly answer: RegExp;
    readonly isError?: true;
    readonly isGuarded?: true;
}[] = [
    {path: '', name: 'org.freedesktop.DBus.Peer.Ping', answer: /^$/},
    {path: '', name: 'org.freedesktop.DBus.Peer.GetMachineId', answer: /^s "[0-9a-f]{32}"\n$/},
    {path: '', name: 'org.freedesktop.DBus.Introspectable.Introspect', answer: /^s "<!DOCTYPE/},
    {
        path: '',
        name: 'org.freedesktop.DBus.Properties.Get',
        args: `ss ${BUS_NAME}.Manager Version`,
        answer: /^v s "\d+\.\d+\.\d+"\n$/,
    },
    {
        path: '/Features/figlet',
        name: 'org.freedesktop.DBus.Properties.GetAll',
        args: `s ${BUS_NAME}.Feature`,
        answer: /^a\{sv\} 11 .*"Name" s "figlet"/,
    },
    {
        path: '/Features/figlet',
        name: 'org.freedesktop.DBus.Properties.Set',
        args: `ssv ${BUS_NAME}.Feature Enabled b true`,
        answer: /Enabled cannot be set/,
        isError: true,
    },
    {
        path: '',
        name: 'org.freedesktop.DBus.ObjectManager.GetManagedObjects',
        answer: /^a\{oa\{sa\{sv\}\}\} \d+ /,
    },
    {path: '', name: `${BUS_NAME}.Manager.ListJobs`, answer: /^ao \d+/},
    ...['Check', 'UpdateAll'].map(member => ({
        path: '/Features',
        name: `${BUS_NAME}.Features.${member}`,
        args: `'a{sv}' 0`,
        answer: /Jobs/,
        isGuarded: true as const,
    })),
    {
        path: '/Features',
        name: `${BUS_NAME}.Features.SetAutomatic`,
        args: `'ba{sv}' false 0`,
        answer: /Jobs/,
        isGuarded: true,
    },
    {
        path: '/Features/figlet',
        name: `${BUS_NAME}.Feature.Enable`,
        args: `'a{sv}' 1 merge b true`,
        answer: /Jobs/,
        isGuarded: true,
    },
    {
        path: '/Features/figlet',
        name: `${BUS_NAME}.Feature.Update`,
        args: `'a{sv}' 1 merge b false`,
        answer: /Jobs/,
        isGuarded: true,
    },
    {
        path: '/Features/figlet',
        name: `${BUS_NAME}.Feature.Rollback`,
        args: `'sa{sv}' 1.0 0`,
        answer: /Jobs/,
        isGuarded: true,
    },
    {
        path: '/Features/figlet',
        name: `${BUS_NAME}.Feature.Disable`,
        args: `'a{sv}' 0`,
        answer: /Jobs/,
        isGuarded: true,
    },
    {path: '/Jobs/1', name: `${BUS_NAME}.Job.Cancel`, args: `'a{sv}' 0`, answer: /^$/},
];

test('every method of every interface answers busctl, and those that change ask first', async () => {
    await snow.guest.check(['systemctl', 'stop', 'snowd.service']);
    const called = new Set<string>();
    for (const {path, name, args = '', answer, isError, isGuarded} of methods) {
        const [, interfaceName, member] = /^(.*)\.(\w+)$/.exec(name) ?? [];
        const words = `${ROOT}${path} ${interfaceName} ${member} ${args}`;
        if (isGuarded) expect(await call(words, {user: 'bob'})).toEqual(notAsked);
        const {exitCode, stdout, stderr} = await call(words);
        expect([name, exitCode, isError ? stderr : stdout]).toEqual([
            name,
            isError ? 1 : 0,
            expect.stringMatching(answer),
        ]);
        called.add(name);
        if (isGuarded) await jobsEnd();
    }
    const {jobs} = JSON.parse(await snow.ok('jobs --json')) as {jobs: {error: unknown}[]};
    expect(jobs.map(({error}) => error)).toEqual(jobs.map(() => null));

    const known = new Set<string>();
    for (const path of ['', '/Features', '/Features/figlet', '/Jobs/1']) {
        const xml = await snow.guest.check(
            `busctl introspect --xml-interface ${BUS_NAME} ${ROOT}${path}`,
        );
        for (const [, interfaceName, body = ''] of xml.matchAll(
            /<interface name="([^"]+)">([^]*?)<\/interface>/g,
        ))
            for (const [, member] of body.matchAll(/<method name="(\w+)"/g))
                known.add(`${interfaceName}.${member}`);
    }
    expect([...known].sort()).toEqual([...called].sort());
});

describe('the sandbox', () => {
    test('is a tight one, as systemd sees it', async () => {
        const text = await snow.guest.check([
            ...['systemd-analyze', 'security', '--no-pager', 'snowd.service'],
        ]);
        const [, exposure] = /Overall exposure level for snowd\.service: ([\d.]+)/.exec(text) ?? [];
        console.log(`systemd-analyze security snowd.service: exposure ${exposure}`);
        expect(Number(exposure)).toBeLessThan(4);
    });

    test('lets snowd write neither to /usr nor to homes, and merges for the whole system', async () => {
        expect(await snow.ok('features enable figlet')).toContain('merged');
        const pid = (
            await snow.guest.check('systemctl show --value -p MainPID snowd.service')
        ).trim();
        const inside = (command: string) =>
            snow.guest.run(`nsenter --target ${pid} --mount sh -c '${command}'`);
        for (const path of ['/usr/x', '/boot/x', '/usr/local/x']) {
            const {exitCode, stderr} = await inside(`touch ${path}`);
            expect([path, exitCode, stderr]).toEqual([
                path,
                1,
                expect.stringContaining('Read-only file system'),
            ]);
        }
        expect((await inside('ls -A /home /root')).stdout).not.toMatch(/alice|ssh/);
        expect(await inside('touch /home/x')).not.toMatchObject({exitCode: 0});
        // The capabilities of the process itself.
        const status = await snow.guest.check(['cat', `/proc/${pid}/status`]);
        expect(status).toMatch(/^NoNewPrivs:\t1$/m);
        expect(status).toMatch(/^Seccomp:\t2$/m);
        const capabilities = BigInt(`0x${/^CapBnd:\t(\w+)$/m.exec(status)?.[1]}`);
        const CAP_SYS_ADMIN = 21n;
        expect((capabilities >> CAP_SYS_ADMIN) & 1n).toBe(0n);

        // Others see what was merged; it was not snowd's own mount namespace.
        expect(await snow.merged()).toEqual(['figlet']);
        expect(await figletVersion('bob')).toBe('1.0\n');
        const log = await snow.guest.check(
            'journalctl --sync; journalctl -o cat --no-pager UNIT=snow-control-sysext-refresh.service',
        );
        expect(log).toContain('Finished snow-control-sysext-refresh.service');
    });
});
