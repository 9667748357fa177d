// SPDX-License-Identifier: GPL-2.0-or-later
import {randomUUID} from 'node:crypto';
import {mkdtemp, readFile, readdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import type {Message} from '@jellybrick/dbus-next';
import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import {Broker1Interface} from '../../helper/src/generated/broker1.ts';
import {type Answer, Client, runTool} from './harness/broker/client.ts';
import {startInFlatpak} from './harness/broker/in-flatpak.ts';
import {type BrokerStage, INTERFACE, NAME, PATH, setBrokerStage} from './harness/broker/stage.ts';
import {bundle} from './harness/bundle.ts';
import {runProgram} from './harness/processes.ts';

const ERROR = 'org.freedesktop.DBus.Error';
const MIB = 1024 * 1024;
const IDLE_TIMEOUT = 1000;
/** Milliseconds of a call in which a person types a password; two minutes: BROKER_LONG_CALL=120000. */
const LONG_CALL = Number(process.env['BROKER_LONG_CALL'] ?? 1.5 * IDLE_TIMEOUT);

let programs: string;
let stage: BrokerStage;
let host: Client;
let inside: Client;

beforeAll(async () => {
    programs = await mkdtemp('/tmp/snow-broker-programs-');
    const [broker, identityBroker] = await Promise.all([
        bundle('helper/src/main/snow-broker.ts', programs),
        bundle('tests/bus/harness/broker/identity-broker.ts', programs),
    ]);
    stage = await setBrokerStage({
        broker: [process.execPath, broker, `--idle-timeout=${IDLE_TIMEOUT / 1000}`],
        identityBroker: [process.execPath, identityBroker],
    });
    host = await Client.connect(stage.host.address);
    inside = await Client.connect(stage.inside.address);
});

beforeEach(async () => {
    stage.container.state = 'running';
    stage.container.refusal = null;
    stage.container.program = null;
    await stage.choose({});
});

afterAll(async () => {
    await host[Symbol.asyncDispose]();
    await inside[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
    await rm(programs, {recursive: true, force: true});
});

/** The JSON of an answer that is one. */
function responseOf(answer: Answer): Readonly<Record<string, unknown>> {
    if ('error' in answer) throw new Error(`${answer.error}: ${answer.text}`);
    return JSON.parse(String(answer.body[0])) as Readonly<Record<string, unknown>>;
}

/** What does not depend on how often it was asked. */
function lasting(text: string): string {
    return text.replace(/\\?"calls\\?":\d+/, '"calls":N');
}

async function isOwned(): Promise<boolean> {
    const answer = await host.call({
        destination: 'org.freedesktop.DBus',
        path: '/org/freedesktop/DBus',
        interface: 'org.freedesktop.DBus',
        member: 'NameHasOwner',
        signature: 's',
        body: [NAME],
    });
    return 'body' in answer && answer.body[0] === true;
}

/** As root, they are made there. */
async function leftPipes(): Promise<readonly string[]> {
    return (await readdir('/run')).filter(name => name.startsWith('snowctl-'));
}

/** Waits until snow-broker has ended, for who wants a new one. */
async function whenGone(): Promise<void> {
    await expect.poll(isOwned).toBe(false);
    await expect.poll(() => stage.container.isConnected).toBe(false);
}

/** Waits until the broker has what was called before: calls come in their order. */
async function whenArrived(): Promise<void> {
    await host.ask('getAccounts');
}

async function reconnectInside(): Promise<void> {
    await inside[Symbol.asyncDispose]();
    await stage.restartInside();
    inside = await Client.connect(stage.inside.address);
}

describe('a call of the broker on the host', () => {
    it.each(Broker1Interface.methods)('of %s is answered as in the container', async method => {
        const request = {fail: ['com.example.Strange.Error', 'Nothing “here”']} as const;
        for (const argument of [{}, request, 'no JSON'])
            expect(JSON.stringify(await host.ask(method, argument)).replace(/calls[^,]*/, '')).toBe(
                JSON.stringify(await inside.ask(method, argument)).replace(/calls[^,]*/, ''),
            );
        expect(responseOf(await host.ask(method))).toMatchObject({method});
    });

    it.each(['gdbus', 'busctl'] as const)('is answered to %s as in the container', async tool => {
        for (const request of ['{}', '{"fail":["com.example.Error","No"]}']) {
            // Without introspection gdbus takes what looks like a number for one.
            const quoted = (text: string): string => (tool === 'gdbus' ? `'${text}'` : text);
            const args = ['0.0', 'c', request].map(quoted);
            const [ours, theirs] = [
                await runTool(tool, stage.host.address, 'getAccounts', args),
                await runTool(tool, stage.inside.address, 'getAccounts', args),
            ];
            expect({...ours, said: lasting(ours.said)}).toEqual({
                ...theirs,
                said: lasting(theirs.said),
            });
        }
    });

    it('takes and gives a mebibyte', async () => {
        const answer = await host.ask('generateSignedHttpRequest', {size: MIB});
        expect(String(responseOf(answer)['filling'])).toBe('x'.repeat(MIB));
        const text = JSON.stringify({note: 'y'.repeat(MIB)});
        expect(responseOf(await host.ask('acquireTokenSilently', text))['length']).toBe(
            text.length,
        );
    });

    it('is told when it is larger than anything', async () => {
        const text = JSON.stringify({note: 'y'.repeat(33 * MIB)});
        expect(await host.ask('getAccounts', text)).toMatchObject({
            error: `${ERROR}.LimitsExceeded`,
        });
        expect(await host.ask('getAccounts', {size: 33 * MIB})).toMatchObject({
            error: `${ERROR}.LimitsExceeded`,
        });
        expect(responseOf(await host.ask('getAccounts'))).toMatchObject({length: 2});
    });

    it('is one of a hundred at once, of which each gets its own answer', async () => {
        await using other = await Client.connect(stage.host.address);
        const answers = await Promise.all(
            Array.from({length: 100}, (_, i) =>
                (i % 2 === 0 ? host : other).ask('acquireTokenSilently', {wait: 400}, `c${i}`),
            ),
        );
        expect(answers.map(answer => responseOf(answer)['correlation'])).toEqual(
            answers.map((_, i) => `c${i}`),
        );
    });

    it('is one of a hundred large ones at once', async () => {
        const answers = await Promise.all(
            Array.from({length: 100}, (_, i) =>
                host.ask('acquireTokenSilently', {size: 200_000 + i}),
            ),
        );
        expect(answers.map(answer => String(responseOf(answer)['filling']).length)).toEqual(
            answers.map((_, i) => 200_000 + i),
        );
    });

    it('comes in the order that it was made in, from the first one on', async () => {
        await whenGone();
        const answers = await Promise.all(
            Array.from({length: 50}, () => host.ask('getLinuxBrokerVersion')),
        );
        const numbers = answers.map(answer => Number(responseOf(answer)['calls']));
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    });

    it('may take as long as a person does, longer than the service stays idle', async () => {
        expect(
            responseOf(await host.ask('acquireTokenInteractively', {wait: LONG_CALL})),
        ).toMatchObject({method: 'acquireTokenInteractively'});
    }, 180_000);

    it('ends when it is cancelled, with the error of the broker', async () => {
        const errors = await Promise.all(
            [host, inside].map(async client => {
                const correlation = randomUUID();
                const waiting = client.ask(
                    'acquireTokenInteractively',
                    {wait: 60_000},
                    correlation,
                );
                await client.ask('cancelInteractiveFlow', {}, correlation);
                return waiting;
            }),
        );
        expect(errors[0]).toEqual(errors[1]);
        expect(errors[0]).toMatchObject({error: 'com.microsoft.identity.Error.Cancelled'});
    });

    it('that wants no reply is made, and gets none', async () => {
        const before = Number(responseOf(await inside.ask('getAccounts'))['calls']);
        host.tell('getAccounts');
        await expect
            .poll(async () => Number(responseOf(await inside.ask('getAccounts'))['calls']))
            .toBeGreaterThan(before + 1);
    });

    const strange: readonly (readonly [string, Partial<Message>])[] = [
        ['other types', {member: 'getAccounts', signature: 'u', body: [1]}],
        ['no arguments', {member: 'getAccounts'}],
        ['too many', {member: 'getAccounts', signature: 'ssss', body: ['', '', '', '']}],
        ['structures', {member: 'getAccounts', signature: 'a(sas)', body: [[['a', ['b']]]]}],
        ['an unknown method', {member: 'getEverything', signature: 's', body: ['x']}],
        ['another interface', {interface: 'com.example.Other', member: 'getAccounts'}],
        ['another path', {path: '/com/example', member: 'getAccounts'}],
        ['the path above', {path: '/com/microsoft/identity', member: 'getAccounts'}],
    ];
    it.each(strange)('with %s fails as in the container', async (_, call) => {
        const theirs = await inside.call(call);
        expect(theirs).toHaveProperty('error');
        expect(await host.call(call)).toEqual(theirs);
    });

    it('without an interface is one of the broker’s', async () => {
        const call = {interface: '', member: 'getAccounts', signature: 'sss', body: ['', '', '{}']};
        expect(responseOf(await host.call(call))).toMatchObject({method: 'getAccounts'});
    });

    it('reaches nothing but the eight methods', async () => {
        expect(await inside.ask('exportEverything')).toHaveProperty('body');
        expect(await host.ask('exportEverything')).toMatchObject({
            error: `${ERROR}.UnknownMethod`,
            text: expect.stringContaining('exportEverything') as unknown,
        });
    });
});

describe('the object on the host', () => {
    it('says what it is, as the one in the container does not', async () => {
        const {stdout} = await runProgram([
            'gdbus',
            'introspect',
            '--address',
            stage.host.address,
            '--dest',
            NAME,
            '--object-path',
            PATH,
        ]);
        expect(stdout).toContain(`interface ${INTERFACE} {`);
        for (const method of Broker1Interface.methods) expect(stdout).toContain(method);
    });

    it('is found from the root, without the container', async () => {
        await whenGone();
        stage.container.state = 'stopped';
        const {stdout} = await runProgram([
            'busctl',
            `--address=${stage.host.address}`,
            'tree',
            '--list',
            NAME,
        ]);
        expect(stdout.trim().split('\n').at(-1)).toBe(PATH);
    });

    it('is pinged, and names this machine', async () => {
        const peer = {interface: 'org.freedesktop.DBus.Peer'};
        expect(await host.call({...peer, member: 'Ping'})).toEqual({signature: '', body: []});
        const id = (await readFile('/etc/machine-id', 'utf8').catch(() => '')).trim();
        const answer = await host.call({...peer, member: 'GetMachineId'});
        expect(answer).toEqual(
            id === '' ? {signature: '', body: []} : {signature: 's', body: [id]},
        );
    });
});

describe('when something is lost in the middle of a call', () => {
    it('the broker: its caller is told what the bus says, and the next call starts another', async () => {
        const [ours, theirs] = [
            await host.ask('acquireTokenSilently', {crash: true}),
            await inside.ask('acquireTokenSilently', {crash: true}),
        ];
        expect(ours).toMatchObject({error: `${ERROR}.NoReply`});
        expect(ours).toEqual(theirs);
        expect(responseOf(await host.ask('getAccounts'))).toMatchObject({length: 2});
    });

    it('the bus of the container: the caller is told, and the next call connects anew', async () => {
        const waiting = host.ask('acquireTokenInteractively', {wait: 60_000});
        await whenArrived();
        await reconnectInside();
        expect(await waiting).toEqual({
            error: `${ERROR}.NoReply`,
            text: 'Message recipient disconnected from message bus without replying',
        });
        expect(responseOf(await host.ask('getAccounts'))).toMatchObject({length: 2});
    });

    it('the container: the caller is told, and the next call only starts it if it may', async () => {
        const waiting = host.ask('acquireTokenInteractively', {wait: 60_000});
        await whenArrived();
        stage.container.stop();
        expect(await waiting).toMatchObject({error: `${ERROR}.NoReply`});
        expect(await host.ask('getAccounts')).toEqual({
            error: `${ERROR}.ServiceUnknown`,
            text: 'The Intune container does not run: snowctl intune start starts it',
        });
        await stage.choose({startsContainer: true});
        await expect.poll(() => host.ask('getAccounts')).toMatchObject({signature: 's'});
        expect(stage.container.starts).toBe(1);
        expect(stage.container.session).toContain('WAYLAND_DISPLAY=wayland-7');
        expect(stage.container.session.join()).not.toContain('elsewhere');
    });

    it('the caller: the others go on', async () => {
        const leaving = await Client.connect(stage.host.address);
        const waiting = host.ask('acquireTokenInteractively', {wait: 500});
        void leaving.ask('acquireTokenInteractively', {wait: 200}, 'c2');
        await leaving.ask('getAccounts');
        await leaving[Symbol.asyncDispose]();
        expect(responseOf(await waiting)).toMatchObject({length: expect.any(Number) as unknown});
    });
});

describe('when the container cannot be reached', () => {
    beforeEach(whenGone);

    it('the caller is told that there is none', async () => {
        stage.container.state = 'absent';
        expect(await host.ask('getAccounts')).toEqual({
            error: `${ERROR}.ServiceUnknown`,
            text: 'There is no Intune container: snowctl intune init makes one',
        });
    });

    it('the caller is told what snowd says', async () => {
        stage.container.refusal = ['org.frostyard.Snow1.Error.Failed', 'It does not become ready'];
        expect(await host.ask('getAccounts')).toEqual({
            error: `${ERROR}.Spawn.Failed`,
            text: 'It does not become ready',
        });
    });

    it.each([
        ['ends', 'echo "No such bus" >&2; exit 1', /No such bus/],
        ['is no bus', 'echo hello; cat >/dev/null', /it lets nobody in/],
        ['talks nonsense', 'yes', /it lets nobody in/],
        [
            'turns bad after a good beginning',
            'printf "DATA\\r\\nOK 0123\\r\\n"; sleep 0.2; head -c 100000 /dev/zero',
            /is no message/,
        ],
    ])('by a program there that %s, the caller is told', async (_, program, text) => {
        stage.container.program = program;
        expect(await host.ask('getAccounts')).toMatchObject({
            error: `${ERROR}.Spawn.Failed`,
            text: expect.stringMatching(text) as unknown,
        });
        stage.container.program = null;
        expect(responseOf(await host.ask('getAccounts'))).toMatchObject({length: 2});
        expect(await leftPipes()).toEqual([]);
    });
});

function gdbusCall(): readonly string[] {
    const target = ['--address', stage.host.address, '--dest', NAME, '--object-path', PATH];
    const method = ['--method', `${INTERFACE}.getAccounts`, "'0.0'", "'c'", "'{}'"];
    return ['gdbus', 'call', ...target, ...method];
}

describe('who may call', () => {
    it('is nobody before the user says so', async () => {
        await stage.choose({isEnabled: false});
        await expect
            .poll(() => host.ask('getAccounts'))
            .toMatchObject({
                error: `${ERROR}.ServiceUnknown`,
                text: expect.stringContaining('snowctl intune sso on') as unknown,
            });
        await stage.choose({isEnabled: true});
        await expect.poll(() => host.ask('getAccounts')).toMatchObject({signature: 's'});
    });

    it('is no other user', async () => {
        const {status, stderr} = await runProgram([
            'setpriv',
            '--reuid=1',
            '--clear-groups',
            ...gdbusCall(),
        ]);
        expect(status).toBe(1);
        expect(stderr).toMatch(/AccessDenied.*another user/);
    });

    it('is nobody in a sandbox, but when the user says so', async () => {
        const refused = startInFlatpak('com.example.Browser', gdbusCall());
        expect(await refused.ended).toBe(1);
        expect(refused.lines.join('\n')).toMatch(/AccessDenied.*sandbox/);
        await stage.choose({admitsSandboxed: true});
        await expect.poll(() => startInFlatpak('com.example.Browser', gdbusCall()).ended).toBe(0);
        await expect
            .poll(async () => (await stage.callers()).find(caller => caller.calls === 1))
            .toMatchObject({sandbox: 'flatpak', application: 'com.example.Browser'});
        const callers = await stage.callers();
        expect(callers.find(caller => caller.application !== '')?.refused).toBeGreaterThan(0);
    });

    it('is listed, and nothing of what was asked and answered is kept', async () => {
        const secret = randomUUID();
        await host.ask('acquirePrtSsoCookie', {fail: ['com.example.Error', secret]}, secret);
        await host.ask('getAccounts', JSON.stringify({secret}), secret);
        await expect
            .poll(async () => (await stage.callers()).map(caller => caller.executable))
            .toContain(process.execPath);
        const [caller] = await stage.callers();
        expect(caller?.lastCall).toBeGreaterThan(Date.now() / 1000 - 60);
        const kept = JSON.stringify([await stage.callers(), stage.host.daemon.lines]);
        expect(kept).not.toContain(secret);
    });
});

describe('an idle service', () => {
    it('ends, and leaves nothing', async () => {
        await host.ask('getAccounts');
        expect(stage.container.isConnected).toBe(true);
        await whenGone();
        expect(await leftPipes()).toEqual([]);
        expect(await readdir(join(stage.runtimeDirectory, 'snow-control'))).toEqual([
            'broker-callers.json',
        ]);
    });

    it('loses no call that comes as it ends', async () => {
        for (let late = -2; late <= 6; late += 2) {
            await host.ask('getAccounts');
            await sleep(IDLE_TIMEOUT + late);
            const answers = Array.from({length: 20}, () => host.ask('getAccounts'));
            for (const answer of await Promise.all(answers)) responseOf(answer);
        }
    });
});
