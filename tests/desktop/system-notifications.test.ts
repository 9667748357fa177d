// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {ExtensionDesktop, UUID, activeFeature, imageJob} from './extension-desktop.ts';
import {available, current, downloaded, incomplete, rollbackQueued, staged} from './images.ts';

interface Shown {
    readonly title: string;
    readonly body: string;
    /** 0 is low: in the list, without a banner. */
    readonly urgency: number;
}

const banner = {styleClass: 'notification-banner'};
const restartButton = {type: 'StButton', label: 'Restart…'};
const restartDialog = {styleClass: 'end-session-dialog'};
const docker = activeFeature('docker', '27.5.1');
const NETWORK = ['org.frostyard.Snow1.Error.Network', 'No route to ghcr.io'] as const;
const STAGED = '/run/snosi/update-staged';
const DIGEST = String(staged.Staged.digest);
/** Longer than what it waits for snow's own notification. */
const PATIENCE_MS = 4500;

let extension: ExtensionDesktop;
let desktop: Desktop;

beforeAll(async () => {
    extension = await ExtensionDesktop.start();
    desktop = extension.desktop;
});
afterEach(async () => {
    await extension.changeSetting('notify-system-update', true);
    await extension.guest.check(['rm', '-rf', '/run/snosi', '/home/alice/.local/state/snosi']);
    await sleep(PATIENCE_MS);
    await desktop.eval('Main.messageTray.getSources().forEach(source => source.destroy())');
    await desktop.waitGone(banner);
    await desktop.assertNoWarnings();
});
afterAll(() => extension?.[Symbol.asyncDispose]());

function notifications(): Promise<readonly Shown[]> {
    return desktop.eval(
        `Main.messageTray.getSources().flatMap(source => source.notifications.map(
            ({title, body, urgency}) => ({title, body, urgency})))`,
    );
}

async function stage(identity: string): Promise<void> {
    await extension.guest.check(
        `mkdir -p /run/snosi; printf 'image=x\\n${identity}\\nstaged_at=x\\n' >${STAGED}`,
    );
}

async function acknowledged(): Promise<string> {
    return await desktop.run('cat ~/.local/state/snosi/update-staged.ack 2>/dev/null || true');
}

describe('an update that waits for a restart', () => {
    test('is told once, and the user’s file says so', async () => {
        await extension.show({features: [docker], image: staged});
        await stage(`digest=${DIGEST}`);
        await desktop.find(banner, {timeout: PATIENCE_MS + 3000});
        expect(await notifications()).toEqual([
            {
                title: 'System update ready',
                body: 'Version 20261110 starts with the next restart',
                urgency: 1,
            },
        ]);
        await extension.screenshot('system-notification-staged');
        expect(await acknowledged()).toBe(`${DIGEST}\n`);

        await stage(`digest=${DIGEST}`);
        await sleep(PATIENCE_MS);
        const state = `Main.extensionManager.lookup('${UUID}').stateObj`;
        await desktop.eval(`(${state}.disable(), ${state}.enable(), true)`);
        await sleep(PATIENCE_MS);
        expect(await notifications()).toEqual([]);

        await stage('version=20261111000000');
        await sleep(PATIENCE_MS);
        expect(await notifications()).toMatchObject([
            {body: 'Version 20261111000000 starts with the next restart'},
        ]);
        expect(await acknowledged()).toBe('20261111000000\n');
    });

    test('names the extensions that it leaves behind, and restarts', async () => {
        await extension.show({features: [docker], image: incomplete});
        await stage(`digest=${DIGEST}`);
        await desktop.find(banner, {timeout: PATIENCE_MS + 3000});
        expect(await notifications()).toMatchObject([
            {
                body: 'Version 20261110 starts with the next restart. docker has no version for Debian 14',
            },
        ]);
        await desktop.hover(banner);
        await extension.screenshot('system-notification-incomplete');
        await desktop.click(restartButton);
        await desktop.find(restartDialog);
        await desktop.key('Escape');
        await desktop.waitGone(restartDialog);
    });

    test('is not told when snow’s own notification did', async () => {
        await extension.show({features: [docker], image: staged});
        await stage(`digest=${DIGEST}`);
        await sleep(500);
        await desktop.run(
            `mkdir -p ~/.local/state/snosi; echo ${DIGEST} >~/.local/state/snosi/update-staged.ack`,
        );
        await sleep(PATIENCE_MS);
        expect(await notifications()).toEqual([]);
    });

    test('is not told while the menu shows it, nor afterwards', async () => {
        await extension.show({features: [docker], image: staged});
        await extension.openSystemMenu();
        await stage(`digest=${DIGEST}`);
        await sleep(PATIENCE_MS);
        expect(await acknowledged()).toBe(`${DIGEST}\n`);
        await extension.closeMenu();
        expect(await notifications()).toEqual([]);
    });

    test('is left to others with the setting turned off', async () => {
        await extension.changeSetting('notify-system-update', false);
        await extension.show({features: [docker], image: staged});
        await stage(`digest=${DIGEST}`);
        await sleep(PATIENCE_MS);
        expect(await notifications()).toEqual([]);
        expect(await acknowledged()).toBe('');
    });

    test('is told after a login, too', async () => {
        await extension.show({features: [docker], image: staged});
        const state = `Main.extensionManager.lookup('${UUID}').stateObj`;
        await desktop.eval(`(${state}.disable(), true)`);
        await stage(`digest=${DIGEST}`);
        await desktop.eval(`(${state}.enable(), true)`);
        await desktop.find(banner, {timeout: PATIENCE_MS + 3000});
        expect(await notifications()).toHaveLength(1);
    });
});

