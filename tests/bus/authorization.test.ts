// SPDX-License-Identifier: GPL-2.0-or-later
import {readFile} from 'node:fs/promises';
import {resolve} from 'node:path';

import {afterAll, afterEach, beforeAll, describe, expect, it} from 'vitest';

import {type BusConnection, Variant} from '../../helper/src/host/dbus.ts';
import {users} from './harness/polkit.ts';
import {type Running, startProgram} from './harness/processes.ts';
import {type Stage, setStage} from './harness/stage.ts';
import type {Caller, Outcome} from './harness/start-caller.ts';

const FEATURE = 'org.frostyard.Snow1.Feature';
const FEATURES = 'org.frostyard.Snow1.Features';
const IMAGE = 'org.frostyard.Snow1.Image';
const NOT_AUTHORIZED = 'org.frostyard.Snow1.Error.NotAuthorized';

const rules = `polkit.addRule(function (action, subject) {
    if (action.id === 'org.frostyard.Snow1.features.check' && subject.user === '${users.inactive.name}')
        return polkit.Result.NO;
    return polkit.Result.NOT_HANDLED;
});`;

let stage: Stage;
let service: Running;
const callers: Caller[] = [];

beforeAll(async () => {
    stage = await setStage({rules});
    service = await stage.startService();
});

afterEach(async () => {
    for (const caller of callers.splice(0)) await caller[Symbol.asyncDispose]();
});

afterAll(async () => {
    await stage[Symbol.asyncDispose]();
});

async function startCaller(kind: keyof typeof users): Promise<Caller> {
    const caller = await stage.startCaller(users[kind]);
    callers.push(caller);
    return caller;
}

function errorOf(outcome: Outcome): readonly [string, string] {
    if ('error' in outcome) return outcome.error;
    throw new Error(`It went well: ${JSON.stringify(outcome)}`);
}

/** Answers a prompt as polkit's setuid helper does when the password was right. */
async function authenticate(cookie: string): Promise<void> {
    const root: BusConnection = await stage.connect();
    await root.call({
        destination: 'org.freedesktop.PolicyKit1',
        path: '/org/freedesktop/PolicyKit1/Authority',
        interface: 'org.freedesktop.PolicyKit1.Authority',
        member: 'AuthenticationAgentResponse2',
        signature: 'us(sa{sv})',
        body: [users.active.uid, cookie, ['unix-user', {uid: new Variant('u', 0)}]],
    });
    await root.close();
}

/** Watches the bus for questions to polkit, with a program that is not ours. */
async function watchQuestions(): Promise<Running> {
    const monitor = startProgram([
        'busctl',
        `--address=${stage.bus.address}`,
        '--json=short',
        "--match=type='method_call',member='CheckAuthorization'",
        'monitor',
    ]);
    await monitor.waitForLine(/Monitoring bus/);
    return monitor;
}

/** The subject and the action of each. */
function questionsOf({lines}: Running): readonly (readonly unknown[])[] {
    return lines
        .filter(line => line.startsWith('{'))
        .map(line => JSON.parse(line) as {payload: {data: readonly unknown[]}})
        .map(({payload}) => payload.data.slice(0, 2));
}

