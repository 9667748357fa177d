// SPDX-License-Identifier: GPL-2.0-or-later
import {afterAll, beforeAll, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {ExtensionDesktop, UUID, activeFeature, menu} from './extension-desktop.ts';

let extension: ExtensionDesktop;
let desktop: Desktop;

beforeAll(async () => {
    extension = await ExtensionDesktop.start();
    desktop = extension.desktop;
});
afterAll(() => extension?.[Symbol.asyncDispose]());

const FEATURES_PATH = '/org/frostyard/Snow1/Features';

async function windowTitle(): Promise<string | null> {
    return desktop.eval('global.display.focus_window?.title ?? null');
}

test('opens from the menu, shows the state of the service and changes it', async () => {
    await extension.show({features: [activeFeature('docker', '27.5.1')]});
    await extension.openMenu();
    await desktop.click({name: 'Extension Settings', inside: menu});
    await waitForWindow('Snow Control');
    await desktop.waitGone(menu);
    await extension.screenshot('preferences');

    // Each Tab goes to the next switch: Quick Settings, two notifications, automatic updates.
    await extension.calls();
    await pressUntilCalled('SetAutomatic');
    expect(await extension.calls()).toMatchObject([
        {path: FEATURES_PATH, method: 'SetAutomatic', args: [true, {}], flags: 4},
    ]);
    await extension.screenshot('preferences-asked');
    await extension.finishJob(1, 'done');
});

test('says why automatic updates could not be turned on', async () => {
    const name = 'org.frostyard.Snow1.Error.NotAuthorized';
    await extension.show({features: []});
    await extension.tell({do: 'refuse', method: 'SetAutomatic', name, text: 'Not authorized'});
    await extension.calls();
    await pressUntilCalled('SetAutomatic');
    expect(await extension.calls()).toMatchObject([{method: 'SetAutomatic'}]);
    await extension.settle();
    await extension.screenshot('preferences-refused');
});

test('leaves no warnings', async () => {
    await desktop.key('Alt_L', 'F4');
    await waitForWindow(null);
    await desktop.assertNoWarnings();
});

test('opens by gnome-extensions, too', async () => {
    await desktop.run(['gnome-extensions', 'prefs', UUID]);
    await waitForWindow('Snow Control');
    await desktop.assertNoWarnings();
});

/** A program of Gtk takes its time to start. */
async function waitForWindow(title: string | null): Promise<void> {
    const isThere = async () => (await windowTitle()) === title;
    await desktop.waitFor(isThere, {timeout: 30_000, what: `the window ${title}`});
    await extension.settle();
}

/** Goes from one switch to the next; those that belong to the settings are turned and turned back. */
async function pressUntilCalled(method: string): Promise<void> {
    for (let presses = 0; presses < 12; presses++) {
        await desktop.key('Tab');
        await desktop.key('space');
        await extension.settle();
        const calls = (await extension.tell({do: 'peek'})) as readonly unknown[][];
        if (calls.some(call => call[1] === method)) return;
        await desktop.key('space');
    }
    throw new Error(`${method} is not called by any switch`);
}
