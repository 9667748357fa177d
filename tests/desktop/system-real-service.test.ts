// SPDX-License-Identifier: GPL-2.0-or-later
// The OS image from the click to the boot loader's entry: snowd, its worker, polkit and the dialog of
// the session are the real ones; bootc is the stand-in of the lab.
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import {Desktop} from '../lab/desktop.ts';
import {Guest} from '../lab/guest.ts';
import {BootcStandIn, bootcFiles} from '../lab/image/bootc/stand-in.ts';
import {installedSystem} from '../lab/installation.ts';
import {PASSWORD} from '../lab/trees.ts';
import {
    UUID,
    confirmation,
    indicator,
    sessionFiles,
    startSessionManager,
    systemMenu,
    systemMenuButton,
    systemToggle,
} from './extension-desktop.ts';

const LOADED = 'ghcr.io/frostyard/snowloaded:latest';
const SLOW_MS = 20_000;
const LONG = {timeout: 60_000};
const passwordEntry = {styleClass: 'prompt-dialog-password-entry'};
const banner = {styleClass: 'notification-banner'};
const action = (label: string) => ({type: 'SnowControlActionItem', label, inside: systemMenu});

let guest: Guest;
let bootc: BootcStandIn;
let desktop: Desktop;

beforeAll(async () => {
    guest = await Guest.boot('desktop', {
        name: 'system',
        install: await installedSystem(),
        files: {
            ...(await bootcFiles({downloadTime: 3000})),
            ...sessionFiles,
            // A switch is refused where nothing says whom to trust.
            '/etc/containers/policy.json': JSON.stringify({default: [{type: 'reject'}]}),
        },
    });
    bootc = new BootcStandIn(guest);
    await bootc.offer({version: '2', timestamp: '2026-11-10T12:00:00Z'});
    desktop = await Desktop.start(guest, {extensions: [UUID]});
    await startSessionManager(desktop);
}, 600_000);
afterEach(async () => {
    await desktop.eval('Main.panel.closeQuickSettings()');
    await desktop.assertNoWarnings();
});
afterAll(() => guest?.kill());

async function openMenu(): Promise<void> {
    if (await desktop.isShown(systemMenu)) return;
    if (!(await desktop.isShown(systemToggle))) await desktop.openQuickSettings();
    await desktop.click(systemMenuButton, LONG);
    await desktop.find(action('Check for Updates'), LONG);
}

async function typePassword(): Promise<void> {
    await desktop.find(passwordEntry, LONG);
    await desktop.type(PASSWORD);
    await desktop.key('Return');
    await desktop.waitGone(passwordEntry, LONG);
}

async function expectToggle(subtitle: string): Promise<void> {
    if (!(await desktop.isShown(systemToggle))) await desktop.openQuickSettings();
    await desktop.waitFor(
        async () => (await desktop.find(systemToggle)).text === `System\n${subtitle}`,
        {...LONG, what: `the toggle to say ${subtitle}`},
    );
}

async function texts(): Promise<string> {
    return (await desktop.find(systemMenu)).text;
}

async function stagedVersion(): Promise<string | null> {
    return (await bootc.status()).status.staged?.image.version ?? null;
}

test('a check finds an update, without a password', async () => {
    await openMenu();
    expect(await texts()).toContain('Running\n1\n');
    await desktop.click(action('Check for Updates'));
    await expectToggle('Update available');
    expect(await texts()).toMatch(/Available\n2\n/);
    await desktop.screenshot('out/desktop/system-real-available.png');
});

test('an update shows its progress, can be cancelled, and leaves nothing staged', async () => {
    await bootc.configure({downloadTime: SLOW_MS});
    await openMenu();
    await desktop.click(action('Update to 2'));
    await desktop.waitFor(
        async () => /Updating [1-9]/.test((await desktop.find(systemToggle)).text),
        {
            ...LONG,
            what: 'a percentage in the toggle',
        },
    );
    expect(await desktop.isShown(indicator)).toBe(true);
    await desktop.screenshot('out/desktop/system-real-progress.png');
    await desktop.click({name: 'Cancel: System'});
    await desktop.waitGone(indicator, LONG);
    await expectToggle('Update available');
    expect(await stagedVersion()).toBeNull();
    await bootc.configure({downloadTime: 2000});
});