describe('with the defaults of the policy', () => {
    const calls = [
        ['check', 'Features', `${FEATURES}.Check`, []],
        ['update', 'Features/quick', `${FEATURE}.Update`, []],
        ['manage', 'Features/quick', `${FEATURE}.Enable`, []],
        ['check the image', 'Image', `${IMAGE}.Check`, []],
        ['update the image', 'Image', `${IMAGE}.Update`, []],
        ['switch to a channel', 'Image', `${IMAGE}.Switch`, ['snowfield']],
        ['switch to any image', 'Image', `${IMAGE}.SwitchReference`, ['quay.io/a/b:1']],
        ['roll the image back', 'Image', `${IMAGE}.Rollback`, []],
        ['unstage the image', 'Image', `${IMAGE}.Unstage`, []],
    ] as const;
    const allowed = {
        active: ['check', 'update', 'check the image', 'update the image'],
        inactive: [],
        sessionless: [],
    } as const;

    for (const kind of ['active', 'inactive', 'sessionless'] as const) {
        for (const [action, path, method, args] of calls) {
            const isAllowed = (allowed[kind] as readonly string[]).includes(action);
            it(`${isAllowed ? 'lets' : 'does not let'} ${kind} callers ${action}`, async () => {
                const caller = await startCaller(kind);
                const signature = args.length > 0 ? 'sa{sv}' : 'a{sv}';
                const call = () => caller.call(path, method, signature, [...args, {}]);
                if (isAllowed) {
                    // The job of the test before may be at its end just now.
                    await expect.poll(call, {timeout: 5000}).toHaveProperty('body');
                } else {
                    expect(await call()).toMatchObject({
                        error: [NOT_AUTHORIZED, expect.anything()],
                    });
                }
            });
        }
    }

    it('asks for each method of the image just the action that is meant for it', async () => {
        await using monitor = await watchQuestions();
        const caller = await startCaller('sessionless');
        const download = {'download-only': {$: ['b', true]}};
        const all = [
            ['Check', 'a{sv}', [{}]],
            ['Update', 'a{sv}', [{}]],
            ['Update', 'a{sv}', [download]],
            ['Switch', 'sa{sv}', ['snowfield', {}]],
            ['SwitchReference', 'sa{sv}', ['quay.io/a/b:1', {}]],
            ['Rollback', 'a{sv}', [{}]],
            ['Unstage', 'a{sv}', [{}]],
        ] as const;
        for (const [method, signature, args] of all) {
            const outcome = await caller.call('Image', `${IMAGE}.${method}`, signature, [...args]);
            expect(errorOf(outcome)[0]).toBe(NOT_AUTHORIZED);
        }
        await expect.poll(() => questionsOf(monitor).length).toBe(7);
        const actions = questionsOf(monitor).map(([, action]) =>
            String(action).replace('org.frostyard.Snow1.', ''),
        );
        expect(actions).toEqual([
            'image.check',
            'image.update',
            'image.update',
            'image.switch',
            'image.switch-any',
            'image.rollback',
            'image.rollback',
        ]);
    });
});

