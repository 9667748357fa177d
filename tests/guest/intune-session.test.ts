// SPDX-License-Identifier: GPL-2.0-or-later
// From an image's root directory to a session with applications: what a container's user is, that his
// secrets are where they belong, and how his programs run. The container is started by hand.
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';

import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {bundle} from '../bus/harness/bundle.ts';
import {Desktop} from '../lab/desktop.ts';
import type {Guest, RunOptions, RunResult} from '../lab/guest.ts';
import {CONTAINER_PASSWORD, IMAGE, IntuneLab} from '../lab/intune/lab.ts';
import {type Outcome, type Request, UID_BASE} from './support/intune-session-request.ts';
import {until} from './support/waiting.ts';

const MACHINE = 'intune-u1001';
const UNIT = `systemd-nspawn@${MACHINE}.service`;
const MACHINES = '/var/lib/machines';
const ROOTFS = `${MACHINES}/${MACHINE}`;
const PRISTINE = `${MACHINES}/.pristine`;
const PORTAL = '/opt/microsoft/intune/bin/intune-portal';
const PIPES = '/run/user/1001/snow-test';
const LONG = 120_000;

const settings = `[Exec]
Boot=yes
PrivateUsers=${UID_BASE}:65536
NotifyReady=yes

[Network]
Private=no
VirtualEthernet=no

[Files]
PrivateUsersOwnership=map
Bind=/home/alice/Intune:/home/alice:owneridmap
Bind=/run/user/1001/wayland-0:/run/host-wayland:idmap
BindReadOnly=/usr/lib/snow-control/container:/usr/lib/snow-control
BindReadOnly=/run/lab/session.env:/run/snow-control/session.env
`;

let lab: IntuneLab;
let guest: Guest;
let desktop: Desktop;
let count = 0;

beforeAll(async () => {
    lab = await IntuneLab.boot({
        name: 'intune-session',
        files: {'/etc/systemd/system/lab-request@.service': await sandboxed()},
    });
    guest = lab.guest;
    const directory = await mkdtemp(join(tmpdir(), 'intune-session-'));
    for (const program of ['intune-session-program', 'fetch-program'])
        await guest.copyIn(
            await bundle(`tests/guest/support/${program}.ts`, directory),
            `/run/lab/${program}.cjs`,
        );
    await rm(directory, {recursive: true});
    desktop = await Desktop.start(guest);
    await guest.putFile(
        '/run/lab/session.env',
        'WAYLAND_DISPLAY=/run/host-wayland\nLANG=C.UTF-8\nodd line\n',
    );
    await guest.putFile(`/run/systemd/nspawn/${MACHINE}.nspawn`, settings);
    await guest.check('mkdir -m 0700 /home/alice/Intune', {user: 'alice'});
    await guest.check(
        `chmod 0700 ${MACHINES}; mkdir -p /run/lab/requests
         until curl -sf http://127.0.0.1:5000/v2/ >/run/lab/null; do sleep 0.1; done
         node /run/lab/fetch-program.cjs fetch ${IMAGE}:latest ${PRISTINE} 60000`,
        {timeout: LONG},
    );
}, 600_000);
afterAll(() => lab?.[Symbol.asyncDispose]());

/** snowd's own unit, with the program of these tests in its place. */
async function sandboxed(): Promise<string> {
    const text = await readFile(
        resolve(import.meta.dirname, '../../data/systemd/snowd.service'),
        'utf8',
    );
    return text
        .replace(/^Type=.*\nBusName=.*$/m, 'Type=oneshot')
        .replace(
            /^ExecStart=.*$/m,
            'ExecStart=node /run/lab/intune-session-program.cjs /run/lab/requests/%i\n' +
                'StandardOutput=truncate:/run/lab/requests/%i.out\nReadWritePaths=/run/lab',
        );
}

/** As the service does it. */
async function ask(request: Request): Promise<Outcome> {
    const id = await begin(request);
    return end(id);
}

