// SPDX-License-Identifier: GPL-2.0-or-later
// The whole life of Intune containers, as their owners lead it with snowctl: a registry's image, the
// desktop of one of them, and two lives one after the other.
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {Desktop} from '../lab/desktop.ts';
import type {RunResult} from '../lab/guest.ts';
import {makeIntuneme} from '../lab/intune/intuneme.ts';
import {CONTAINER_PASSWORD, IMAGE, IntuneLab} from '../lab/intune/lab.ts';
import type {Session} from '../lab/session.ts';

const ALICE = 'alice@lab.example';
const PORTAL = '/opt/microsoft/intune/bin/intune-portal';
/** Colours of the windows, as the image has them. */
const EDGE = '#0b5fa5';
const PORTAL_COLOUR = '#37506b';
const LONG = 120_000;

/** The passwords of administrators are tested elsewhere. */
const rule = `polkit.addRule(function (action, subject) {
    if (action.id === 'org.frostyard.Snow1.intune.manage') return polkit.Result.YES;
});
`;

let lab: IntuneLab;
let desktop: Desktop;

beforeAll(async () => {
    lab = await IntuneLab.boot({
        name: 'intune-life',
        files: {'/etc/polkit-1/rules.d/10-lab.rules': rule},
    });
    desktop = await Desktop.start(lab.guest);
}, 600_000);
afterAll(() => lab?.[Symbol.asyncDispose]());

function intune(...args: readonly string[]): Promise<RunResult> {
    return lab.guest.run(['snowctl', 'intune', ...args], {session: desktop.session, timeout: LONG});
}

/** Succeeds, or throws with what it said. */
async function done(...args: readonly string[]): Promise<string> {
    const {stdout, stderr, exitCode} = await intune(...args);
    if (exitCode === 0) return stdout;
    throw new Error(`snowctl intune ${args.join(' ')}: ${exitCode}\n${stdout}${stderr}`);
}

/** As a person does: the password is asked for twice, and not shown. */
async function init(session: Session): Promise<string> {
    const terminal = lab.guest.startTerminal(['snowctl', 'intune', 'init'], {
        session,
        timeout: LONG,
        env: {WAYLAND_DISPLAY: 'wayland-0'},
    });
    await terminal.waitFor(/assword.*: ?$/);
    terminal.type(`${CONTAINER_PASSWORD}\n`);
    await terminal.waitFor(/again|confirm|repeat/i);
    terminal.type(`${CONTAINER_PASSWORD}\n`);
    const exitCode = await terminal.exit;
    if (exitCode !== 0) throw new Error(`snowctl intune init: ${exitCode}\n${terminal.text}`);
    return terminal.text;
}

async function status(): Promise<Readonly<Record<string, unknown>>> {
    return JSON.parse(await done('status', '--json')) as Record<string, unknown>;
}

async function enrolment(): Promise<unknown> {
    return JSON.parse(await done('run', '--', PORTAL, '--check')) as unknown;
}

/** The version of the image that the container is made of. */
async function version(): Promise<string> {
    return (await done('run', '--', 'cat', '/usr/share/intune-lab/version')).trim();
}

/** A window that is there, and that nothing covers at its lower edge. */
async function expectWindow(title: string, colour: string) {
    const {x, y, width, height} = await desktop.findWindow(title);
    expect(await desktop.pixel(x + width / 2, y + height - 15)).toBe(colour);
}

async function expectNoTraces(uid: number) {
    const traces = await lab.guest.check(
        `find /var/lib/machines /var/lib/snow-control/intune /run/snow-control/intune /etc/systemd/nspawn /run/systemd/nspawn \
            -mindepth 1 -maxdepth 1 -name '*u${uid}*' 2>/dev/null; systemctl list-units --no-legend --all '*intune*u${uid}*'; \
         grep 'snow-control/intune/u${uid}/' /proc/mounts || true`,
    );
    expect(traces).toBe('');
}