describe('a prompt', () => {
    it('is not shown to a caller that did not ask for it', async () => {
        const caller = await startCaller('active');
        await caller.becomeAgent('wait');
        const outcome = await caller.call('Features/quick', `${FEATURE}.Enable`, 'a{sv}', [{}]);
        expect(errorOf(outcome)).toEqual([
            NOT_AUTHORIZED,
            'Authentication is required, but the caller does not want to be asked',
        ]);
        expect(caller.program.lines.join('\n')).not.toContain('prompt');
    });

    it('says so when there is nobody who could ask', async () => {
        const caller = await startCaller('active');
        const outcome = await caller.call('Features/quick', `${FEATURE}.Enable`, 'a{sv}', [{}], {
            allowInteraction: true,
        });
        expect(errorOf(outcome)[1]).toContain('no agent');
    });

    it('names what it is for, and a right password lets the caller go on', async () => {
        const caller = await startCaller('active');
        await caller.becomeAgent('wait');
        await stage.setState({features: {quick: false}});
        const pending = caller.call('Features/quick', `${FEATURE}.Enable`, 'a{sv}', [{}], {
            allowInteraction: true,
        });
        const prompt = await caller.nextEvent('prompt');
        expect(prompt).toMatchObject({
            action: 'org.frostyard.Snow1.features.manage',
            message: 'Authentication is required to turn on the system extension quick',
        });
        expect((await stage.readState()).features['quick']).toBe(false);
        await authenticate(prompt.cookie);
        caller.finishPrompt(prompt.cookie);
        expect(await pending).toEqual({
            body: [expect.stringMatching(/^\/org\/frostyard\/Snow1\/Jobs\/\d+$/)],
        });
    });

    it('names the image that the system is switched to', async () => {
        const caller = await startCaller('active');
        await caller.becomeAgent('dismiss');
        const ask = (method: string, argument: string) =>
            caller.call('Image', `${IMAGE}.${method}`, 'sa{sv}', [argument, {}], {
                allowInteraction: true,
            });
        const toChannel = ask('Switch', 'snowfield');
        expect(await caller.nextEvent('prompt')).toMatchObject({
            action: 'org.frostyard.Snow1.image.switch',
            message: 'Authentication is required to switch the system to snowfield',
        });
        await toChannel;
        const toAny = ask('SwitchReference', 'quay.io/a/b:1');
        expect(await caller.nextEvent('prompt')).toMatchObject({
            action: 'org.frostyard.Snow1.image.switch-any',
            message: 'Authentication is required to switch the system to the image quay.io/a/b:1',
        });
        await toAny;
    });

    it('that is dismissed is told from one that was refused', async () => {
        const caller = await startCaller('active');
        await caller.becomeAgent('dismiss');
        const outcome = await caller.call(
            'Features',
            `${FEATURES}.SetAutomatic`,
            'ba{sv}',
            [true, {}],
            {
                allowInteraction: true,
            },
        );
        expect(errorOf(outcome)).toEqual([NOT_AUTHORIZED, 'The authentication was dismissed']);
    });

    it('is closed when the caller leaves the bus', async () => {
        const agent = await startCaller('active');
        await agent.becomeAgent('wait');
        const caller = await startCaller('active');
        const outcome = caller
            .call('Features/quick', `${FEATURE}.Disable`, 'a{sv}', [{}], {
                allowInteraction: true,
            })
            .then(
                () => 'answered',
                () => 'lost',
            );
        const prompt = await agent.nextEvent('prompt');
        caller.program.child.kill('SIGKILL');
        expect(await agent.nextEvent('cancelled')).toMatchObject({cookie: prompt.cookie});
        expect(await outcome).toBe('lost');
        await service.waitForLine(/Disable of .* for uid 1: /);
    });

    it('is closed when the service is stopped', async () => {
        const agent = await startCaller('active');
        await agent.becomeAgent('wait');
        const caller = await startCaller('active');
        const pending = caller.call('Features/quick', `${FEATURE}.Disable`, 'a{sv}', [{}], {
            allowInteraction: true,
        });
        await agent.nextEvent('prompt');
        service.child.kill('SIGTERM');
        expect(errorOf(await pending)[0]).toBe(NOT_AUTHORIZED);
        expect(await service.ended).toBe(0);
        service = await stage.startService();
    });
});

