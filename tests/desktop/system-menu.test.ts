// SPDX-License-Identifier: GPL-2.0-or-later
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {
    ExtensionDesktop,
    IMAGE_PATH,
    activeFeature,
    confirmation,
    feature,
    imageJob,
    indicator,
    jobPath,
    menu,
    systemMenu,
    systemToggle,
} from './extension-desktop.ts';
import {
    available,
    broken,
    current,
    downloaded,
    held,
    incomplete,
    rollbackQueued,
    staged,
    switched,
} from './images.ts';

const INTERACTIVE = 4;
const docker = activeFeature('docker', '27.5.1');
const restartDialog = {styleClass: 'end-session-dialog'};
const action = (label: string) => ({type: 'SnowControlActionItem', label, inside: systemMenu});
const restart = {type: 'SnowControlRestartItem', inside: systemMenu};
const channel = (label: string) => ({type: 'SnowControlChannelItem', label});
const button = (label: string) => ({styleClass: 'modal-dialog-button', label});

let extension: ExtensionDesktop;
let desktop: Desktop;

beforeAll(async () => {
    extension = await ExtensionDesktop.start();
    desktop = extension.desktop;
});
afterEach(async () => {
    await extension.closeMenu();
    await extension.calls();
    await desktop.assertNoWarnings();
});
afterAll(() => extension?.[Symbol.asyncDispose]());

async function texts(): Promise<string> {
    return (await desktop.find(systemMenu)).text;
}

describe('the toggle', () => {
    test.each([
        ['up to date', current, 'Up to date', false],
        ['an update', available, 'Update available', true],
        ['a staged update', staged, 'Restart to finish', true],
        ['a queued rollback', rollbackQueued, 'Restart to finish', true],
        ['an update that was rolled back from', held, 'Held back', false],
        ['a problem', broken, 'Needs attention', false],
        ['a failed check', {...current, LastOutcome: 'failed'}, 'Update failed', false],
    ])('tells of %s', async (title, image, subtitle, checked) => {
        await extension.show({features: [docker], image});
        await desktop.openQuickSettings();
        expect(await desktop.find(systemToggle)).toMatchObject({
            checked,
            text: `System\n${subtitle}`,
        });
        await extension.screenshot(`system-toggle-${title.replaceAll(' ', '-')}`);
    });

    test('tells that extensions wait for a restart, too', async () => {
        const incus = feature('incus', {Enabled: true, Installed: '6.0'});
        await extension.show({
            features: [docker, incus],
            image: current,
            summary: {RestartNeeded: true},
        });
        await extension.openSystemMenu();
        expect((await desktop.find(systemToggle)).text).toBe('System\nRestart to finish');
        expect((await desktop.find(restart)).text).toBe('Restart…\nChanges 1 extension');
        await extension.closeMenu();
        await extension.openMenu();
        const item = {type: 'SnowControlRestartItem', inside: menu};
        expect((await desktop.find(item)).text).toBe('Restart…\nChanges 1 extension');
        await extension.screenshot('menu-restart');
    });

    test.each([
        ['there is no image', null],
        ['nothing manages the image', {...current, Driver: ''}],
    ])('is hidden where %s', async (_what, image) => {
        await extension.show({features: [docker], image});
        await desktop.openQuickSettings();
        expect(await desktop.isShown(systemToggle)).toBe(false);
        await extension.screenshot('system-none');
    });

    test('is hidden by a setting', async () => {
        await extension.show({features: [docker], image: current});
        await extension.changeSetting('show-system', false);
        await desktop.openQuickSettings();
        expect(await desktop.isShown(systemToggle)).toBe(false);
        await extension.changeSetting('show-system', true);
        expect(await desktop.isShown(systemToggle)).toBe(true);
    });

    test('tells what goes on, as does the panel', async () => {
        await extension.show({features: [docker], image: available});
        expect(await desktop.isShown(indicator)).toBe(false);
        await extension.show({
            features: [docker],
            image: available,
            jobs: {1: imageJob('update')},
        });
        expect(await desktop.isShown(indicator)).toBe(true);
        await desktop.openQuickSettings();
        expect((await desktop.find(systemToggle)).text).toBe('System\nUpdating 45 %');
        expect((await desktop.find({type: 'SnowControlFeaturesToggle'})).text).toBe(
            'Extensions\n1 active',
        );
        await extension.screenshot('system-toggle-updating');
        await extension.finishJob(1, 'done');
        expect(await desktop.isShown(indicator)).toBe(false);
    });
});

