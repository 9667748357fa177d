// SPDX-License-Identifier: GPL-2.0-or-later
// A native A/B system from the click to the partitions: snowd, its worker, polkit, the dialog of the
// session and systemd-sysupdate are the real ones; the firmware and the boot loader are the lab's. The
// shell is of Debian 13, and so is systemd: 257, which cannot download without staging.
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {CHANNEL, FIRST, NativeMachine} from '../lab/image/native/machine.ts';
import {installedSystem} from '../lab/installation.ts';
import {indicator, sessionFiles, systemMenu} from './extension-desktop.ts';
import {LONG, SystemDesktop, action} from './system-desktop.ts';

const SECOND = '20260201000000';

let machine: NativeMachine;
let system: SystemDesktop;
let desktop: Desktop;

beforeAll(async () => {
    machine = await NativeMachine.boot({
        tree: 'workstation',
        install: await installedSystem(),
        files: sessionFiles,
    });
    await machine.offer(SECOND);
    system = await SystemDesktop.start(machine.guest);
    ({desktop} = system);
}, 600_000);
afterEach(async () => {
    await system.closeMenu();
    await desktop.assertNoWarnings();
});
afterAll(() => machine?.[Symbol.asyncDispose]());

test('a check finds an update, without a password', async () => {
    await system.expectText(new RegExp(`Running\n${FIRST}\n`));
    await system.choose('Check for Updates');
    await system.expectToggle('Update available');
    expect(await system.texts()).toMatch(new RegExp(`Available\n${SECOND}\n.* 2026 · 3\\.4.MB\n`));
    await system.screenshot('system-native-available');
});

test('what cannot be done is not offered: another channel, and a download for later', async () => {
    await system.expectText(/Check for Updates\n/);
    for (const label of ['Switch Channel', 'Download for Later', 'Roll Back…', 'Undo Update'])
        expect([label, await desktop.isShown(action(label))]).toEqual([label, false]);
    // Which one it is, it tells, and a click shows no other.
    await desktop.click({label: 'Channel', inside: systemMenu});
    expect(await system.texts()).toContain('Channel\nSnow');
    expect(await desktop.isShown({type: 'SnowControlChannelItem'})).toBe(false);
    await system.screenshot('system-native-channel');
});

test('an update shows its progress, can be cancelled, and leaves nothing half done', async () => {
    await machine.repository.setFault(await machine.pathOf(SECOND, 'root'), {
        kind: 'throttle',
        bytesPerSecond: 300_000,
    });
    await system.choose(`Update to ${SECOND}`);
    await system.expectToggle(/^Updating [1-9]\d? %$/);
    await system.expectText(new RegExp(`Downloading ${SECOND}, system\n\\d+ %\n`));
    expect(await desktop.isShown(indicator)).toBe(true);
    await system.screenshot('system-native-progress');
    await system.cancel();
    await system.expectToggle('Update available');
    expect(await system.status()).toMatchObject({
        booted: {version: FIRST},
        staged: null,
        problem: '',
    });
    expect(await machine.bootFiles()).toEqual([`${CHANNEL}_${FIRST}.efi`]);
    await machine.repository.clearFaults();
});

test('an update that ends while nobody looks is told once, with a restart', async () => {
    await system.choose(`Update to ${SECOND}`);
    await desktop.find(indicator, LONG);
    await system.closeMenu();
    expect(await system.notification('system-native-notification')).toEqual([
        `Version ${SECOND} starts with the next restart`,
    ]);
    expect(await machine.bootFiles()).toContain(`${CHANNEL}_${SECOND}+3-0.efi`);
    await system.askRestart();
});

test('an administrator takes it back', async () => {
    await system.choose('Undo Update');
    await system.typePassword();
    await system.waitForStatus({staged: null, rollback: {version: SECOND}});
    expect(await machine.bootFiles()).toContain(`${CHANNEL}_${SECOND}+0-0.efi`);
    await system.expectToggle('Held back');
    await system.expectText(new RegExp(`was set aside\n(?:.*\n)*Rollback\n${SECOND}\n`));
    await system.screenshot('system-native-undone');
});

test('and starts it after all; from there, what ran before can be gone back to', async () => {
    await system.choose('Roll Back…');
    await system.confirm(SECOND, 'Roll Back');
    await system.waitForStatus({staged: {version: SECOND}});
    await system.expectToggle('Restart to finish');

    expect(await machine.restart()).toBe(SECOND);
    await machine.guest.check(['rm', '-rf', '/run/snosi']);
    await system.closeMenu();
    await system.expectText(new RegExp(`Running\n${SECOND}\n`));
    await system.choose('Roll Back…');
    await system.confirm(`Roll back to ${FIRST}?`, 'Roll Back', 'system-native-rollback');
    await system.waitForStatus({rollbackQueued: true});
    await system.expectToggle('Restart to finish');
    expect(await machine.restart()).toBe(FIRST);
});