describe('authorization', () => {
    it('follows a rule that says no, even where a password would do', async () => {
        const caller = await startCaller('inactive');
        const outcome = await caller.call('Features', `${FEATURES}.Check`, 'a{sv}', [{}], {
            allowInteraction: true,
        });
        expect(errorOf(outcome)).toEqual([
            NOT_AUTHORIZED,
            'polkit does not authorize org.frostyard.Snow1.features.check',
        ]);
    });

    it('asks polkit exactly once for a call, about the bus name of the caller', async () => {
        await using monitor = await watchQuestions();
        const caller = await startCaller('active');
        const name = await caller.uniqueName();
        await caller.call('Features/quick', `${FEATURE}.Update`, 'a{sv}', [{}]);
        await caller.call('Features/quick', `${FEATURE}.Enable`, 'a{sv}', [{}]);
        await caller.call('Features', `${FEATURES}.Check`, 'a{sv}', [{}]);
        await expect.poll(() => questionsOf(monitor).length).toBeGreaterThan(2);
        const subject = ['system-bus-name', {name: {type: 's', data: name}}];
        expect(questionsOf(monitor)).toEqual([
            [subject, 'org.frostyard.Snow1.features.update'],
            [subject, 'org.frostyard.Snow1.features.manage'],
            [subject, 'org.frostyard.Snow1.features.check'],
        ]);
    });

    it('asks nothing about a call that is wrong, about reading, and about an own job', async () => {
        await using monitor = await watchQuestions();
        const caller = await startCaller('active');
        const update = `${FEATURE}.Update`;
        await caller.call('Features/quick', update, 's', ['x']);
        await caller.call('Features/quick', update, 'a{sv}', [{other: {$: ['b', true]}}]);
        await caller.call('Features/quick', update, 'a{sv}', [{merge: {$: ['s', 'true']}}]);
        await caller.call('Features/nowhere', update, 'a{sv}', [{}]);
        await caller.call('', 'org.freedesktop.DBus.ObjectManager.GetManagedObjects');
        // What is asked after that is seen after that.
        await caller.call('Features', `${FEATURES}.Check`, 'a{sv}', [{}]);
        await expect.poll(() => questionsOf(monitor).length).toBeGreaterThan(0);
        expect(questionsOf(monitor).map(([, action]) => action)).toEqual([
            'org.frostyard.Snow1.features.check',
        ]);
    });

    it('does nothing for a caller before polkit said yes', async () => {
        const caller = await startCaller('sessionless');
        const before = service.lines.filter(line => line.startsWith('prepare')).length;
        await caller.call('Features/quick', `${FEATURE}.Update`, 'a{sv}', [{}]);
        expect(service.lines.filter(line => line.startsWith('prepare')).length).toBe(before);
    });

    it('lets only its owner and root cancel a job', async () => {
        const owner = await startCaller('active');
        const stranger = await startCaller('inactive');
        await stage.setState({features: {slow: true}});
        const started = await owner.call('Features/slow', `${FEATURE}.Update`, 'a{sv}', [{}]);
        const [job] = 'body' in started ? started.body : [];
        const path = String(job).replace('/org/frostyard/Snow1/', '');
        const refused = await stranger.call(path, 'org.frostyard.Snow1.Job.Cancel', 'a{sv}', [{}]);
        expect(errorOf(refused)[0]).toBe(NOT_AUTHORIZED);
        const root = await stage.connect();
        const state = async (): Promise<unknown> => {
            const [value] = await root.call({
                destination: 'org.frostyard.Snow1',
                path: String(job),
                interface: 'org.freedesktop.DBus.Properties',
                member: 'Get',
                signature: 'ss',
                body: ['org.frostyard.Snow1.Job', 'State'],
            });
            return (value as Variant).value;
        };
        expect(await state()).toBe('running');
        expect(await owner.call(path, 'org.frostyard.Snow1.Job.Cancel', 'a{sv}', [{}])).toEqual({
            body: [],
        });
        await expect.poll(state).toBe('cancelled');
        await root.close();
    });

    it('is a no when polkit cannot be reached', async () => {
        await stage.polkit.daemon[Symbol.asyncDispose]();
        const caller = await stage.connect();
        const call = caller.call({
            destination: 'org.frostyard.Snow1',
            path: '/org/frostyard/Snow1/Features',
            interface: FEATURES,
            member: 'Check',
            signature: 'a{sv}',
            body: [{}],
        });
        await expect(call).rejects.toMatchObject({
            code: 'NotAuthorized',
            message: 'polkit cannot be asked, so nobody is authorized',
        });
        await caller.close();
    });
});

describe('the example of a rule', () => {
    it('lets the members of its group manage features from an active session, and nobody else', async () => {
        const example = resolve(
            import.meta.dirname,
            '../../polkit/examples/50-snow-control-admins.rules',
        );
        const text = await readFile(example, 'utf8');
        const groups = [users.active, users.sessionless].map(({name}) => name);
        const forGroup = (group: string): string => text.replace('snow-admins', group);
        await using other = await setStage({rules: groups.map(forGroup).join('\n')});
        await other.startService();
        const enable = async (kind: keyof typeof users): Promise<Outcome> => {
            const caller = await other.startCaller(users[kind]);
            return caller.call('Features/quick', `${FEATURE}.Enable`, 'a{sv}', [{}]);
        };
        expect(await enable('active')).toHaveProperty('body');
        expect(errorOf(await enable('inactive'))[0]).toBe(NOT_AUTHORIZED);
        expect(errorOf(await enable('sessionless'))[0]).toBe(NOT_AUTHORIZED);
    });
});
