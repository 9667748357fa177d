// SPDX-License-Identifier: GPL-2.0-or-later
// Thirty extensions with long names and long texts, on 1024x768 in large text.
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Widget} from '../lab/desktop.ts';
import {ExtensionDesktop, activeFeature, feature, job, menu, row} from './extension-desktop.ts';

const WIDTH = 1024;
const HEIGHT = 768;

const names = Array.from({length: 30}, (_, index) => `feature-${String(index).padStart(2, '0')}`);
const thirty = names.map((name, index) =>
    index % 3 === 0
        ? activeFeature(name, `${index}.4.2`, {Newest: `${index}.5.0-1+debian13u2`})
        : feature(name, {
              Description:
                  'Something that is so useful that its description takes up more than the two lines that there are for it in the menu',
              Problem: index % 7 === 1 ? 'The repository does not answer: timeout after 30 s' : '',
          }),
);
const long = feature('kubernetes-command-line-tools-and-their-many-friends', {
    Newest: '1.31.0~beta12+a-very-long-version-text',
});

describe.each([
    ['dark, in normal text', 'prefer-dark', '1.0'],
    ['light, in large text', 'prefer-light', '1.5'],
])('%s', (title, scheme, scale) => {
    let extension: ExtensionDesktop;

    beforeAll(async () => {
        extension = await ExtensionDesktop.start({
            width: WIDTH,
            height: HEIGHT,
            settings: [
                ['org.gnome.desktop.interface', 'color-scheme', scheme],
                ['org.gnome.desktop.interface', 'text-scaling-factor', scale],
            ],
        });
    });
    afterEach(async () => {
        await extension.closeMenu();
        await extension.desktop.assertNoWarnings();
    });
    afterAll(() => extension?.[Symbol.asyncDispose]());

    function name(part: string): string {
        return `small-${title.replace(/\W+/g, '-')}-${part}`;
    }

    test('thirty extensions fit the screen, and each can be reached', async () => {
        const {desktop} = extension;
        const jobs = {
            1: job(names[1] ?? '', {Step: 'Downloading feature-01 1.31.0~beta12', Progress: 0.99}),
        };
        await extension.show({features: thirty, jobs});
        await extension.openMenu();
        await extension.screenshot(name('top'));
        expectOnScreen(await desktop.find(menu));
        for (const label of ['System Extensions', 'Update All', 'Extension Settings'])
            expectOnScreen(await desktop.find({type: 'StLabel', name: label}));

        // The driver turns the wheel until it can point at it.
        const last = row(names.at(-1) ?? '');
        await desktop.hover(last, {timeout: 30_000});
        await extension.screenshot(name('end'));
    });

    test('the keyboard brings every extension into view', async () => {
        const {desktop} = extension;
        await extension.show({features: thirty});
        await extension.openMenu();
        for (const expected of names) {
            await desktop.key('Down');
            await desktop.waitFor(async () => (await desktop.find(row(expected))).hasFocus);
            expectInside(await desktop.find(row(expected)), await desktop.find(list));
        }
    });

    test('no text runs out of its row', async () => {
        const {desktop} = extension;
        await extension.show({features: [long, ...thirty.slice(0, 3)]});
        await extension.openMenu();
        await extension.screenshot(name('long'));
        const item = await desktop.find(row(long.Name));
        const labels = await desktop.findAll({type: 'StLabel', inside: row(long.Name)});
        expect(labels.length).toBeGreaterThan(1);
        for (const label of labels) expectInside(label, item);
        const knob = await desktop.find({type: 'Switch', inside: row(long.Name)});
        for (const label of labels) expect(right(label)).toBeLessThanOrEqual(knob.box.x);
    });
});

const list = {type: 'SnowControlFeatureList'};

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

/** Half a pixel is rounding. */
function expectInside(inner: Widget, outer: Widget): void {
    expect(inner.box.x).toBeGreaterThanOrEqual(outer.box.x - 0.5);
    expect(inner.box.y).toBeGreaterThanOrEqual(outer.box.y - 0.5);
    expect(right(inner)).toBeLessThanOrEqual(right(outer) + 0.5);
    expect(bottom(inner)).toBeLessThanOrEqual(bottom(outer) + 0.5);
}