describe('the menu', () => {
    test('shows what runs, what can be gone back to, and what is followed', async () => {
        await extension.show({features: [docker], image: current});
        await extension.openSystemMenu();
        const text = await texts();
        expect(text).toContain('Running\n20261105\nNovember 5 2026');
        expect(text).toContain('Rollback\n20261029\nOctober 29 2026');
        expect(text).toContain('Switch Channel\nSnow');
        expect(text).not.toMatch(/restart|Update to|Undo/i);
        await extension.screenshot('system-current');
    });

    test('shows an update, and stages it', async () => {
        await extension.show({features: [docker], image: available});
        await extension.openSystemMenu();
        expect(await texts()).toContain('Available\n20261110\nNovember 10 2026 · 1.3\u00a0GB');
        await extension.screenshot('system-available');
        await extension.calls();
        await desktop.click(action('Update to 20261110'));
        await extension.settle();
        expect(await extension.calls()).toEqual([
            {path: IMAGE_PATH, method: 'Update', args: [{}], flags: INTERACTIVE},
        ]);

        const number = await extension.lastJob();
        await extension.changeJob(number, {Step: 'Downloading snow 20261110', Progress: 0.45});
        expect(await texts()).toContain('Downloading snow 20261110\n45 %');
        await extension.screenshot('system-downloading');
        await extension.calls();
        await desktop.click(action('Check for Updates'), {timeout: 500}).catch(() => undefined);
        expect(await extension.calls()).toEqual([]);

        await extension.finishJob(number, 'done', {results: {version: '20261110'}});
        await extension.changeImage(staged);
        expect(await texts()).toContain('After the restart\n20261110\nNovember 10 2026');
        expect((await desktop.find(restart)).text).toBe('Restart…\nStarts version 20261110');
        await extension.screenshot('system-staged');
    });

    test('downloads for later, and then offers what is there', async () => {
        await extension.show({features: [docker], image: available});
        await extension.openSystemMenu();
        await extension.calls();
        await desktop.click(action('Download for Later'));
        await extension.settle();
        expect(await extension.calls()).toMatchObject([
            {method: 'Update', args: [{'download-only': true}]},
        ]);
        expect((await desktop.find(systemToggle)).text).toBe('System\nDownloading');
        await extension.finishJob(await extension.lastJob(), 'done');
        await extension.changeImage({...downloaded, Available: {}});
        expect(await texts()).toContain('Downloaded\n20261110');
        await desktop.find(action('Update to 20261110'));
        expect(await desktop.isShown(action('Download for Later'))).toBe(false);
        await extension.screenshot('system-downloaded');
    });

    test('names the extensions that will be missing', async () => {
        await extension.show({features: [docker], image: incomplete});
        await extension.openSystemMenu();
        const text = await texts();
        expect(text).toContain('docker has no version for Debian 14');
        expect(text).toContain('incus 6.0 does not say for which system it is');
        expect(text).not.toContain('podman');
        await extension.screenshot('system-incomplete');
    });

    test('offers only what the driver can do', async () => {
        await extension.show({
            features: [docker],
            image: {...available, Capabilities: ['update'], Followed: 'snow-ab', Channels: []},
        });
        await extension.openSystemMenu();
        expect(await texts()).toContain('Channel\nsnow-ab');
        expect(await texts()).not.toMatch(/Check|Download|Switch|Roll Back/);
        await desktop.find(action('Update to 20261110'));
        await extension.screenshot('system-update-only');
    });

    test('shows a problem in full, and why a job failed', async () => {
        await extension.show({features: [docker], image: broken});
        await extension.openSystemMenu();
        expect(await texts()).toContain(broken.Problem);
        await extension.screenshot('system-problem');

        await extension.changeImage(current);
        await desktop.click(action('Check for Updates'));
        await extension.settle();
        const error = ['org.frostyard.Snow1.Error.Network', 'No route to ghcr.io'] as const;
        await extension.finishJob(await extension.lastJob(), 'failed', {error});
        expect(await texts()).toContain('No route to ghcr.io');
        expect((await desktop.find(systemToggle)).text).toBe('System\nUpdate failed');
        await extension.screenshot('system-failed');
    });

    test('says that another job is in the way', async () => {
        await extension.show({features: [docker], image: current});
        const name = 'org.frostyard.Snow1.Error.Busy';
        await extension.tell({do: 'refuse', method: 'Check', name, text: 'Another job runs'});
        await extension.openSystemMenu();
        await desktop.click(action('Check for Updates'));
        await extension.settle();
        expect(await texts()).toContain('Another job runs');
        await extension.tell({do: 'refuse', method: 'Check', name: '', text: ''});
    });

    test('cancels a job of its user, and only such', async () => {
        const world = {features: [docker], image: available};
        const other = imageJob('update', {StartedByUID: 0});
        await extension.show({...world, jobs: {1: other}});
        await extension.openSystemMenu();
        expect(await desktop.isShown({styleClass: 'snow-cancel'})).toBe(false);
        await extension.show({...world, jobs: {1: imageJob('update')}});
        await extension.calls();
        await desktop.click({styleClass: 'snow-cancel', name: 'Cancel: System'});
        await extension.settle();
        expect(await extension.calls()).toMatchObject([{path: jobPath(1), method: 'Cancel'}]);
        expect(await texts()).not.toContain('Downloading');
    });

    test('takes back what waits for the restart', async () => {
        for (const [image, label] of [
            [staged, 'Undo Update'],
            [switched, 'Undo Switch'],
            [rollbackQueued, 'Undo Rollback'],
        ] as const) {
            await extension.show({features: [docker], image});
            await extension.openSystemMenu();
            await extension.calls();
            await extension.screenshot(`system-${label.toLowerCase().replace(' ', '-')}`);
            await desktop.click(action(label));
            await extension.settle();
            expect(await extension.calls()).toMatchObject([{method: 'Unstage', args: [{}]}]);
            await extension.closeMenu();
        }
    });

    test('shows a rollback that waits, and does not offer it again', async () => {
        await extension.show({features: [docker], image: rollbackQueued});
        await extension.openSystemMenu();
        expect(await texts()).toContain('After the restart\n20261029\nOctober 29 2026');
        expect(await texts()).not.toMatch(/^Roll/m);
        await extension.screenshot('system-rollback-queued');
    });

    test('shows another image by its name', async () => {
        await extension.show({features: [docker], image: switched});
        await extension.openSystemMenu();
        expect(await texts()).toContain(
            'After the restart\n20261109\nNovember 9 2026\nghcr.io/frostyard/snowloaded:latest',
        );
    });
});