describe('what the user started', () => {
    test.each([
        ['check', available, 'System update available', 'Version 20261110'],
        ['check', current, 'The system is up to date', ''],
        ['download', downloaded, 'System update downloaded', 'Version 20261110'],
        [
            'rollback',
            rollbackQueued,
            'Ready to roll back',
            'Version 20261029 starts with the next restart',
        ],
        [
            'unstage',
            current,
            'The system stays as it is',
            'The next restart starts version 20261105',
        ],
    ] as const)('is told when it is done: %s', async (operation, image, title, body) => {
        await extension.show({features: [docker], image, jobs: {1: imageJob(operation)}});
        await extension.finishJob(1, 'done');
        expect(await notifications()).toEqual([{title, body, urgency: 1}]);
        await desktop.find(banner);
        await extension.screenshot(`system-notification-${title.replaceAll(' ', '-')}`);
    });

    test('is told when it failed, and why', async () => {
        await extension.show({
            features: [docker],
            image: available,
            jobs: {1: imageJob('switch', {Target: 'snowloaded'}), 2: imageJob('update')},
        });
        await extension.finishJob(1, 'failed', {error: NETWORK});
        await extension.finishJob(2, 'failed', {error: NETWORK});
        expect(await notifications()).toEqual(
            expect.arrayContaining([
                {title: 'Could not switch to snowloaded', body: NETWORK[1], urgency: 1},
                {title: 'Could not update the system', body: NETWORK[1], urgency: 1},
            ]),
        );
        await desktop.find(banner);
        await extension.screenshot('system-notification-failed');
    });

    test('is told when the service refused it after its question', async () => {
        await extension.show({features: [docker], image: current});
        const name = 'org.frostyard.Snow1.Error.Busy';
        await extension.tell({do: 'refuse', method: 'Rollback', name, text: 'bootc is at work'});
        await extension.openSystemMenu();
        await desktop.click({type: 'SnowControlActionItem', label: 'Roll Back…'});
        await desktop.click({styleClass: 'modal-dialog-button', label: 'Roll Back'});
        await desktop.find(banner);
        expect(await notifications()).toEqual([
            {title: 'Could not roll back the system', body: 'bootc is at work', urgency: 1},
        ]);
        await extension.tell({do: 'refuse', method: 'Rollback', name: '', text: ''});
    });

    test.each([
        ['is cancelled', 'cancelled' as const, {}],
        ['stages what is told by itself', 'done' as const, {}],
        ['was done by others', 'done' as const, {StartedByUID: 0, Operation: 'image.check'}],
    ])('is not told when it %s', async (_what, state, values) => {
        await extension.show({
            features: [docker],
            image: staged,
            jobs: {1: imageJob('update', values)},
        });
        await extension.finishJob(1, state);
        expect(await notifications()).toEqual([]);
    });

    test('is not told while the menu shows it, but while that of extensions is open', async () => {
        const world = {features: [docker], image: available, jobs: {1: imageJob('update')}};
        await extension.show(world);
        await extension.openSystemMenu();
        await extension.finishJob(1, 'failed', {error: NETWORK});
        expect(await notifications()).toEqual([]);
        await extension.closeMenu();
        await extension.show(world);
        await extension.openMenu();
        await extension.finishJob(1, 'failed', {error: NETWORK});
        expect(await notifications()).toHaveLength(1);
        await extension.closeMenu();
    });
});
