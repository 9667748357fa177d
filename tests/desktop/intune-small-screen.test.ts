// SPDX-License-Identifier: GPL-2.0-or-later
// The menu of the container on 1024x768, in normal and in large text.
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Desktop, Widget} from '../lab/desktop.ts';
import {absent, failed, outdated, running, stopped} from './containers.ts';
import {
    ExtensionDesktop,
    activeFeature,
    confirmation,
    intuneJob,
    intuneMenu,
    intuneToggle,
} from './extension-desktop.ts';
import {available} from './images.ts';

const WIDTH = 1024;
const HEIGHT = 768;
const world = {features: [activeFeature('docker', '27.5.1')], image: available};
const item = (label: string) => ({type: 'SnowControlActionItem', label, inside: intuneMenu});

const longest = {
    ...outdated,
    Problem: failed.Problem,
    Applications: [
        ...outdated.Applications,
        {id: 'long', name: 'An application whose name is longer than any menu is wide', icon: ''},
    ],
};
const download = intuneJob('recreate', {
    Step: 'Downloading registry.example.org:5000/an-organisation/its-own/ubuntu-intune:nightly',
});

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
        return `intune-small-${title.replace(/\W+/g, '-')}-${part}`;
    }

    test.each([
        ['absent', {intune: absent}],
        ['stopped', {intune: stopped}],
        ['running', {intune: running}],
        ['failed', {intune: failed}],
        ['longest', {intune: longest}],
        ['downloading', {intune: longest, jobs: {1: download}}],
    ])('%s fits the screen, and all of it can be reached', async (part, shown) => {
        await extension.show({...world, ...shown});
        await extension.openIntuneMenu();
        await extension.screenshot(name(part));
        const menu = await desktop.find(intuneMenu);
        expectOnScreen(menu);
        for (const label of await desktop.findAll({type: 'StLabel', inside: intuneMenu}))
            expect(label.box.x + label.box.width).toBeLessThanOrEqual(
                menu.box.x + menu.box.width + 0.5,
            );
        await desktop.hover(item('Intune Settings'), {timeout: 30_000});
        expectOnScreen(await desktop.find(item('Intune Settings')));
    });

    test('what an update means can be read', async () => {
        await extension.show({...world, intune: outdated});
        await extension.openIntuneMenu();
        await desktop.click(item('Update…'), {timeout: 30_000});
        await desktop.find(confirmation);
        await extension.screenshot(name('confirm-update'));
        for (const query of [
            {type: 'StLabel', inside: confirmation},
            {styleClass: 'modal-dialog-button'},
        ])
            for (const widget of await desktop.findAll(query)) expectOnScreen(widget);
        await desktop.key('Escape');
        await desktop.waitGone(confirmation);
    });

    test('the toggle tells all its words', async () => {
        for (const shown of [
            {intune: absent},
            {intune: {...stopped, State: 'starting'}},
            {intune: {...running, State: 'stopping'}},
            {intune: absent, jobs: {1: intuneJob('init')}},
        ]) {
            await extension.show({...world, ...shown});
            await desktop.openQuickSettings();
            const cut = await desktop.eval<readonly boolean[]>(`(() => {
                const texts = [];
                const look = (actor, isInside) => {
                    const isOurs = isInside || actor.constructor.$gtype?.name === '${intuneToggle.type}';
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

function expectOnScreen({box}: Widget): void {
    expect(box.x).toBeGreaterThanOrEqual(0);
    expect(box.y).toBeGreaterThanOrEqual(0);
    expect(box.x + box.width).toBeLessThanOrEqual(WIDTH);
    expect(box.y + box.height).toBeLessThanOrEqual(HEIGHT);
}
