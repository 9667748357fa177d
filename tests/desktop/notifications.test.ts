// SPDX-License-Identifier: GPL-2.0-or-later
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {ExtensionDesktop, activeFeature, feature, job} from './extension-desktop.ts';

interface Shown {
    readonly title: string;
    readonly body: string;
    /** 0 is low: in the list, without a banner. */
    readonly urgency: number;
}

const banner = {styleClass: 'notification-banner'};
const docker = activeFeature('docker', '27.5.1');
const podman = feature('podman');
const NO_SPACE = ['org.frostyard.Snow1.Error.NoSpace', 'Not enough space in /var/lib'] as const;

let extension: ExtensionDesktop;
let desktop: Desktop;

beforeAll(async () => {
    extension = await ExtensionDesktop.start();
    desktop = extension.desktop;
});
afterEach(async () => {
    await extension.changeSetting('notify-finished', true);
    await extension.changeSetting('notify-failures', true);
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

/** A job that is seen to run and to end while the menu is closed. */
async function runJob(
    values: Parameters<typeof job>[1],
    state: 'done' | 'failed' | 'cancelled',
    end: Parameters<ExtensionDesktop['finishJob']>[2] = {},
): Promise<void> {
    const {Target = 'podman'} = values ?? {};
    await extension.show({features: [docker, podman], jobs: {1: job(Target, values)}});
    await extension.finishJob(1, state, end);
}

describe('what the user started', () => {
    test('is told when it is done', async () => {
        await runJob({}, 'done', {results: {version: '5.4.2', merged: true}});
        expect(await notifications()).toEqual([
            {title: 'podman is ready', body: 'Version 5.4.2', urgency: 1},
        ]);
        await desktop.find(banner);
        await extension.screenshot('notification-done');
    });

    test('is told when it needs a restart', async () => {
        await runJob({}, 'done', {results: {version: '5.4.2', merged: false}});
        expect(await notifications()).toEqual([
            {title: 'podman installed', body: 'Active after a restart', urgency: 1},
        ]);
    });

    test('is told when it failed, and why', async () => {
        await runJob({}, 'failed', {error: NO_SPACE});
        expect(await notifications()).toEqual([
            {title: 'Could not install podman', body: NO_SPACE[1], urgency: 1},
        ]);
        await desktop.find(banner);
        await extension.screenshot('notification-failed');
    });

    test('is told when the service went away in the middle', async () => {
        await extension.show({features: [podman], jobs: {1: job('podman')}});
        await extension.stopService();
        expect(await notifications()).toEqual([
            {
                title: 'Could not install podman',
                body: 'The service stopped before it was done',
                urgency: 1,
            },
        ]);
        await extension.startService();
    });

    test('is not told when the user cancelled it', async () => {
        await runJob({}, 'cancelled');
        expect(await notifications()).toEqual([]);
    });

    test('is not told while the menu shows it', async () => {
        await extension.show({features: [docker, podman], jobs: {1: job('podman')}});
        await extension.openMenu();
        await extension.finishJob(1, 'failed', {error: NO_SPACE});
        await extension.closeMenu();
        expect(await notifications()).toEqual([]);
    });

    test.each([
        ['notify-finished', 'done' as const],
        ['notify-failures', 'failed' as const],
    ])('is not told with %s turned off', async (key, state) => {
        await extension.changeSetting(key, false);
        await runJob({}, state, {error: NO_SPACE});
        expect(await notifications()).toEqual([]);
    });

    test('tells of updates that a check found', async () => {
        await extension.show({
            features: [{...docker, Newest: '28.0.0'}],
            jobs: {1: job('', {Operation: 'features.check'})},
        });
        await extension.finishJob(1, 'done');
        expect(await notifications()).toEqual([
            {title: '1 update available', body: 'docker', urgency: 1},
        ]);
    });
});

describe('what others started', () => {
    const update = {Operation: 'features.update', Target: '', StartedByUID: 0};

    test('is told in the list alone when it brought updates', async () => {
        await runJob(update, 'done', {results: {features: ['docker', 'incus'], merged: false}});
        expect(await notifications()).toEqual([
            {
                title: 'Extensions updated',
                body: 'docker, incus\nActive after a restart',
                urgency: 0,
            },
        ]);
        expect(await desktop.isShown(banner)).toBe(false);
    });

    test('is told in the list alone when it failed', async () => {
        await runJob(update, 'failed', {error: NO_SPACE});
        expect(await notifications()).toEqual([
            {title: 'Could not update extensions', body: NO_SPACE[1], urgency: 0},
        ]);
        expect(await desktop.isShown(banner)).toBe(false);
    });

    test.each([
        ['an update that found nothing new', {...update, Target: ''}],
        ['a check', {...update, Operation: 'features.check'}],
        ['an extension that was turned on', {StartedByUID: 0}],
    ])('is not told of %s', async (_what, values) => {
        await runJob(values, 'done', {results: {features: []}});
        expect(await notifications()).toEqual([]);
    });
});