async function begin(request: Request): Promise<string> {
    const id = `${++count}`;
    await guest.putFile(`/run/lab/requests/${id}`, JSON.stringify(request), {mode: 0o600});
    await guest.check(['systemctl', 'start', '--no-block', `lab-request@${id}.service`]);
    return id;
}

async function end(id: string): Promise<Outcome> {
    const text = await until(`request ${id} is answered`, async () => {
        const {stdout} = await guest.run(['cat', `/run/lab/requests/${id}.out`]);
        return stdout.endsWith('\n') && stdout;
    });
    return JSON.parse(text) as Outcome;
}

/** As the worker does it, which is not confined. */
async function provision(
    rootfs: string,
    {password = null, keepFrom = null}: {password?: string | null; keepFrom?: string | null} = {},
): Promise<Outcome> {
    const path = `/run/lab/requests/${++count}`;
    const request: Request = {verb: 'provision', rootfs, password, keepFrom};
    await guest.putFile(path, JSON.stringify(request), {mode: 0o600});
    const command = ['node', '/run/lab/intune-session-program.cjs', path];
    return JSON.parse(await guest.check(command, {timeout: LONG})) as Outcome;
}

async function copyImage(to: string): Promise<void> {
    await guest.check(`rm -rf ${to}; cp -a ${PRISTINE} ${to}`, {timeout: LONG});
}

/** Its files are those of the image itself: none may be written to in its place. */
async function linkImage(to: string): Promise<void> {
    await guest.check(`rm -rf ${to}; cp -al ${PRISTINE} ${to}`, {timeout: LONG});
}

/** Runs a program as the container's root, by its own service manager. */
function asRoot(script: string): Promise<string> {
    return guest.check([
        ...['systemd-run', `--machine=${MACHINE}`, '--wait', '--pipe', '--quiet'],
        ...['sh', '-c', script],
    ]);
}

/** Runs a program in the container as `snowctl intune run` does it, with alice's FIFOs. */
async function run(
    command: readonly string[],
    {input = '', timeout = 60_000}: Pick<RunOptions, 'timeout'> & {input?: string | Buffer} = {},
): Promise<RunResult> {
    await makePipes();
    const id = await begin({verb: 'run', command, pipes: PIPES, isTerminal: false});
    const {stdout: encoded, stderr} = await guest.run(
        'exec 3<&0; cat <&3 >stdin & base64 <stdout & cat <stderr >&2 & wait',
        {user: 'alice', cwd: PIPES, input, timeout},
    );
    const {result, error} = await end(id);
    if (error) throw new Error(error.join(': '));
    const stdout = Buffer.from(encoded, 'base64').toString('latin1');
    return {stdout, stderr, exitCode: Number(result)};
}

async function makePipes(): Promise<void> {
    await guest.check(
        `rm -rf ${PIPES}; mkdir -m 0700 ${PIPES}; cd ${PIPES}; mkfifo -m 0666 stdin stdout stderr`,
        {user: 'alice'},
    );
}

