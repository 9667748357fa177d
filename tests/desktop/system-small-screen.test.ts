// SPDX-License-Identifier: GPL-2.0-or-later
// The longest that the menu of the system can be, on 1024x768 in large text.
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Desktop, Query, Widget} from '../lab/desktop.ts';
import {
    ExtensionDesktop,
    activeFeature,
    confirmation,
    imageJob,
    systemMenu,
    systemToggle,
} from './extension-desktop.ts';
import {
    available,
    broken,
    current,
    incomplete,
    rollbackQueued,
    staged,
    switched,
} from './images.ts';

const WIDTH = 1024;
const HEIGHT = 768;
const docker = activeFeature('docker', '27.5.1');
const item = (label: string) => ({type: 'SnowControlActionItem', label, inside: systemMenu});
const channel = (label: string) => ({type: 'SnowControlChannelItem', label});

const everything = {
    ...incomplete,
    Staged: {
        ...incomplete.Staged,
        version: '20261110.1+a-very-long-version-text-of-a-nightly',
        image: 'registry.example.org:5000/an-organisation/its-own/snow-desktop-of-the-team:nightly',
    },
    Available: available.Available,
    Extensions: Array.from({length: 12}, (_, index) => ({
        feature: `feature-${index}`,
        state: index % 3 === 0 ? 'unknown' : 'missing',
        version: '',
        text: `feature-${index} has no version for Debian 14, and its repository does not answer`,
    })),
};

