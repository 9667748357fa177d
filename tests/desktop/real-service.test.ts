// SPDX-License-Identifier: GPL-2.0-or-later
// The whole way: a click, the administrator's password, a download from a signed repository, a merge
// by systemd-sysext, and the program is there.
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import {definitionFiles} from '../lab/definitions.ts';
import {Desktop} from '../lab/desktop.ts';
import {copyExtensions} from '../lab/extensions.ts';
import {serveInGuest} from '../lab/guest-repository.ts';
import {Guest} from '../lab/guest.ts';
import {installedSystem} from '../lab/installation.ts';
import {publish} from '../lab/publication.ts';
import type {Repository} from '../lab/repository.ts';
import {makeKey} from '../lab/signing.ts';
import {PASSWORD} from '../lab/trees.ts';
import {UUID, indicator, menu, menuButton, row, switchOf, toggle} from './extension-desktop.ts';

const PORT = 8000;
const NAMES = ['podman', 'figlet', 'jq'];
const passwordEntry = {styleClass: 'prompt-dialog-password-entry'};
const banner = {styleClass: 'notification-banner'};
const SLOW = {kind: 'throttle', bytesPerSecond: 10_000_000} as const;

let directory: string;
let guest: Guest;
let repository: Repository;
let desktop: Desktop;

beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'desktop-repository-'));
    await copyExtensions(join(directory, 'ext'), NAMES);
    await using key = await makeKey();
    for (const name of NAMES) await publish(directory, name, {key});
    guest = await Guest.boot('desktop', {
        install: await installedSystem(),
        files: {
            ...definitionFiles(...NAMES.map(name => ({name, url: `http://127.0.0.1:${PORT}`}))),
            '/etc/systemd/import-pubring.gpg': await key.exportKeyring('binary'),
        },
    });
    repository = await serveInGuest(guest, {directory, port: PORT});
    desktop = await Desktop.start(guest, {extensions: [UUID]});
}, 600_000);
afterEach(async () => {
    await repository.clearFaults();
    await desktop.eval('Main.panel.closeQuickSettings()');
    await desktop.eval('Main.messageTray.getSources().forEach(source => source.destroy())');
    await desktop.assertNoWarnings();
});
afterAll(async () => {
    await repository?.close();
    await guest?.kill();
    await rm(directory, {recursive: true, force: true});
});

async function openMenu(): Promise<void> {
    if (await desktop.isShown(menu)) return;
    if (!(await desktop.isShown(toggle))) await desktop.openQuickSettings();
    await desktop.click(menuButton, {timeout: 15_000});
    await desktop.find(row('podman'), {timeout: 15_000});
}

/** The dialog takes the screen for itself: Quick Settings closes. */
async function typePassword(): Promise<void> {
    await desktop.find(passwordEntry, {timeout: 15_000});
    await desktop.type(PASSWORD);
    await desktop.key('Return');
    await desktop.waitGone(passwordEntry, {timeout: 15_000});
}

async function waitForEnd(): Promise<void> {
    await desktop.waitGone(indicator, {timeout: 120_000});
}

test('a dismissed prompt leaves all as it was, without a word', async () => {
    await openMenu();
    await desktop.click(row('podman'));
    await desktop.find(passwordEntry, {timeout: 15_000});
    await desktop.screenshot('out/desktop/real-password.png');
    await desktop.key('Escape');
    await desktop.waitGone(passwordEntry);
    await openMenu();
    expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: false});
    expect(await desktop.isShown(banner)).toBe(false);
});