describe.each(['first', 'second'])('the %s life', life => {
    test('init, start, and both applications on the screen', async () => {
        const said = await init(desktop.session);
        expect(said).not.toContain(CONTAINER_PASSWORD);
        expect(await status()).toMatchObject({state: 'stopped', image: `${IMAGE}:latest`});
        await done('start');
        expect(await status()).toMatchObject({state: 'running', digest: lab.digests[1]});

        await done('open', 'edge', 'https://example.com/');
        await expectWindow('Microsoft Edge', EDGE);
        await done('open', 'portal');
        await expectWindow('Microsoft Intune', PORTAL_COLOUR);
        await desktop.screenshot(`out/intune-life-${life}.png`);
    });

    test('the device is enrolled, and a newer image keeps it so', async () => {
        await done('run', '--', PORTAL, '--enrol', ALICE);
        const enrolled = await enrolment();
        expect(enrolled).toMatchObject({account: ALICE});

        await lab.offer('latest', '2');
        expect((await intune('check')).stdout).toContain('newer');
        await done('recreate', '--yes');
        expect(await status()).toMatchObject({digest: lab.digests[2]});
        await done('start');
        expect(await version()).toBe('2');
        expect(await enrolment()).toEqual(enrolled);

        await done('recreate', '--undo', '--yes');
        await done('start');
        expect(await version()).toBe('1');
        expect(await enrolment()).toEqual(enrolled);
        await lab.offer('latest', '1');
    });

    test('stop ends all of it, and open starts it again', async () => {
        await done('stop');
        expect(await status()).toMatchObject({state: 'stopped'});
        await expect.poll(() => desktop.windows()).toEqual([]);
        await expect
            .poll(() => lab.guest.check(['machinectl', 'list', '--no-legend']))
            .toMatch(/^\s*$/);
        await done('open', 'edge');
        await expectWindow('Microsoft Edge', EDGE);
    });

    test('destroy leaves the files of the user, and nothing else', async () => {
        const file = '/home/alice/Intune/report.txt';
        await lab.guest.check(`echo mine >${file}`, {user: 'alice'});
        await done('destroy', '--yes');
        expect(await status()).toMatchObject({state: 'absent'});
        expect(await lab.guest.check(['cat', file])).toBe('mine\n');
        const {stdout} = await lab.guest.run(
            'cd /home/alice/Intune && ls -d .config/intune .local/share/keyrings',
            {
                user: 'alice',
            },
        );
        expect(stdout).toBe('');
        await done('destroy', '--all', '--yes');
        await expectNoTraces(desktop.session.uid);
    });

    test('an installation of intuneme is taken over with its enrolment', async () => {
        const {directory, enrolment: enrolled} = await makeIntuneme(lab, 'alice', ALICE);
        await done('adopt');
        await done('start');
        expect(await enrolment()).toEqual(enrolled);
        await lab.guest.check(['test', '-e', `${directory}/rootfs/etc/os-release`]);
        await done('open', 'portal');
        await expectWindow('Microsoft Intune', PORTAL_COLOUR);
        await done('adopt', '--complete', '--yes');
        expect((await lab.guest.run(['test', '-e', directory])).exitCode).not.toBe(0);
        expect(await enrolment()).toEqual(enrolled);
        await done('destroy', '--all', '--yes');
        await expectNoTraces(desktop.session.uid);
    });
});

test('two users have a container each', async () => {
    const whoami = ['snowctl', 'intune', 'run', '--', 'id', '-un'];
    await init(desktop.session);
    await done('open', 'portal');
    await expectWindow('Microsoft Intune', PORTAL_COLOUR);
    expect(await lab.guest.check(whoami, {session: desktop.session})).toBe('alice\n');

    // Whose session is the active one from now on.
    await using other = await Desktop.start(lab.guest, {user: 'bob'});
    await init(other.session);
    await lab.guest.check(['snowctl', 'intune', 'open', 'portal'], {
        session: other.session,
        timeout: LONG,
    });
    await other.findWindow('Microsoft Intune');
    expect(await lab.guest.check(whoami, {session: other.session})).toBe('bob\n');
    await desktop.findWindow('Microsoft Intune');
    const ranges = await lab.guest.check(
        'for name in intune-u1001 intune-u1002; do cat /proc/$(machinectl show -p Leader --value $name)/uid_map; done',
    );
    const bases = ranges
        .trim()
        .split('\n')
        .map(line => line.trim().split(/\s+/)[1]);
    expect(new Set(bases).size).toBe(2);
});
