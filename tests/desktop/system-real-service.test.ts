// SPDX-License-Identifier: GPL-2.0-or-later
// The OS image from the click to the boot loader's entry: snowd, its worker, polkit and the dialog of
// the session are the real ones; bootc is the stand-in of the lab.
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import {Guest} from '../lab/guest.ts';
import {BootcStandIn, bootcFiles} from '../lab/image/bootc/stand-in.ts';
import {installedSystem} from '../lab/installation.ts';
import type {Desktop} from '../lab/desktop.ts';
import {indicator, sessionFiles, systemToggle} from './extension-desktop.ts';
import {LONG, SystemDesktop} from './system-desktop.ts';

const LOADED = 'ghcr.io/frostyard/snowloaded:latest';
const SLOW_MS = 20_000;

let guest: Guest;
let bootc: BootcStandIn;
let system: SystemDesktop;
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
    system = await SystemDesktop.start(guest);
    ({desktop} = system);
}, 600_000);
afterEach(async () => {
    await system.closeMenu();
    await desktop.assertNoWarnings();
});
afterAll(() => guest?.kill());

async function stagedVersion(): Promise<string | null> {
    return (await bootc.status()).status.staged?.image.version ?? null;
}

test('a check finds an update, without a password', async () => {
    await system.expectText(/Running\n1\n/);
    await system.choose('Check for Updates');
    await system.expectToggle('Update available');
    expect(await system.texts()).toMatch(/Available\n2\n/);
    await system.screenshot('system-real-available');
});

test('an update shows its progress, can be cancelled, and leaves nothing staged', async () => {
    await bootc.configure({downloadTime: SLOW_MS});
    await system.choose('Update to 2');
    await system.expectToggle(/Updating [1-9]/);
    expect(await desktop.isShown(indicator)).toBe(true);
    await system.screenshot('system-real-progress');
    await system.cancel();
    await system.expectToggle('Update available');
    expect(await stagedVersion()).toBeNull();
    await bootc.configure({downloadTime: 2000});
});

test('an update that ends while nobody looks is told once, with a restart', async () => {
    await system.choose('Update to 2');
    await desktop.find(indicator, LONG);
    await system.closeMenu();
    expect(await system.notification('system-real-notification')).toEqual([
        'Version 2 starts with the next restart',
    ]);
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
    await system.askRestart();
});

test('an administrator takes it back', async () => {
    await system.choose('Undo Update');
    await system.typePassword();
    await desktop.waitFor(async () => (await stagedVersion()) === null, LONG);
    await system.expectToggle('Update available');
});

test('an administrator switches to another channel, after what it means', async () => {
    await bootc.offer({version: '7'}, LOADED);
    await system.choose('Switch Channel');
    await desktop.click({type: 'SnowControlChannelItem', label: 'Snow Loaded'}, LONG);
    await system.confirm(LOADED, 'Switch', 'system-real-switch');
    await system.typePassword();
    await desktop.waitFor(async () => (await stagedVersion()) === '7', LONG);
    await desktop.waitGone(indicator, LONG);
    await system.expectToggle('Restart to finish');
    await system.expectText(new RegExp(`After the restart\n7\n.*\n${LOADED}`));
    await system.screenshot('system-real-switched');
});

test('after the boot it runs, and what ran before can be gone back to', async () => {
    await bootc.reboot();
    await guest.check(['rm', '-rf', '/run/snosi']);
    await system.closeMenu();
    await system.expectText(/Running\n7\n/);
    await system.choose('Roll Back…');
    await system.confirm('Roll back to 1?', 'Roll Back');
    await system.waitWithPassword(
        async () => (await bootc.status()).status.rollbackQueued === true,
        'the rollback to be queued',
    );
    await system.expectToggle('Restart to finish');
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
    await system.expectToggle('Restart to finish');
});
