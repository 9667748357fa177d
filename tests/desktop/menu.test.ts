// SPDX-License-Identifier: GPL-2.0-or-later
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {
    ExtensionDesktop,
    activeFeature,
    feature,
    featurePath,
    indicator,
    job,
    jobPath,
    menu,
    row,
    switchOf,
    toggle,
} from './extension-desktop.ts';

const INTERACTIVE = 4;

let extension: ExtensionDesktop;
let desktop: Desktop;

const docker = activeFeature('docker', '27.5.1', {Description: 'Docker container engine'});
const podman = feature('podman', {Newest: '5.4.2', Description: 'Tool for managing containers'});

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
    return (await desktop.find(menu)).text;
}

describe('the toggle', () => {
    test('tells how many extensions are active', async () => {
        await extension.show({features: [docker, podman]});
        await desktop.openQuickSettings();
        expect(await desktop.find(toggle)).toMatchObject({
            checked: true,
            text: 'Extensions\n1 active',
        });
        await extension.screenshot('toggle');
    });

    test('is not checked while nothing is merged', async () => {
        await extension.show({features: [podman]});
        await desktop.openQuickSettings();
        expect(await desktop.find(toggle)).toMatchObject({checked: false, text: 'Extensions'});
    });

    test('opens its menu by a click on it', async () => {
        await extension.show({features: [docker]});
        await desktop.openQuickSettings();
        await desktop.click({styleClass: 'quick-toggle', inside: toggle});
        await desktop.find(row('docker'));
    });

    test('tells in a few words what goes on, as does the panel', async () => {
        await extension.show({features: [podman]});
        expect(await desktop.isShown(indicator)).toBe(false);
        await extension.show({features: [podman], jobs: {1: job('podman')}});
        expect(await desktop.isShown(indicator)).toBe(true);
        await desktop.openQuickSettings();
        expect((await desktop.find(toggle)).text).toBe('Extensions\nInstalling 45 %');
        await extension.changeJob(1, {Progress: -1});
        expect((await desktop.find(toggle)).text).toBe('Extensions\nInstalling');
        await extension.finishJob(1, 'done');
        expect((await desktop.find(toggle)).text).toBe('Extensions');
        expect(await desktop.isShown(indicator)).toBe(false);
    });
});

