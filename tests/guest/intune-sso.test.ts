// SPDX-License-Identifier: GPL-2.0-or-later
// Single sign-on on the host as its programs have it: a real session, a real container, and a broker in it
// that is started by its bus. What there is on the way alone is in tests/bus/broker.test.ts.
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {Desktop} from '../lab/desktop.ts';
import {IntuneLab} from '../lab/intune/lab.ts';
import {until} from './support/waiting.ts';

const LONG = 120_000;
const ALICE = 'alice@lab.example';
const PORTAL = '/opt/microsoft/intune/bin/intune-portal';
const NAME = 'com.microsoft.identity.broker1';
const PATH = '/com/microsoft/identity/broker1';
const INTERFACE = 'com.microsoft.identity.Broker1';
/** For pkill(1), which is to spare who runs it. */
const BROKER = '[i]dentity-broker/bin/microsoft-identity-broker';
const IN_CONTAINER = ['snowctl', 'intune', 'run', '--'];
/** The passwords of administrators are tested elsewhere. */
const rule = `polkit.addRule(function (action) {
    if (action.id === 'org.frostyard.Snow1.intune.manage') return polkit.Result.YES;
});
`;

let lab: IntuneLab;
let desktop: Desktop;

beforeAll(async () => {
    lab = await IntuneLab.boot({
        name: 'intune-sso',
        files: {'/etc/polkit-1/rules.d/10-lab.rules': rule},
    });
    desktop = await Desktop.start(lab.guest);
    await snowctl('init', '--no-password');
    await snowctl('start');
    await snowctl('run', '--', PORTAL, '--enrol', ALICE);
}, 600_000);
afterAll(() => lab?.[Symbol.asyncDispose]());

const run = (command: string | readonly string[]) =>
    lab.guest.run(command, {session: desktop.session, timeout: LONG});