async function runJson(...command: readonly string[]): Promise<Record<string, string>> {
    const {stdout, stderr, exitCode} = await run(command);
    if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${exitCode}\n${stdout}${stderr}`);
    return JSON.parse(stdout) as Record<string, string>;
}

function shadowOf(rootfs: string): Promise<string> {
    return guest.check(`grep '^alice:' ${rootfs}/etc/shadow`);
}

describe('a root directory that is set up', () => {
    test('has a user of the host’s name, number and groups, whatever the image has', async () => {
        await copyImage(ROOTFS);
        expect(await provision(ROOTFS, {password: CONTAINER_PASSWORD})).toMatchObject({
            error: null,
        });
        const passwd = await guest.check(`cat ${ROOTFS}/etc/passwd`);
        expect(passwd).toContain('alice:x:1001:1001:');
        expect(passwd).not.toContain('ubuntu');
        const groups = await guest.check(`cat ${ROOTFS}/etc/group`);
        expect(groups).toMatch(/^sudo:.*:alice$/m);
        const render = (await guest.check('getent group render')).split(':')[2];
        expect(groups).toMatch(new RegExp(`^render:x:${render}:alice$`, 'm'));
        expect(groups).not.toMatch(new RegExp(`^landscape:x:${render}:`, 'm'));
        expect(await guest.check(`stat -c '%u %g %a' ${ROOTFS}/home/alice`)).toBe(
            '1001 1001 700\n',
        );
        expect(await guest.check(`cat ${ROOTFS}/etc/hostname`)).toBe(
            `${(await guest.check('uname -n')).trim()}LXC\n`,
        );
        expect(await guest.check(`cat ${ROOTFS}/etc/machine-id`)).toMatch(/^[0-9a-f]{32}\n$/);
        expect(await shadowOf(ROOTFS)).toMatch(/^alice:\$y\$/);
    });

    test('is refused with a password that breaks the policy, and nothing is changed', async () => {
        const rootfs = `${MACHINES}/.refused`;
        await guest.check(`mkdir ${rootfs}`);
        expect(await provision(rootfs, {password: 'Ice-Floe-alice-1'})).toMatchObject({
            error: ['InvalidArgs', expect.stringMatching(/name/)],
        });
        expect(await guest.check(`ls -A ${rootfs}`)).toBe('');
    });

    test('shows the password to no process list, no environment, and no journal', async () => {
        const rootfs = `${MACHINES}/.watched`;
        await linkImage(rootfs);
        // Slow enough to be looked at while it has the password.
        await guest.check(
            `cd ${rootfs}/usr/sbin; mv chpasswd chpasswd.real
             printf '#!/bin/sh\\nsleep 1.5\\nexec /usr/sbin/chpasswd.real "$@"\\n' >chpasswd; chmod 755 chpasswd`,
        );
        const password = 'Polynya!Growler-77';
        await guest.putFile('/run/lab/password', password, {mode: 0o600});
        const provisioned = provision(rootfs, {password});
        await until('chpasswd runs', async () => {
            const {exitCode} = await guest.run(['pgrep', '-f', '^sleep 1.5$']);
            return exitCode === 0;
        });
        const shown = await guest.run(
            'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>&1 | grep -acF -f /run/lab/password',
        );
        expect(shown.stdout).toBe('0\n');
        expect(await provisioned).toMatchObject({error: null});
        const units =
            'systemctl show "*" --all; journalctl --sync; journalctl -o verbose --no-pager';
        const logged = await guest.run(`{ ${units}; } | grep -acF -f /run/lab/password`);
        expect(logged.stdout).toBe('0\n');
        const files = await guest.run(
            `rm /run/lab/password; grep -rlF '${password}' /run/lab /run/snow-control /run/systemd /tmp /var/tmp ${rootfs}/etc ${rootfs}/var`,
        );
        expect(files.stdout).toBe('');
        expect(await shadowOf(rootfs)).toMatch(/^alice:\$y\$/);
        await guest.check(`rm -rf ${rootfs}`, {timeout: LONG});
    });
});

describe('a root directory that is not to be trusted', () => {
    const hostile = `${MACHINES}/.hostile`;

    async function plant(script: string): Promise<void> {
        await linkImage(hostile);
        await guest.check(`mkdir -p /run/lab/outside; cd ${hostile} && ${script}`);
    }

    async function replaceFile(path: string, content: string): Promise<void> {
        await guest.check(['rm', path]);
        await guest.putFile(path, content, {mode: 0o755});
    }

    async function expectNothingOutside(): Promise<void> {
        expect(await guest.check('find /run/lab/outside -mindepth 1')).toBe('');
        const {stdout} = await guest.run(
            'ls -d /var/lib/systemd/linger/alice /etc/systemd/system/snow-intune-session@.service /etc/hostname.lab 2>&1 | grep -v cannot',
        );
        expect(stdout).toBe('');
        expect(await guest.check('stat -c %U:%a /etc /home /var/lib /home/alice')).toBe(
            'root:755\nroot:755\nroot:755\nalice:700\n',
        );
    }

    test.each([
        ['/etc is a link to the host’s', 'rm -rf etc && ln -s /etc etc', 'WrongState'],
        ['/etc/passwd is a link', 'ln -sf /etc/passwd etc/passwd', 'WrongState|Failed'],
        ['/home leads out', 'rm -rf home && ln -s ../../../../run/lab/outside home', '.*'],
        ['home directory leads out', 'ln -s ../../../../../run/lab/outside home/alice', 'nothing'],
        [
            '/etc/systemd/system leads out',
            'rm -rf etc/systemd/system && ln -s /run/lab/outside etc/systemd/system',
            '.*',
        ],
        [
            '/etc/machine-id and /etc/hostname lead out',
            'ln -sf /run/lab/outside/id etc/machine-id && ln -sf ../../../../../etc/hostname.lab etc/hostname',
            'nothing',
        ],
        [
            '/var/lib/systemd leads out',
            'rm -rf var/lib/systemd && ln -s ../../../../../var/lib/systemd var/lib/systemd',
            '.*',
        ],
    ])(
        'changes nothing of the host when %s',
        async (_, script, code) => {
            await guest.check('chmod 700 /home/alice');
            await plant(script);
            const {error} = await provision(hostile, {password: CONTAINER_PASSWORD});
            expect(error?.[0] ?? 'nothing').toMatch(new RegExp(`^(${code})$`));
            await expectNothingOutside();
        },
        LONG,
    );

    test(
        'has its programs run with no rights but over itself, and is not believed',
        async () => {
            const spy = `#!/bin/sh
{
    id -u; cat /proc/self/uid_map; grep CapBnd /proc/self/status; ls /sys/class/net
    mknod /dev/lab b 8 0 && echo made a device
    mount -t tmpfs tmpfs /mnt && echo mounted
    echo x >/proc/sys/kernel/core_pattern && echo wrote to the kernel
    ls -d /proc/[0-9]* | wc -l
    ls /run/lab /home/alice/Intune && echo saw files of the host
} >/evidence 2>/dev/null
exit 0
`;
            await plant('true');
            for (const program of ['useradd', 'usermod', 'groupmod', 'groupadd'])
                await replaceFile(`${hostile}/usr/sbin/${program}`, spy);
            expect(await provision(hostile, {password: CONTAINER_PASSWORD})).toMatchObject({
                error: ['VerificationFailed', expect.any(String)],
            });
            const evidence = await guest.check(`cat ${hostile}/evidence`);
            expect(evidence).toMatch(new RegExp(`^0\\n\\s+0\\s+${UID_BASE}\\s+65536\\n`));
            const bounding = BigInt(`0x${/CapBnd:\s+([0-9a-f]+)/.exec(evidence)?.[1]}`);
            // CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_MKNOD, CAP_NET_ADMIN
            for (const capability of [21n, 19n, 27n, 12n])
                expect((bounding >> capability) & 1n).toBe(0n);
            expect(evidence).toContain('\nlo\n');
            expect(evidence).not.toMatch(/^(eth|host|made|mounted|wrote|saw files)/m);
            await expectNothingOutside();
            await guest.check(`rm -rf ${hostile}`, {timeout: LONG});
        },
        LONG,
    );
});

describe('a container’s session', () => {
    beforeAll(async () => {
        await guest.check(['systemctl', 'start', UNIT], {timeout: LONG});
    }, LONG);

    test('is ready when its service manager says so, with all of its units', async () => {
        expect(await asRoot('systemctl is-system-running; systemctl --failed --no-legend')).toBe(
            'running\n',
        );
        expect(await asRoot('systemctl is-active snow-intune-session@1001')).toBe('active\n');
    });

    test('has one keyring daemon, unlocked, with a default collection', async () => {
        const look = 'ps -o user= -C gnome-keyring-d';
        expect(await asRoot(look)).toBe('alice\n');
        const keyring =
            '/org/freedesktop/secrets/aliases/default org.freedesktop.Secret.Collection';
        const property = ['busctl', '--user', 'get-property', 'org.freedesktop.secrets'];
        const locked = await run([...property, ...keyring.split(' '), 'Locked']);
        expect(locked.stdout).toBe('b false\n');
        // Whoever wants one gets this one.
        for (const name of ['org.freedesktop.secrets', 'org.gnome.keyring'])
            await run(['busctl', '--user', 'call', name, '/', 'org.freedesktop.DBus.Peer', 'Ping']);
        await run(['gnome-keyring-daemon', '--start', '--components=secrets']);
        expect(await asRoot(look)).toBe('alice\n');
    });

    test('lets the identity broker sign in: it has a display, and keeps a secret', async () => {
        const {stderr, exitCode} = await run([PORTAL, '--enrol', 'alice@lab.example']);
        expect([exitCode, stderr]).toEqual([0, '']);
        expect(await runJson(PORTAL, '--check')).toMatchObject({account: 'alice@lab.example'});
    });

    test('has no problems that anybody could name', async () => {
        const {result, error} = await ask({verb: 'inspect'});
        expect(error).toBeNull();
        expect(result).toEqual({
            sessionBus: true,
            keyring: 'unlocked',
            broker: 'running',
            deviceBroker: true,
            agentTimer: true,
            lastCompliance: null,
            problems: [],
        });
        await run(['systemctl', '--user', 'start', 'intune-agent.service']);
        expect((await ask({verb: 'inspect'})).result).toMatchObject({
            lastCompliance: {succeeded: true},
        });
    });

    test('names what is wrong, and what to do', async () => {
        await run(['systemctl', '--user', 'stop', 'snow-intune-keyring.service']);
        await asRoot('systemctl stop microsoft-identity-device-broker.service');
        const {result} = await ask({verb: 'inspect'});
        expect(result).toMatchObject({
            keyring: 'absent',
            deviceBroker: false,
            problems: [
                {problem: expect.stringContaining('no keyring')},
                {problem: expect.stringContaining('device broker')},
            ],
        });
        // What does not work is not all that is tried.
        await run(['systemctl', '--user', 'mask', '--now', 'snow-intune-keyring.service']);
        await run(['systemctl', '--user', 'stop', 'intune-agent.timer']);
        await asRoot('! systemctl restart snow-intune-session@1001');
        expect(await ask({verb: 'inspect'})).toMatchObject({
            result: {
                agentTimer: true,
                problems: [
                    {problem: expect.stringContaining('not set up')},
                    {problem: expect.stringContaining('no keyring')},
                    {problem: expect.stringContaining('device broker')},
                ],
            },
        });
        await run(['systemctl', '--user', 'unmask', 'snow-intune-keyring.service']);
        await asRoot('systemctl restart snow-intune-session@1001');
        await asRoot('systemctl start microsoft-identity-device-broker.service');
    });
});

describe('a program of a container', () => {
    test('has the caller’s streams, byte by byte', async () => {
        const input = Buffer.from(Array.from({length: 500_000}, (_, n) => (n * 7919) >> (n % 5)));
        const {stdout, stderr, exitCode} = await run(['cat'], {input});
        expect(Buffer.from(stdout, 'latin1').equals(input)).toBe(true);
        expect([stderr, exitCode]).toEqual(['', 0]);
    });

    test('keeps its standard output apart from its errors, and its words as they are', async () => {
        const words = ['a b', '$HOME', '%h', '', '*', '--version', "it's"];
        const script = 'echo trouble >/dev/stderr; printf "%s|" "$@" >/dev/stdout';
        expect(await run(['sh', '-c', script, 'sh', ...words])).toEqual({
            stdout: words.map(word => `${word}|`).join(''),
            stderr: 'trouble\n',
            exitCode: 0,
        });
    });

    test.each([
        ['exit 0', 0],
        ['exit 1', 1],
        ['exit 42', 42],
        ['exit 255', 255],
        ['kill -TERM $$', 143],
        ['kill -KILL $$', 137],
    ])('passes on that it ended by `%s`', async (script, status) => {
        expect((await run(['sh', '-c', script])).exitCode).toBe(status);
    });

    test('that is not there is told of as a shell would', async () => {
        const {exitCode, stdout, stderr} = await run(['no-such-program']);
        expect([exitCode, stdout]).toEqual([127, '']);
        expect(stderr).toContain('no-such-program');
    });

    test('is the user’s, in his home directory, with what the session has', async () => {
        const {stdout} = await run(['sh', '-c', 'id -un; pwd; echo $WAYLAND_DISPLAY $LANG $HOME']);
        expect(stdout).toBe('alice\n/home/alice\n/run/host-wayland C.UTF-8 /home/alice\n');
        await run(['touch', 'made-inside']);
        expect(await guest.check('stat -c %U /home/alice/Intune/made-inside')).toBe('alice\n');
    });

    test('ends when it is cancelled, with all that it started', async () => {
        await makePipes();
        const command = ['sh', '-c', 'echo started; sleep 4711 & sleep 4712'];
        const id = await begin({verb: 'run', command, pipes: PIPES, isTerminal: false});
        await guest.check(
            'sleep 60 >stdin 2>stdin & cat stderr >/dev/null 2>&1 & head -n 1 stdout',
            {user: 'alice', cwd: PIPES},
        );
        expect(await asRoot('pgrep -fc "^sleep 471"')).toBe('2\n');
        await guest.check(['systemctl', 'stop', `lab-request@${id}.service`]);
        expect(await end(id)).toMatchObject({error: ['Cancelled', expect.any(String)]});
        expect(await asRoot('pgrep -fc "^sleep 471" || true')).toBe('0\n');
        expect(await guest.check('systemctl list-units --plain --no-legend "snow-intune-*"')).toBe(
            '',
        );
    });

    test.each([
        ['stdin is a link', 'ln -sfn /etc/shadow stdin'],
        ['stdout is a file', 'rm stdout; touch stdout'],
        ['stderr is missing', 'rm stderr'],
        ['others may enter', 'chmod 755 .'],
        ['the directory is a link', 'mv $PWD $PWD.real; ln -s $PWD.real $PWD'],
    ])('does not start when of its caller’s pipes %s', async (_, script) => {
        await makePipes();
        await guest.check(script, {user: 'alice', cwd: PIPES});
        const {result, error} = await ask({
            verb: 'run',
            command: ['touch', 'was-started'],
            pipes: PIPES,
            isTerminal: false,
        });
        expect(result).toBeNull();
        expect(error?.[0]).toMatch(/^(NotAuthorized|NotFound|WrongState|Failed)$/);
        expect((await guest.run('ls /home/alice/Intune/was-started')).exitCode).not.toBe(0);
        await guest.check(`rm -rf ${PIPES} ${PIPES}.real`);
    });

    test('has a terminal of its own in place of the caller’s', async () => {
        const terminal = guest.startTerminal(
            [
                ...['sh', '-c'],
                `rm -rf ${PIPES}; mkdir -m 0700 ${PIPES}; cd ${PIPES}
                 for name in stdin stdout stderr; do ln -s "$(tty)" $name; done; mkfifo go resize
                 stty -g >before; echo linked; read -r line <go; stty -g >after; cmp before after && echo as before`,
            ],
            {user: 'alice'},
        );
        await terminal.waitFor(/linked/);
        const id = await begin({verb: 'run', command: [], pipes: PIPES, isTerminal: true});
        await terminal.waitFor(/alice@.*LXC.*\$ /s);
        const from = terminal.text.length;
        terminal.type('echo "$(tty) $(stty size) $(id -un)"\n');
        await terminal.waitFor(/\/dev\/pts\/\d+ 30 100 alice/, {from});
        await guest.check(`stty -F $(readlink stdin) cols 90; echo >resize`, {
            user: 'alice',
            cwd: PIPES,
        });
        await until('it has the size', async () => {
            const typed = terminal.text.length;
            terminal.type('stty size\n');
            await terminal.waitFor(/\d+ \d+\r\n/, {from: typed});
            return terminal.text.slice(typed).includes('30 90');
        });
        terminal.type('sleep 1000\n');
        await until('it sleeps', async () => {
            return (await asRoot('pgrep -fc "^sleep 1000" || true')) === '1\n';
        });
        const slept = terminal.text.length;
        terminal.interrupt();
        // What is typed before the next prompt may be dropped with what was interrupted.
        await terminal.waitFor(/\^C[^]*\$ $/, {from: slept});
        terminal.type('exit 9\n');
        expect(await end(id)).toMatchObject({result: 9, error: null});
        await guest.check(`echo >${PIPES}/go`, {user: 'alice'});
        await terminal.waitFor(/as before/);
        await terminal.exit;
    });
});

describe('an application of a container', () => {
    test('is opened on the host’s screen, with its arguments', async () => {
        const open: Request = {
            verb: 'open',
            application: 'edge',
            args: ['https://lab.example/?a=%h&b=$HOME', 'second'],
        };
        expect(await ask(open)).toMatchObject({error: null});
        await desktop.findWindow('Microsoft Edge');
        const {stdout} = await run([
            'sh',
            '-c',
            'pgrep -fa "^/usr/bin/python3 /usr/bin/microsoft-edge"',
        ]);
        expect(stdout).toContain('https://lab.example/?a=%h&b=$HOME second');
    });

    test('ends alone', async () => {
        expect(await ask({verb: 'open', application: 'portal', args: []})).toMatchObject({
            error: null,
        });
        await desktop.findWindow('Microsoft Intune');
        const before = await asRoot('pgrep -x gnome-keyring-d; pgrep -fo identity-broker/bin');
        await asRoot('pkill -f bin/intune-portal');
        await desktop.waitFor(
            async () => (await desktop.windows()).every(({title}) => title !== 'Microsoft Intune'),
            {what: 'the portal is gone'},
        );
        await desktop.findWindow('Microsoft Edge');
        expect(await asRoot('pgrep -x gnome-keyring-d; pgrep -fo identity-broker/bin')).toBe(
            before,
        );
        expect(await runJson(PORTAL, '--check')).toMatchObject({account: 'alice@lab.example'});
    });

    test('that is not there is named', async () => {
        expect(await ask({verb: 'open', application: '/opt/none', args: []})).toMatchObject({
            error: ['NotFound', 'The container has no program /opt/none'],
        });
        expect(await ask({verb: 'open', application: '/etc/passwd', args: []})).toMatchObject({
            error: ['Failed', expect.stringMatching(/\/etc\/passwd cannot be started: \S/)],
        });
    });

    test('runs in the user’s own service manager', async () => {
        const activationToken = '265816c0-b12c "$HOME" %h';
        const script =
            'cat /proc/self/cgroup >~/group; echo "$XDG_RUNTIME_DIR $NO_AT_BRIDGE $XDG_ACTIVATION_TOKEN" >~/env';
        await ask({verb: 'open', application: '/bin/sh', args: ['-c', script], activationToken});
        await until('it has run', async () => {
            const {stdout} = await guest.run('cat /home/alice/Intune/env');
            return stdout === `/run/user/1001 1 ${activationToken}\n`;
        });
        expect(await guest.check('cat /home/alice/Intune/group')).toMatch(
            /user@1001\.service\/app\.slice\/app-snow-/,
        );
    });
});

describe('an enrolment', () => {
    test(
        'is kept by the next root directory',
        async () => {
            const before = await runJson(PORTAL, '--check');
            const next = `${MACHINES}/.next`;
            await copyImage(next);
            expect(await provision(next, {keepFrom: ROOTFS})).toMatchObject({error: null});
            expect(await shadowOf(next)).toBe(await shadowOf(ROOTFS));
            const device = 'var/lib/microsoft-identity-device-broker';
            const describe = `find ${device} -printf '%p %u %g %m %s\\n' | sort`;
            expect(await guest.check(describe, {cwd: next})).toBe(
                await guest.check(describe, {cwd: ROOTFS}),
            );
            await guest.check(['systemctl', 'stop', UNIT], {timeout: LONG});
            await guest.check(`mv ${ROOTFS} ${MACHINES}/.old; mv ${next} ${ROOTFS}`);
            await guest.check(['systemctl', 'start', UNIT], {timeout: LONG});
            expect(await runJson(PORTAL, '--check')).toEqual(before);
            expect(await asRoot('ps -o user= -C gnome-keyring-d')).toBe('alice\n');
        },
        LONG,
    );
});