test('a click and a password merge an extension, and its program is there', async () => {
    expect((await guest.run(['podman', '--version'])).exitCode).toBe(127);
    await repository.setFault('*', SLOW);
    await openMenu();
    await desktop.click(row('podman'));
    await typePassword();

    await desktop.find(indicator, {timeout: 15_000});
    await openMenu();
    await desktop.waitFor(async () => / \d+ %/.test((await desktop.find(toggle)).text), {
        what: 'a percentage in the toggle',
    });
    expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: true});
    expect((await desktop.find(menu)).text).toMatch(/podman[^]*%/);
    await desktop.screenshot('out/desktop/real-progress.png');
    await waitForEnd();

    expect((await desktop.find(toggle)).text).toBe('Extensions\n1 active');
    expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: true});
    expect((await desktop.find(row('podman'))).text).toMatch(/^podman\n5\.4\.2\n/);
    await desktop.screenshot('out/desktop/real-merged.png');
    expect(await guest.check(['podman', '--version'])).toMatch(/^podman version 5\./);
});

// polkit keeps the administrator's word for some minutes: the tests from here are not asked again.

test('what ends while the menu is closed is told', async () => {
    await openMenu();
    await desktop.click(row('jq'));
    await desktop.key('Escape');
    await desktop.key('Escape');
    await desktop.waitGone(menu);
    await desktop.find({...banner, label: 'Extensions'}, {timeout: 60_000});
    expect(await desktop.texts()).toContain('jq is ready');
    await desktop.screenshot('out/desktop/real-notification.png');
    expect(await guest.check(['jq', '--version'])).toMatch(/^jq-1/);
});

test('a failed download is told in its place, and leaves the switch off', async () => {
    await repository.setFault('*', {kind: 'reset', afterBytes: 4000});
    await openMenu();
    await desktop.click(row('figlet'));
    await desktop.waitFor(
        async () => (await desktop.find(row('figlet'))).text.includes('/figlet'),
        {
            timeout: 60_000,
            what: 'the row to say why',
        },
    );
    expect(await desktop.find(switchOf('figlet'))).toMatchObject({checked: false});
    expect(await desktop.isShown(banner)).toBe(false);
    await desktop.screenshot('out/desktop/real-failed.png');
});

test('a job can be cancelled from the menu', async () => {
    await repository.setFault('*', {kind: 'throttle', bytesPerSecond: 20_000});
    await openMenu();
    await desktop.click(row('figlet'));
    await desktop.click({name: 'Cancel: figlet'}, {timeout: 15_000});
    await waitForEnd();
    expect(await desktop.find(switchOf('figlet'))).toMatchObject({checked: false});
    expect((await guest.run(['figlet-figlet', '-v'])).exitCode).toBe(127);
});

test('what the command line changes shows in the menu, with snowd gone in between', async () => {
    await guest.check(['systemctl', 'stop', 'snowd.service']);
    await openMenu();
    expect(await desktop.find(switchOf('jq'))).toMatchObject({checked: true});
    await guest.check(['snowctl', 'features', 'disable', 'jq'], {timeout: 120_000});
    await desktop.waitFor(async () => (await desktop.find(switchOf('jq'))).checked === false, {
        what: 'the switch to be off',
    });
    expect((await desktop.find(toggle)).text).toBe('Extensions\n1 active');
    expect((await guest.run(['jq', '--version'])).exitCode).toBe(127);
});

test('a click takes an extension away again', async () => {
    await openMenu();
    await desktop.click(row('podman'));
    await waitForEnd();
    await desktop.waitFor(async () => (await desktop.find(switchOf('podman'))).checked === false, {
        what: 'the switch to be off',
    });
    expect((await desktop.find(toggle)).text).toBe('Extensions');
    expect((await guest.run(['podman', '--version'])).exitCode).toBe(127);
});

test('snowd goes when it has nothing to do, and the desktop leaves it at rest', async () => {
    const isActive = async () =>
        (await guest.run(['systemctl', 'is-active', 'snowd.service'])).stdout.trim() === 'active';
    await openMenu();
    expect(await isActive()).toBe(true);
    await desktop.eval('Main.panel.closeQuickSettings()');
    await desktop.waitFor(async () => !(await isActive()), {timeout: 60_000, what: 'snowd to go'});
    await sleep(5000);
    expect(await isActive()).toBe(false);
    await desktop.openQuickSettings();
    expect((await desktop.find(toggle)).text).toBe('Extensions');
});