async function snowctl(...args: readonly string[]): Promise<string> {
    const {stdout, stderr, exitCode} = await run(['snowctl', 'intune', ...args]);
    if (exitCode !== 0) throw new Error(`snowctl intune ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
}

/** A call as a program that knows nothing of us makes it. */
function call(method: string, signature = 'sss', ...args: readonly string[]): readonly string[] {
    const way = ['busctl', '--user', '--timeout=100', 'call', NAME, PATH, INTERFACE];
    return [...way, method, ...(signature === '' ? [] : [signature, ...args])];
}

const callOf = (method: string, request: object = {username: ALICE}): readonly string[] =>
    call(method, 'sss', '0.0', 'c', JSON.stringify(request));
const ask = (method: string, request?: object) => run(callOf(method, request));

/** A call that the broker has, and does not answer. */
async function askInVain(): Promise<{readonly answer: ReturnType<typeof run>}> {
    await lab.guest.check(['pkill', '-STOP', '-f', BROKER]);
    const before = await callsSoFar();
    const answer = ask('getAccounts');
    await until('it is called', async () => (await callsSoFar()) > before);
    return {answer};
}

async function callsSoFar(): Promise<number> {
    const {stdout} = await run(['snowctl', 'intune', 'sso', 'status', '--json']);
    const {callers} = JSON.parse(stdout) as {callers: readonly {calls: number}[]};
    return callers.reduce((sum, caller) => sum + caller.calls, 0);
}

test('nobody signs in before the user says so', async () => {
    const {exitCode, stderr} = await ask('getAccounts');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('snowctl intune sso on');
});

describe('with single sign-on', () => {
    beforeAll(() => snowctl('sso', 'on', '--start-container'));

    test('a program of the host gets the token that is in the container, and is listed', async () => {
        const {stdout} = await ask('acquireTokenSilently');
        expect(stdout).toMatch(/token-[0-9a-f-]{36}/);
        await until('it is listed', async () =>
            /\/busctl +1 +0 /.test(await snowctl('sso', 'status')),
        );
    });

    test.each([
        ...[
            'getAccounts',
            'acquireTokenSilently',
            'acquirePrtSsoCookie',
            'generateSignedHttpRequest',
            'cancelInteractiveFlow',
            'getLinuxBrokerVersion',
        ].map(method => [method, callOf(method)] as const),
        ['what it cannot read', callOf('acquireTokenSilently', [])] as const,
        ['an unknown method', call('getEverything')] as const,
        ['a wrong type', call('getAccounts', 'su', '0.0', '1')] as const,
        ['no argument', call('getAccounts', '')] as const,
    ])('%s is answered as in the container', async (_, command) => {
        const [host, inside] = [await run(command), await run([...IN_CONTAINER, ...command])];
        expect(host).toMatchObject({stdout: inside.stdout, exitCode: inside.exitCode});
        expect(host.stderr).toBe(inside.stderr);
    });

    test('an account is signed in and removed from the host', async () => {
        const request = {username: 'guest@lab.example'};
        const {stdout, stderr} = await ask('acquireTokenInteractively', request);
        expect(stderr).toBe('');
        expect(stdout).toMatch(/token-/);
        expect((await ask('getAccounts')).stdout).toContain(request.username);
        expect((await ask('removeAccount', request)).exitCode).toBe(0);
        expect((await run([...IN_CONTAINER, ...callOf('getAccounts')])).stdout).not.toContain(
            request.username,
        );
    });

    test('a hundred calls at once are answered', async () => {
        const [first = '', ...rest] = callOf('acquireTokenSilently').map(word => `'${word}'`);
        const {stdout, stderr} = await run(
            `for i in $(seq 100); do ${[first, ...rest].join(' ')} & done | sort | uniq -c`,
        );
        expect(stderr).toBe('');
        expect(stdout).toMatch(/^ *100 s ".*token-[^\n]*\n$/);
    });

    test('another user cannot ask', async () => {
        const bus = 'DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1001/bus';
        const {exitCode, stdout} = await lab.guest.run(['env', bus, ...callOf('getAccounts')], {
            user: 'bob',
        });
        expect([exitCode, stdout]).toEqual([1, '']);
    });

    test('what is in a sandbox may ask only where the user says so', async () => {
        const sandboxed = await run(inFlatpak(callOf('getAccounts')));
        expect(sandboxed).toMatchObject({exitCode: 1, stdout: ''});
        expect(sandboxed.stderr).toBe('Call failed: Access denied\n');
        await until('it is listed', async () =>
            /org\.example\.Mail \(flatpak\) +0 +1 /.test(await snowctl('sso', 'status')),
        );
        await snowctl('sso', 'on', '--start-container', '--sandboxed');
        await until('it is let in', async () => {
            const {stdout} = await run(inFlatpak(callOf('getAccounts')));
            return stdout.includes(ALICE);
        });
        await snowctl('sso', 'on', '--start-container');
    });

    test('a broker that crashes in the middle is told, and the next call starts another', async () => {
        const {answer} = await askInVain();
        await lab.guest.check(['pkill', '-KILL', '-f', BROKER]);
        const {stdout, stderr, exitCode} = await answer;
        expect([stdout, exitCode]).toEqual(['', 1]);
        expect(stderr).toMatch(/disconnected from message bus without replying/);
        expect((await ask('acquireTokenSilently')).stdout).toMatch(/token-/);
    });

    test('a container that is stopped in the middle is told, and started by the next call', async () => {
        const {answer} = await askInVain();
        await snowctl('stop');
        expect(await answer).toMatchObject({exitCode: 1, stdout: ''});
        expect((await ask('getAccounts')).stdout).toContain(ALICE);
        expect(await snowctl('status')).toMatch(/^State: +running/);
    });

    test(
        'nothing is left when nobody asks, and no token is in any log',
        async () => {
            const state = async (): Promise<string> =>
                (
                    await run(['systemctl', '--user', 'is-active', 'snow-broker.service'])
                ).stdout.trim();
            await expect.poll(state, {timeout: LONG, interval: 1000}).toBe('inactive');
            expect((await run(['pgrep', '-fa', '[s]ystemd-stdio-bridge'])).stdout).toBe('');
            expect((await run(['snowctl', 'jobs'])).stdout).not.toContain('running');
            expect(await lab.guest.check('journalctl --no-pager -b --all')).not.toMatch(
                /token-[0-9a-f]/,
            );
        },
        LONG,
    );

    test('once it is off, nobody is told anything', async () => {
        await snowctl('sso', 'off');
        const {exitCode, stderr} = await ask('getAccounts');
        expect([exitCode, stderr.includes('snowctl intune sso on')]).toEqual([1, true]);
    });
});

/** As Flatpak starts what talks to the bus for an application. */
function inFlatpak(command: readonly string[]): readonly string[] {
    const script = `printf '[Application]\\nname=org.example.Mail\\n' >"$XDG_RUNTIME_DIR/info"
        exec bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib64 /lib64 --symlink usr/lib /lib \\
            --ro-bind /etc /etc --bind /run /run --proc /proc --dev /dev \\
            --ro-bind "$XDG_RUNTIME_DIR/info" /.flatpak-info "$@"`;
    return ['sh', '-c', script, 'sh', ...command];
}