describe.each([
    ['dark, in normal text', 'prefer-dark', '1.0'],
    ['light, in large text', 'prefer-light', '1.5'],
])('%s', (title, scheme, scale) => {
    let extension: ExtensionDesktop;
    let desktop: Desktop;

    beforeAll(async () => {
        extension = await ExtensionDesktop.start({
            width: WIDTH,
            height: HEIGHT,
            settings: [
                ['org.gnome.desktop.interface', 'color-scheme', scheme],
                ['org.gnome.desktop.interface', 'text-scaling-factor', scale],
            ],
        });
        desktop = extension.desktop;
    });
    afterEach(async () => {
        await extension.closeMenu();
        await desktop.assertNoWarnings();
    });
    afterAll(() => extension?.[Symbol.asyncDispose]());

    function name(part: string): string {
        return `system-small-${title.replace(/\W+/g, '-')}-${part}`;
    }

    test.each([
        ['current', {image: current}],
        ['available', {image: available}],
        ['downloading', {image: available, jobs: {1: imageJob('update')}}],
        ['staged', {image: staged}],
        ['incomplete', {image: incomplete}],
        ['rollback-queued', {image: rollbackQueued}],
        ['switched', {image: switched}],
        ['problem', {image: broken}],
    ])('%s fits the screen', async (part, world) => {
        await extension.show({features: [docker], ...world});
        await desktop.openQuickSettings();
        await extension.screenshot(name(`toggle-${part}`));
        await extension.closeMenu();
        await extension.openSystemMenu();
        await extension.screenshot(name(part));
        expectOnScreen(await desktop.find(systemMenu));
        const [{box}] = await headerLabels();
        expect(box.y).toBeGreaterThanOrEqual(0);
        await expectReachable('Update Settings');
    });

    test('the channels can be reached, and what a switch means can be read', async () => {
        await extension.show({features: [docker], image: current});
        await extension.openSystemMenu();
        await desktop.click(item('Switch Channel'), {timeout: 30_000});
        await extension.settle();
        await extension.screenshot(name('channels'));
        expectOnScreen(await desktop.find(systemMenu));
        await desktop.click(channel('Snowfield Loaded'), {timeout: 30_000});
        await expectDialog('confirm-switch');
    });

    test('what a rollback means can be read', async () => {
        await extension.show({features: [docker], image: staged});
        await extension.openSystemMenu();
        await desktop.click(item('Roll Back…'), {timeout: 30_000});
        await expectDialog('confirm-rollback');
    });

    test('nothing is out of reach of the keyboard, or runs out of its row', async () => {
        await extension.show({
            features: [docker],
            image: everything,
            jobs: {1: imageJob('switch', {Step: `Downloading ${everything.Staged.image}`})},
        });
        await extension.openSystemMenu();
        await extension.screenshot(name('everything'));
        expectOnScreen(await desktop.find(systemMenu));
        const scroll = await desktop.find({styleClass: 'snow-scroll-box', inside: systemMenu});
        // What comes to lie under the pointer takes the focus.
        await desktop.eval('lab.move(8, 400)');
        const visited = new Set<string>();
        while (!visited.has('Update Settings') && visited.size < 30) {
            await desktop.key('Down');
            await extension.settle();
            const focus = await desktop.eval<{name: string; top: number; bottom: number}>(
                `(actor => {
                    const [, y] = actor.get_transformed_position();
                    return {
                        name: actor.accessible_name || actor.label_actor.text,
                        top: y,
                        bottom: y + actor.height,
                    };
                })(global.stage.get_key_focus())`,
            );
            visited.add(focus.name.replace(/,.*/, ''));
            expect(focus.top).toBeGreaterThanOrEqual(scroll.box.y - 0.5);
            expect(focus.bottom).toBeLessThanOrEqual(bottom(scroll) + 0.5);
        }
        expect([...visited]).toEqual([
            'Cancel: System',
            'Running',
            'After the restart',
            'Rollback',
            ...everything.Extensions.map(({text}) => text.replace(/,.*/, '')),
            'Update Settings',
        ]);
        await extension.screenshot(name('everything-end'));
        for (const row of await desktop.findAll({type: 'SnowControlImageItem'}))
            expect(right(row)).toBeLessThanOrEqual(right(scroll) + 0.5);
        for (const label of await desktop.findAll({type: 'StLabel', inside: systemMenu}))
            expect(right(label)).toBeLessThanOrEqual(right(scroll) + 0.5);
    });

    async function headerLabels(): Promise<[Widget, ...Widget[]]> {
        const labels = await desktop.findAll({
            type: 'StLabel',
            label: 'System',
            inside: {styleClass: 'quick-toggle-menu', has: systemMenu},
        });
        const [first, ...others] = labels;
        if (!first) throw new Error('the menu has no header');
        return [first, ...others];
    }

    /** The driver turns the wheel until it can point at it. */
    async function expectReachable(label: string): Promise<void> {
        const query: Query = item(label);
        await desktop.hover(query, {timeout: 30_000});
        expectOnScreen(await desktop.find(query));
    }

    async function expectDialog(part: string): Promise<void> {
        await desktop.find(confirmation);
        await extension.settle();
        await extension.screenshot(name(part));
        for (const widget of await desktop.findAll({type: 'StLabel', inside: confirmation}))
            expectOnScreen(widget);
        for (const widget of await desktop.findAll({styleClass: 'modal-dialog-button'}))
            expectOnScreen(widget);
        await desktop.key('Escape');
        await desktop.waitGone(confirmation);
    }

    test('the toggle tells all its words', async () => {
        for (const image of [available, staged, broken, {...current, LastOutcome: 'failed'}]) {
            await extension.show({features: [docker], image});
            await desktop.openQuickSettings();
            const cut = await desktop.eval<readonly boolean[]>(`(() => {
                const texts = [];
                const look = (actor, isInside) => {
                    const isOurs = isInside || actor.constructor.$gtype?.name === '${systemToggle.type}';
                    if (isOurs && actor.clutter_text)
                        texts.push(actor.clutter_text.get_layout().is_ellipsized());
                    for (const child of actor.get_children()) look(child, isOurs);
                };
                look(global.stage, false);
                return texts;
            })()`);
            expect(cut).toEqual([false, false]);
            await extension.closeMenu();
        }
    });
});

function right({box}: Widget): number {
    return box.x + box.width;
}

function bottom({box}: Widget): number {
    return box.y + box.height;
}

function expectOnScreen(widget: Widget): void {
    expect(widget.box.x).toBeGreaterThanOrEqual(0);
    expect(widget.box.y).toBeGreaterThanOrEqual(0);
    expect(right(widget)).toBeLessThanOrEqual(WIDTH);
    expect(bottom(widget)).toBeLessThanOrEqual(HEIGHT);
}
