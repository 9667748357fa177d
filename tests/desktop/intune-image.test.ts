// SPDX-License-Identifier: GPL-2.0-or-later
// The image that the tests of Intune use does what they rely on, in a container that is started by hand.
import {afterAll, beforeAll, expect, test} from 'vitest';

import {Desktop} from '../lab/desktop.ts';
import {
    type Intuneme,
    makeIntuneme,
    runInIntuneme,
    startIntuneme,
    stopIntuneme,
} from '../lab/intune/intuneme.ts';
import {IMAGE, IntuneLab} from '../lab/intune/lab.ts';

const ACCOUNT = 'alice@lab.example';
const BROKER = 'com.microsoft.identity.broker1';
const BROKER_PATH = '/com/microsoft/identity/broker1';

let lab: IntuneLab;
let desktop: Desktop;
let intuneme: Intuneme;

beforeAll(async () => {
    lab = await IntuneLab.boot({name: 'intune-image'});
    desktop = await Desktop.start(lab.guest);
    intuneme = await makeIntuneme(lab, 'alice', ACCOUNT);
    await startIntuneme(lab, 'alice');
}, 600_000);
afterAll(() => lab?.[Symbol.asyncDispose]());

const inside = (script: string) => runInIntuneme(lab, 'alice', script);

async function digest(tag: string): Promise<string> {
    const reference = `docker://${IMAGE}:${tag}`;
    const ask = ['skopeo', 'inspect', '--no-tags', '--format', '{{.Digest}}', reference];
    return (await lab.guest.check(ask)).trim();
}

test('the registry has two versions, and what a channel means can change', async () => {
    expect(await digest('latest')).toBe(lab.digests[1]);
    expect(await digest('insiders')).toBe(lab.digests[2]);
    await lab.offer('latest', '2');
    expect(await digest('latest')).toBe(lab.digests[2]);
    await lab.offer('latest', '1');
    expect(await digest('latest')).toBe(lab.digests[1]);
});

test('a device that was enrolled is so after a restart, by what is on the disk', async () => {
    expect(intuneme.enrolment).toMatchObject({account: ACCOUNT});
    expect(JSON.parse(await inside('/opt/microsoft/intune/bin/intune-portal --check'))).toEqual(
        intuneme.enrolment,
    );
});

test('the broker keeps its token in the keyring, and answers no introspection', async () => {
    const search = `secret-tool lookup application ${BROKER} account ${ACCOUNT}`;
    expect(await inside(search)).toBe(intuneme.enrolment.token);
    await expect(
        inside(
            `busctl --user call ${BROKER} ${BROKER_PATH} org.freedesktop.DBus.Introspectable Introspect`,
        ),
    ).rejects.toThrow(/No introspection/);
});

test('the windows of both applications are on the screen', async () => {
    for (const [unit, command, title, colour] of [
        ['edge', '/usr/local/bin/microsoft-edge https://example.com', 'Microsoft Edge', '#0b5fa5'],
        ['portal', '/opt/microsoft/intune/bin/intune-portal', 'Microsoft Intune', '#37506b'],
    ] as const) {
        await inside(
            `systemd-run --user --quiet --collect --unit=${unit} --setenv=WAYLAND_DISPLAY ${command}`,
        );
        const {x, y, width, height} = await desktop.findWindow(title);
        const point = [x + Math.round(width / 2), y + height - 15] as const;
        await desktop.waitFor(async () => (await desktop.pixel(...point)) === colour, {
            what: `${title} to be seen`,
        });
    }
    await desktop.screenshot('out/desktop/intune-image.png');
    await inside('systemctl --user stop edge portal');
    await desktop.waitFor(async () => (await desktop.windows()).length === 0);
});

test('the broker refuses to start without a display', async () => {
    await stopIntuneme(lab);
    await startIntuneme(lab, 'alice');
    await inside('dbus-update-activation-environment --systemd DISPLAY= WAYLAND_DISPLAY=');
    await expect(
        inside(
            `busctl --user call ${BROKER} ${BROKER_PATH} com.microsoft.identity.Broker1 getAccounts sss 0.0 x {}`,
        ),
    ).rejects.toThrow(/exited with status 1/);
});