describe('a confirmation', () => {
    test('says what a switch means, and switches', async () => {
        await extension.show({features: [docker], image: current});
        await extension.openSystemMenu();
        expect(await desktop.isShown(channel('Snow'))).toBe(false);
        await desktop.click(action('Switch Channel'));
        await desktop.find(channel('Snow'));
        await extension.screenshot('system-channels');
        await desktop.click(channel('Snow Loaded'));
        const {text} = await desktop.find(confirmation);
        expect(text).toContain('Switch to Snow Loaded?');
        expect(text).toContain('ghcr.io/frostyard/snowloaded:latest');
        expect(text).toMatch(/\/home and the settings in \/etc stay/);
        expect(text).toContain('The extension that is on may not fit');
        expect(text).toContain('until you restart');
        await extension.screenshot('system-confirm-switch');
        await extension.calls();
        await desktop.click(button('Switch'));
        await desktop.waitGone(confirmation);
        await extension.settle();
        expect(await extension.calls()).toEqual([
            {path: IMAGE_PATH, method: 'Switch', args: ['snowloaded', {}], flags: INTERACTIVE},
        ]);
    });

    test('says what a rollback means, and rolls back', async () => {
        await extension.show({features: [docker], image: staged});
        await extension.openSystemMenu();
        await desktop.click(action('Roll Back…'));
        const {text} = await desktop.find(confirmation);
        expect(text).toContain('Roll back to 20261029?');
        expect(text).toContain('starts version 20261029 of October 29 2026 instead of 20261105');
        expect(text).toContain('Version 20261110, which waits for the restart, is discarded');
        await extension.screenshot('system-confirm-rollback');
        await extension.calls();
        await desktop.click(button('Roll Back'));
        await desktop.waitGone(confirmation);
        await extension.settle();
        expect(await extension.calls()).toMatchObject([{method: 'Rollback', args: [{}]}]);
    });

    test.each([
        ['its button', () => desktop.click(button('Cancel'))],
        ['Escape', () => desktop.key('Escape')],
        ['Return, where the keyboard is at first', () => desktop.key('Return')],
    ])('is dismissed by %s', async (_how, dismiss) => {
        await extension.show({features: [docker], image: current});
        await extension.openSystemMenu();
        await extension.calls();
        await desktop.click(action('Roll Back…'));
        await desktop.find(confirmation);
        await dismiss();
        await desktop.waitGone(confirmation);
        await extension.settle();
        expect((await extension.calls()).filter(({method}) => method === 'Rollback')).toEqual([]);
    });

    test('goes with the extension', async () => {
        await extension.show({features: [docker], image: current});
        await extension.openSystemMenu();
        await desktop.click(action('Roll Back…'));
        await desktop.find(confirmation);
        const state = `Main.extensionManager.lookup('snow-control@frostyard.org').stateObj`;
        await desktop.eval(`(${state}.disable(), true)`);
        await desktop.waitGone(confirmation);
        await desktop.eval(`(${state}.enable(), true)`);
        await extension.settle();
        await desktop.openQuickSettings();
        await desktop.find(systemToggle);
    });
});

