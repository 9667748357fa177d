// SPDX-License-Identifier: GPL-2.0-or-later
// Intune as a person uses it: set up from Quick Settings, started by a click, its applications opened
// from the menu and the overview. Service, polkit, registry and container are real.
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import {Desktop} from '../lab/desktop.ts';
import {CONTAINER_PASSWORD, IntuneLab} from '../lab/intune/lab.ts';
import {PASSWORD} from '../lab/trees.ts';
import {
    UUID,
    intuneMenu,
    intuneMenuButton,
    intuneToggle,
    sessionFiles,
    startSessionManager,
} from './extension-desktop.ts';

const LONG = {timeout: 40_000};
const EDGE = '#0b5fa5';
const PORTAL = '#37506b';
const passwordEntry = {styleClass: 'prompt-dialog-password-entry'};
const item = (label: string) => ({type: 'SnowControlActionItem', label, inside: intuneMenu});

let lab: IntuneLab;
let desktop: Desktop;

beforeAll(async () => {
    lab = await IntuneLab.boot({name: 'intune-desktop', files: sessionFiles});
    desktop = await Desktop.start(lab.guest, {extensions: [UUID]});
    await startSessionManager(desktop);
}, 600_000);
afterEach(async () => {
    await desktop.eval('Main.panel.closeQuickSettings()');
    await desktop.assertNoWarnings();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

async function openMenu(): Promise<void> {
    if (await desktop.isShown(intuneMenu)) return;
    if (!(await desktop.isShown(intuneToggle))) await desktop.openQuickSettings();
    await desktop.click(intuneMenuButton, LONG);
    await desktop.find(intuneMenu, LONG);
}

async function expectState(state: string): Promise<void> {
    if (!(await desktop.isShown(intuneToggle))) await desktop.openQuickSettings();
    const text = async () => (await desktop.find(intuneToggle)).text;
    await desktop.waitFor(async () => (await text()) === `Intune\n${state}`, {
        ...LONG,
        what: `the toggle to say ${state}`,
    });
}

async function expectWindow(title: string, colour: string): Promise<void> {
    const {x, y, width, height} = await desktop.findWindow(title, LONG);
    const point = [x + Math.round(width / 2), y + height - 15] as const;
    await desktop.waitFor(async () => (await desktop.pixel(...point)) === colour, {
        what: `${title} to be seen`,
    });
}

test('a person sets it up, with a password for the administrator and one for the container', async () => {
    await expectState('Not set up');
    await openMenu();
    await desktop.click(item('Set Up…'));
    await desktop.findWindow('Console');
    // The first key makes the keyboard known to the window.
    await desktop.key('Shift_L');
    await desktop.waitFor(async () => !(await desktop.isShown(intuneMenu)));
    await lab.guest.check('sleep 2');
    await desktop.type(CONTAINER_PASSWORD);
    await desktop.key('Return');
    await lab.guest.check('sleep 0.5');
    await desktop.type(CONTAINER_PASSWORD);
    await desktop.key('Return');
    await desktop.find(passwordEntry, LONG);
    await desktop.type(PASSWORD);
    await desktop.key('Return');
    await desktop.waitGone(passwordEntry, LONG);
    await desktop.screenshot('out/desktop/intune-life-set-up.png');
    await expectState('Stopped');
    await desktop.eval('Main.panel.closeQuickSettings()');
    await desktop.waitGone(intuneToggle);
    await lab.guest.check(['pkill', '-x', 'kgx']);
    await desktop.waitFor(async () => (await desktop.windows()).length === 0);
});

test('a click starts it', async () => {
    await expectState('Stopped');
    await desktop.click({label: 'Intune', inside: intuneToggle});
    await expectState('Running');
});

test('both applications show their windows, from the overview and from the menu', async () => {
    // The shell waits some seconds after a change before it reads what applications there are.
    await desktop.waitFor(
        `import('gi://Shell').then(({default: Shell}) =>
            Shell.AppSystem.get_default().lookup_app('org.frostyard.Snow1.Edge.desktop') !== null)`,
        LONG,
    );
    await desktop.eval('Main.overview.show()');
    await desktop.waitFor('Main.overview.visible');
    await desktop.type('edge');
    await desktop.find({label: 'Microsoft Edge'}, LONG);
    await desktop.key('Return');
    await expectWindow('Microsoft Edge', EDGE);
    await openMenu();
    await desktop.click(item('Intune Portal'));
    await expectWindow('Microsoft Intune', PORTAL);
    await desktop.screenshot('out/desktop/intune-life-windows.png');
});

test('what is done elsewhere shows at once, and a click ends all of it', async () => {
    await lab.guest.check(['machinectl', 'poweroff', 'intune-u1001']);
    await expectState('Stopped');
    await expect.poll(() => desktop.windows()).toEqual([]);
    await openMenu();
    await desktop.click(item('Microsoft Edge'));
    await expectWindow('Microsoft Edge', EDGE);
    await expectState('Running');
    await desktop.click({label: 'Intune', inside: intuneToggle});
    await expectState('Stopped');
    await expect.poll(() => desktop.windows()).toEqual([]);
});