test('an update that ends while nobody looks is told once, with a restart', async () => {
    await openMenu();
    await desktop.click(action('Update to 2'));
    await desktop.find(indicator, LONG);
    await desktop.eval('Main.panel.closeQuickSettings()');
    await desktop.find({...banner, label: 'System'}, LONG);
    const bodies = await desktop.eval<readonly string[]>(
        'Main.messageTray.getSources().flatMap(({notifications}) => notifications.map(({body}) => body))',
    );
    expect(bodies).toEqual(['Version 2 starts with the next restart']);
    await desktop.screenshot('out/desktop/system-real-notification.png');
    expect(await stagedVersion()).toBe('2');

    const {status} = await bootc.status();
    const read = (path: string) => desktop.run(`cat ${path}`);
    expect(await read('/run/snosi/update-staged')).toContain(
        `digest=${status.staged?.image.imageDigest}\n`,
    );
    await desktop.waitFor(
        async () =>
            (await read('~/.local/state/snosi/update-staged.ack 2>/dev/null || true')) ===
            `${status.staged?.image.imageDigest}\n`,
    );
    await desktop.eval('Main.messageTray.getSources().forEach(source => source.destroy())');

    await expectToggle('Restart to finish');
    await openMenu();
    await desktop.click({type: 'SnowControlRestartItem'});
    await desktop.find({styleClass: 'end-session-dialog'}, LONG);
    await desktop.key('Escape');
    await desktop.waitGone({styleClass: 'end-session-dialog'});
});

test('an administrator takes it back', async () => {
    await openMenu();
    await desktop.click(action('Undo Update'));
    await typePassword();
    await desktop.waitFor(async () => (await stagedVersion()) === null, LONG);
    await expectToggle('Update available');
});

test('an administrator switches to another channel, after what it means', async () => {
    await bootc.offer({version: '7'}, LOADED);
    await openMenu();
    await desktop.click(action('Switch Channel'));
    await desktop.click({type: 'SnowControlChannelItem', label: 'Snow Loaded'}, LONG);
    expect((await desktop.find(confirmation)).text).toContain(LOADED);
    await desktop.screenshot('out/desktop/system-real-switch.png');
    await desktop.click({styleClass: 'modal-dialog-button', label: 'Switch'});
    await typePassword();
    await desktop.waitFor(async () => (await stagedVersion()) === '7', LONG);
    await desktop.waitGone(indicator, LONG);
    await expectToggle('Restart to finish');
    await openMenu();
    expect(await texts()).toMatch(new RegExp(`After the restart\n7\n.*\n${LOADED}`));
    await desktop.screenshot('out/desktop/system-real-switched.png');
});

test('after the boot it runs, and what ran before can be gone back to', async () => {
    await bootc.reboot();
    await guest.check(['rm', '-rf', '/run/snosi']);
    await desktop.eval('Main.panel.closeQuickSettings()');
    await openMenu();
    await desktop.waitFor(async () => (await texts()).includes('Running\n7\n'), LONG);
    await desktop.click(action('Roll Back…'));
    expect((await desktop.find(confirmation)).text).toContain('Roll back to 1?');
    await desktop.click({styleClass: 'modal-dialog-button', label: 'Roll Back'});
    await desktop.waitFor(async () => {
        if (await desktop.isShown(passwordEntry)) await typePassword();
        return (await bootc.status()).status.rollbackQueued === true;
    }, LONG);
    await expectToggle('Restart to finish');
});

test('what another program stages shows by itself', async () => {
    await bootc.reboot();
    await guest.check(['systemctl', 'stop', 'snowd.service']);
    await guest.check('mkdir -p /run/snosi; echo outcome=current >/run/snosi/update-check');
    await desktop.openQuickSettings();
    await desktop.waitFor(
        async () => !(await desktop.find(systemToggle)).text.includes('Restart'),
        LONG,
    );
    await bootc.offer({version: '3'});
    await guest.check('bootc upgrade --quiet; echo outcome=staged >/run/snosi/update-check');
    await expectToggle('Restart to finish');
});