test('a restart is asked for by the dialog of the session', async () => {
    await extension.show({features: [docker], image: staged});
    await extension.openSystemMenu();
    await desktop.click(restart);
    const {text} = await desktop.find(restartDialog);
    expect(text).toContain('The system will restart automatically');
    expect(await desktop.isShown(systemMenu)).toBe(false);
    await extension.screenshot('system-restart');
    await desktop.key('Escape');
    await desktop.waitGone(restartDialog);
});

test('the keyboard alone reaches everything, and is told what it is at', async () => {
    await extension.show({
        features: [docker],
        image: {...incomplete, Available: available.Available},
    });
    // What comes to lie under the pointer takes the focus.
    await desktop.eval('lab.move(8, 400)');
    await desktop.key('Super_L', 's');
    await desktop.find(systemToggle);
    for (let presses = 0; presses < 20; presses++) {
        if ((await desktop.find(systemToggle)).hasFocus) break;
        await desktop.key('Tab');
    }
    await desktop.key('Return');
    await desktop.find(systemMenu);

    const visited = new Set<string>();
    for (let presses = 0; presses < 12; presses++) {
        await desktop.key('Down');
        visited.add(
            await desktop.eval<string>(
                '(focus => focus.accessible_name ?? focus.label_actor.text)(global.stage.get_key_focus())',
            ),
        );
    }
    expect([...visited]).toEqual([
        'Running, 20261105, November 5 2026',
        'After the restart, 20261110, November 10 2026',
        'Rollback, 20261029, October 29 2026',
        'docker has no version for Debian 14',
        'incus 6.0 does not say for which system it is',
        'Restart…',
        'Check for Updates',
        'Roll Back…',
        'Undo Update',
        'Switch Channel',
        'Update Settings',
    ]);
    for (let presses = 0; presses < 20; presses++) {
        if ((await desktop.find(action('Switch Channel'))).hasFocus) break;
        await desktop.key('Down');
    }
    await desktop.key('Return');
    await desktop.find(channel('Snow'));
    await extension.settle();
    await desktop.key('Down');
    await extension.screenshot('system-keyboard');
    expect((await desktop.find(channel('Snow'))).hasFocus).toBe(true);
});

describe('the files of snow', () => {
    const asked = async () =>
        JSON.stringify(await extension.tell({do: 'calls'})).split('Managed').length - 1;

    test('make the service be asked once, however often they change', async () => {
        await extension.show({features: [docker], image: current});
        await extension.settle();
        await asked();
        // The directory is not there yet.
        await extension.guest.check(
            'mkdir /run/snosi; for i in 1 2 3 4 5; do echo outcome=current >/run/snosi/update-check; done',
        );
        await desktop.waitFor(async () => (await asked()) === 1, {what: 'one question'});
        await desktop.eval('new Promise(resolve => setTimeout(resolve, 1500))');
        expect(await asked()).toBe(0);
        await extension.guest.check('rm -r /run/snosi');
        await desktop.waitFor(async () => (await asked()) === 1, {what: 'one question'});
        await extension.guest.check(
            'mkdir /run/snosi; echo outcome=failed >/run/snosi/update-check',
        );
        await desktop.waitFor(async () => (await asked()) === 1, {what: 'one question'});
        await extension.guest.check('rm -r /run/snosi');
    });
});
