// SPDX-License-Identifier: GPL-2.0-or-later
// A system of nbc's from the click to the slot and the boot loader's entry: snowd, its worker, polkit
// and the dialog of the session are the real ones; nbc, bootctl and the firmware are the lab's.
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {Guest} from '../lab/guest.ts';
import {NbcMachine, SNOW, imageOf, nbcPrograms} from '../lab/image/nbc/stand-in.ts';
import {installedSystem} from '../lab/installation.ts';
import {indicator, sessionFiles} from './extension-desktop.ts';
import {LONG, SystemDesktop} from './system-desktop.ts';

const FIRST = '20260101000000';
const SECOND = '20260201000000';
const THIRD = '20260301000000';
const LOADED = 'ghcr.io/frostyard/snowloaded:latest';
/** A registry tells no more of an image before it is fetched. */
const secondByDigest = imageOf(SECOND).digest.slice('sha256:'.length, 'sha256:'.length + 12);

let guest: Guest;
let machine: NbcMachine;
let system: SystemDesktop;
let desktop: Desktop;

beforeAll(async () => {
    guest = await Guest.boot('desktop', {
        name: 'system-nbc',
        install: await installedSystem(),
        files: {...(await nbcPrograms()), ...sessionFiles},
    });
    machine = await NbcMachine.install(guest, {installed: imageOf(FIRST)});
    await machine.publish({[SNOW]: imageOf(SECOND), [LOADED]: imageOf(THIRD)});
    system = await SystemDesktop.start(guest);
    ({desktop} = system);
}, 600_000);
afterEach(async () => {
    await system.closeMenu();
    await desktop.assertNoWarnings();
});
afterAll(() => guest?.kill());

test('a check finds an update, without a password', async () => {
    await system.expectText(new RegExp(`Running\n${FIRST}\n`));
    await system.choose('Check for Updates');
    await system.expectToggle('Update available');
    expect(await system.texts()).toContain(`Available\n${secondByDigest}\n`);
    await system.screenshot('system-nbc-available');
});

test('an update shows what it does, can be cancelled, and leaves nothing staged', async () => {
    await machine.configure({stepTime: 1500});
    await system.choose(`Update to ${secondByDigest}`);
    await system.expectText(/Extracting new container filesystem/);
    await system.expectToggle(/^Updating [1-9]\d? %$/);
    expect(await desktop.isShown(indicator)).toBe(true);
    await system.screenshot('system-nbc-progress');
    await system.cancel();
    await system.expectToggle('Update available');
    expect(await system.status()).toMatchObject({booted: {version: FIRST}, staged: null});
    await machine.configure({stepTime: 200});
});

test('an update that ends while nobody looks is told once, with a restart', async () => {
    await system.choose(`Update to ${secondByDigest}`);
    await desktop.find(indicator, LONG);
    await system.closeMenu();
    expect(await system.notification('system-nbc-notification')).toEqual([
        `Version ${SECOND} starts with the next restart`,
    ]);
    expect(await system.status()).toMatchObject({staged: {version: SECOND, slot: 'B'}});
    await system.askRestart();
});

test('an administrator takes it back', async () => {
    await system.choose('Undo Update');
    await system.typePassword();
    await system.waitForStatus({staged: null, rollback: {version: SECOND}});
    await system.expectToggle('Held back');
    await system.expectText(new RegExp(`was set aside\n(?:.*\n)*Rollback\n${SECOND}\n`));
    await system.screenshot('system-nbc-undone');
});

test('an administrator switches to another channel, after what it means', async () => {
    await system.choose('Switch Channel');
    await desktop.click({type: 'SnowControlChannelItem', label: 'Snow Loaded'}, LONG);
    await system.confirm(LOADED, 'Switch', 'system-nbc-switch');
    await system.typePassword();
    await system.waitForStatus({followed: LOADED, staged: {version: THIRD}});
    await desktop.waitGone(indicator, LONG);
    await system.expectToggle('Restart to finish');
    await system.expectText(new RegExp(`After the restart\n${THIRD}\n.*${LOADED}`, 's'));
});

test('after the boot it runs, and what ran before can be gone back to', async () => {
    await machine.restart();
    await guest.check(['rm', '-rf', '/run/snosi']);
    await system.closeMenu();
    await system.expectText(new RegExp(`Running\n${THIRD}\n`));
    await system.choose('Roll Back…');
    await system.confirm(`Roll back to ${FIRST}?`, 'Roll Back', 'system-nbc-rollback');
    await system.waitForStatus({rollbackQueued: true});
    await system.expectToggle('Restart to finish');
    await machine.restart();
    expect(await machine.bootedVersion()).toBe(FIRST);
});
