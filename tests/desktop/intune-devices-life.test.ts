// SPDX-License-Identifier: GPL-2.0-or-later
// Cameras of the desktop and a running container, from the kernel's event to the node in the container:
// kernel, udev, systemd, service, polkit and container are real, the cameras are what a guest has.
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import {
    announce,
    deviceFiles,
    plug,
    settle,
    startUdev,
    unplug,
} from '../guest/support/lab-devices.ts';
import {Desktop} from '../lab/desktop.ts';
import {CONTAINER_PASSWORD, IntuneLab} from '../lab/intune/lab.ts';
import {UUID, intuneMenu, intuneMenuButton, intuneToggle} from './extension-desktop.ts';

const LONG = {timeout: 40_000};
const NODES = '/run/snow-control/intune/u1001/dev';
const CAMERA = 'Lab camera';
const banner = {styleClass: 'notification-banner'};
const camera = {type: 'SnowControlDeviceItem', name: CAMERA, inside: intuneMenu};
const cameraSwitch = {type: 'Switch', inside: camera};
const button = (label: string) => ({styleClass: 'notification-button', label});

/** The passwords of administrators are tested elsewhere. */
const rule = `polkit.addRule(function (action, subject) {
    if (action.id === 'org.frostyard.Snow1.intune.manage') return polkit.Result.YES;
});
`;

let lab: IntuneLab;
let desktop: Desktop;

beforeAll(async () => {
    lab = await IntuneLab.boot({
        name: 'intune-devices-desktop',
        files: {
            ...deviceFiles,
            '/etc/polkit-1/rules.d/10-lab.rules': rule,
            '/etc/snow-control/intune.conf': '[Intune]\nCameras=ask\n',
        },
    });
    await startUdev(lab.guest);
    await unplugAll();
    desktop = await Desktop.start(lab.guest, {extensions: [UUID]});
    const terminal = lab.guest.startTerminal(['snowctl', 'intune', 'init'], {
        session: desktop.session,
        timeout: 120_000,
        env: {WAYLAND_DISPLAY: 'wayland-0'},
    });
    await terminal.waitFor(/assword.*: ?$/);
    terminal.type(`${CONTAINER_PASSWORD}\n`);
    await terminal.waitFor(/again|confirm|repeat/i);
    terminal.type(`${CONTAINER_PASSWORD}\n`);
    if ((await terminal.exit) !== 0) throw new Error(terminal.text);
    await desktop.find(banner, LONG);
    await desktop.eval('Main.messageTray.getSources().forEach(source => source.destroy())');
    await desktop.waitGone(banner);
}, 600_000);
afterEach(async () => {
    await desktop.eval('Main.panel.closeQuickSettings()');
    await desktop.assertNoWarnings();
});
afterAll(async () => {
    if (lab) await unplugAll();
    await lab?.[Symbol.asyncDispose]();
});

/** The kernel, which guests have in common, keeps what an earlier one plugged in. */
async function unplugAll(): Promise<void> {
    const names = await lab.guest.check('ls /sys/class/vc');
    for (const [, number] of names.matchAll(/^vcs(5\d)$/gm))
        await unplug(lab.guest, Number(number));
}

async function switchContainer(state: string): Promise<void> {
    await desktop.openQuickSettings();
    await desktop.click({label: 'Intune', inside: intuneToggle});
    await desktop.waitFor(
        async () => (await desktop.find(intuneToggle)).text === `Intune\n${state}`,
        {...LONG, what: `the toggle to say ${state}`},
    );
    await desktop.eval('Main.panel.closeQuickSettings()');
}

async function openMenu(): Promise<void> {
    await desktop.openQuickSettings();
    await desktop.click(intuneMenuButton);
    await desktop.find(intuneMenu);
}

async function expectSwitch(isOn: boolean): Promise<void> {
    await desktop.waitFor(async () => (await desktop.find(cameraSwitch)).checked === isOn, {
        what: `the switch to be ${isOn ? 'on' : 'off'}`,
    });
}

/** Whether the container has the node. */
async function has(name: string): Promise<boolean> {
    return (await lab.guest.run(['test', '-c', `${NODES}/${name}`])).exitCode === 0;
}

async function expectNode(name: string, isThere: boolean): Promise<void> {
    await desktop.waitFor(async () => (await has(name)) === isThere, {
        what: `${name} to ${isThere ? 'come' : 'go'}`,
    });
}

test('a camera is asked about when it is plugged in, and attached by the answer', async () => {
    await switchContainer('Running');
    await plug(lab.guest, 51);
    await desktop.find(banner);
    expect((await desktop.find(banner)).text).toContain(`${CAMERA} was plugged in`);
    expect(await has('vcs51')).toBe(false);
    await desktop.hover(banner);
    await desktop.screenshot('out/desktop/intune-devices-life-asked.png');
    await desktop.click(button('Attach'));
    await expectNode('vcs51', true);
    await desktop.waitGone(banner);
});

test('its switch takes it away and gives it back', async () => {
    await openMenu();
    await expectSwitch(true);
    await desktop.screenshot('out/desktop/intune-devices-life-menu.png');
    await desktop.click(camera);
    await expectNode('vcs51', false);
    await expectSwitch(false);
    await desktop.click(camera);
    await expectNode('vcs51', true);
    await expectSwitch(true);
    expect(await desktop.isShown(banner)).toBe(false);
});

test('it is gone from the open menu when it is unplugged', async () => {
    await openMenu();
    await desktop.find(camera);
    await unplug(lab.guest, 51);
    await desktop.waitGone(camera);
    await expectNode('vcs51', false);
});

test('a question goes with the camera, and with the container', async () => {
    await plug(lab.guest, 52);
    await desktop.find(banner);
    await unplug(lab.guest, 52);
    await desktop.waitGone(banner);

    await plug(lab.guest, 53);
    await desktop.find(banner);
    await switchContainer('Stopped');
    await desktop.waitGone(banner);
    expect(await desktop.eval('Main.messageTray.getSources().length')).toBe(0);
});

test('what waited before the container started is asked about; a key comes unasked', async () => {
    await switchContainer('Running');
    await desktop.find(banner);
    expect((await desktop.find(banner)).text).toContain(`${CAMERA} was plugged in`);
    await desktop.hover(banner);
    await desktop.click(button('Not Now'));
    await desktop.waitGone(banner);
    await openMenu();
    await expectSwitch(false);

    await announce(lab.guest, 'add', [20]);
    await settle(lab.guest);
    await expectNode('tty20', true);
    await desktop.waitFor(async () => {
        const items = await desktop.findAll({type: 'SnowControlDeviceItem', inside: intuneMenu});
        return items.length === 2;
    });
    await desktop.screenshot('out/desktop/intune-devices-life-key.png');
    expect(await desktop.isShown(banner)).toBe(false);
    expect(await has('vcs53')).toBe(false);
    await announce(lab.guest, 'remove', [20]);
});