describe('the menu', () => {
    test('shows each extension with its version, its description and its switch', async () => {
        await extension.show({features: [podman, docker]});
        await extension.openMenu();
        expect((await desktop.find(row('docker'))).text).toBe(
            'docker\n27.5.1\nDocker container engine',
        );
        expect(await desktop.find(switchOf('docker'))).toMatchObject({checked: true});
        expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: false});
        await extension.screenshot('menu');
    });

    test('says so when there are no extensions', async () => {
        await extension.show({
            features: [],
            summary: {Problem: '/usr/lib/sysupdate.d/broken.feature, line 3: no section'},
        });
        await extension.openMenu();
        expect(await texts()).toContain('No extensions are available for this system');
        expect(await texts()).toContain('line 3: no section');
        await extension.screenshot('menu-empty');
    });

    test('shows a problem where it is, in full', async () => {
        const problem =
            'The manifest at https://repository.frostyard.org/ext/docker/SHA256SUMS cannot be fetched: no answer in 30 seconds';
        await extension.show({
            features: [
                {...docker, Problem: problem},
                feature('edge', {Active: '134.0', Newest: ''}),
                feature('incus', {Enabled: true, Installed: '6.0', Newest: '6.0'}),
                podman,
            ],
        });
        await extension.openMenu();
        expect((await desktop.find(row('docker'))).text).toContain(problem);
        expect((await desktop.find(row('edge'))).text).toContain('Active until the next restart');
        expect((await desktop.find(row('incus'))).text).toContain('Active after a restart');
        expect((await desktop.find(row('podman'))).text).not.toContain('restart');
        await extension.screenshot('menu-problems');
    });

    test('asks the service to turn an extension on, and shows the progress', async () => {
        await extension.show({features: [docker, podman]});
        await extension.openMenu();
        await extension.calls();
        await desktop.click(row('podman'));
        await extension.settle();
        expect(await extension.calls()).toEqual([
            {path: featurePath('podman'), method: 'Enable', args: [{}], flags: INTERACTIVE},
        ]);
        expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: true});

        const number = await extension.lastJob();
        await extension.changeJob(number, {Step: 'Downloading podman 5.4.2', Progress: 0.45});
        expect(await texts()).toContain('Downloading podman 5.4.2\n45 %');
        await extension.screenshot('menu-progress');

        await extension.finishJob(number, 'done', {results: {version: '5.4.2', merged: true}});
        await extension.changeFeature('podman', {
            Enabled: true,
            Installed: '5.4.2',
            Active: '5.4.2',
        });
        expect(await texts()).not.toContain('Downloading');
        expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: true});
        await desktop.waitGone({type: 'NotificationBanner'});
    });

    test('asks the service to turn an extension off by its switch', async () => {
        await extension.show({features: [docker, podman]});
        await extension.openMenu();
        await extension.calls();
        await desktop.click(switchOf('docker'));
        await extension.settle();
        expect(await extension.calls()).toEqual([
            {path: featurePath('docker'), method: 'Disable', args: [{}], flags: INTERACTIVE},
        ]);
        expect(await desktop.find(switchOf('docker'))).toMatchObject({checked: false});
        await extension.finishJob(await extension.lastJob(), 'failed', {
            error: ['org.frostyard.Snow1.Error.Failed', 'docker.service still runs'],
        });
        expect(await desktop.find(switchOf('docker'))).toMatchObject({checked: true});
        expect((await desktop.find(row('docker'))).text).toContain('docker.service still runs');
        await extension.screenshot('menu-failed');
    });

    test('does not ask twice while it works', async () => {
        await extension.show({features: [podman], jobs: {1: job('podman')}});
        await extension.openMenu();
        await extension.calls();
        await desktop.click(row('podman'));
        await desktop.click(switchOf('podman'));
        await extension.settle();
        expect(await extension.calls()).toEqual([]);
        expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: true});
    });

    test('turns the switch back when the service refuses, and says why', async () => {
        await extension.show({features: [podman]});
        const name = 'org.frostyard.Snow1.Error.Busy';
        await extension.tell({do: 'refuse', method: 'Enable', name, text: 'Another job runs'});
        await extension.openMenu();
        await desktop.click(row('podman'));
        await extension.settle();
        expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: false});
        expect((await desktop.find(row('podman'))).text).toContain('Another job runs');

        await extension.tell({do: 'refuse', method: 'Enable', name: '', text: ''});
        await extension.closeMenu();
        await extension.openMenu();
        expect((await desktop.find(row('podman'))).text).not.toContain('Another job runs');
    });

    test('cancels a job of its user, and only such', async () => {
        const other = job('docker', {StartedByUID: 0, Operation: 'features.update'});
        await extension.show({features: [docker, podman], jobs: {1: job('podman'), 2: other}});
        await extension.openMenu();
        await extension.calls();
        expect(await desktop.findAll({styleClass: 'snow-cancel'})).toHaveLength(1);
        await extension.screenshot('menu-jobs');
        await desktop.click({styleClass: 'snow-cancel', name: 'Cancel: podman'});
        await extension.settle();
        expect(await extension.calls()).toMatchObject([{path: jobPath(1), method: 'Cancel'}]);
        expect(await desktop.find(switchOf('podman'))).toMatchObject({checked: false});
        expect(await texts()).not.toContain('Cancelled');
    });

    test('updates all when there is something to update', async () => {
        await extension.show({features: [docker, podman]});
        await extension.openMenu();
        const update = {name: 'Update All', inside: menu};
        expect(await desktop.isShown(update)).toBe(false);

        await extension.changeFeature('docker', {Newest: '28.0.0'});
        expect((await desktop.find(row('docker'))).text).toContain('27.5.1 → 28.0.0');
        expect(await desktop.texts()).toContain('1 update available');
        await extension.screenshot('menu-update');
        await extension.calls();
        await desktop.click(update);
        await extension.settle();
        expect(await extension.calls()).toMatchObject([{method: 'UpdateAll', args: [{}]}]);

        const number = await extension.lastJob();
        await extension.changeJob(number, {Step: 'Downloading docker 28.0.0', Progress: 0.2});
        expect(await texts()).toContain('Downloading docker 28.0.0\n20 %');
        await extension.screenshot('menu-updating');
        await extension.finishJob(number, 'done', {results: {features: ['docker']}});
        expect(await texts()).not.toContain('Downloading');
    });

    test('checks for updates, and shows why it could not', async () => {
        await extension.show({features: [docker]});
        await extension.openMenu();
        await extension.calls();
        await desktop.click({name: 'Check for Updates', inside: menu});
        await extension.settle();
        expect(await extension.calls()).toMatchObject([{method: 'Check', args: [{}]}]);
        const error = ['org.frostyard.Snow1.Error.Network', 'No route to the host'] as const;
        await extension.finishJob(await extension.lastJob(), 'failed', {error});
        expect(await texts()).toContain('No route to the host');
    });

    test('is used by the keyboard alone', async () => {
        await extension.show({
            features: [docker, podman],
            jobs: {1: job('docker', {Operation: 'features.update'})},
        });
        await desktop.key('Super_L', 's');
        await desktop.find(toggle);
        for (let presses = 0; presses < 20; presses++) {
            if ((await desktop.find(toggle)).hasFocus) break;
            await desktop.key('Tab');
        }
        await desktop.key('Return');
        await desktop.find(menu);
        await extension.calls();

        const visited = new Set<string>();
        for (let presses = 0; presses < 8; presses++) {
            await desktop.key('Down');
            visited.add(
                await desktop.eval<string>(
                    '(focus => focus.accessible_name ?? focus.label_actor.text)(global.stage.get_key_focus())',
                ),
            );
        }
        expect([...visited]).toEqual(['docker', 'Cancel: docker', 'podman', 'Extension Settings']);

        for (let presses = 0; presses < 8; presses++) {
            if ((await desktop.find(row('podman'))).hasFocus) break;
            await desktop.key('Down');
        }
        await extension.screenshot('menu-keyboard');
        await desktop.key('space');
        await extension.settle();
        expect(await extension.calls()).toMatchObject([
            {path: featurePath('podman'), method: 'Enable'},
        ]);
    });

    test('keeps what it showed when the service has exited', async () => {
        await extension.show({features: [docker, podman], jobs: {1: job('podman')}});
        await extension.openMenu();
        await extension.stopService();
        expect(await desktop.find(switchOf('docker'))).toMatchObject({checked: true});
        expect((await desktop.find(row('podman'))).text).toContain(
            'The service stopped before it was done',
        );
        expect(await desktop.isShown(indicator)).toBe(false);
        await extension.startService();
        await extension.show({features: [docker, podman]});
    });

    test('looks at the machine again when extensions change there', async () => {
        await extension.show({features: [docker, podman]});
        await extension.guest.check(['mkdir', '-p', '/var/lib/extensions']);
        await extension.openMenu();
        await extension.closeMenu();
        const before = await extension.tell({do: 'calls'});
        expect(before).toContainEqual(['/org/frostyard/Snow1', 'GetManagedObjects']);
        await extension.guest.check(['touch', '/var/lib/extensions/other.raw']);
        await desktop.waitFor(
            async () => JSON.stringify(await extension.tell({do: 'calls'})).includes('Managed'),
            {what: 'the service to be asked'},
        );
    });
});
