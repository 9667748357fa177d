// SPDX-License-Identifier: GPL-2.0-or-later
import {readFile} from 'node:fs/promises';

import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {Desktop} from '../lab/desktop.ts';
import {Guest} from '../lab/guest.ts';
import {PASSWORD} from '../lab/trees.ts';

let guest: Guest;
let desktop: Desktop;

beforeAll(async () => {
    guest = await Guest.boot('desktop');
    desktop = await Desktop.start(guest);
});
afterAll(() => guest?.kill());

describe('a desktop', () => {
    test('opens Quick Settings by the pointer, and its toggles switch', async () => {
        await desktop.openQuickSettings();
        const toggle = {styleClass: 'quick-toggle', label: 'Dark Style'};
        expect(await desktop.find(toggle)).toMatchObject({checked: false});
        await desktop.click(toggle);
        await desktop.find({...toggle, has: {label: 'Dark Style'}});
        await desktop.waitFor(async () => (await desktop.find(toggle)).checked === true);
        const file = await desktop.screenshot('out/smoke-quick-settings.png');
        const png = await readFile(file);
        expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1280, 800]);
        await desktop.key('Escape');
        await desktop.waitGone(toggle);
    });

    test('asks for an admin password, which is typed, and refuses a wrong one', async () => {
        const asked = guest.run(
            [
                ...['busctl', 'call', '--allow-interactive-authorization=yes', '--timeout=60'],
                ...['org.freedesktop.hostname1', '/org/freedesktop/hostname1'],
                ...['org.freedesktop.hostname1', 'SetStaticHostname', 'sb', 'typed', 'true'],
            ],
            {session: desktop.session},
        );
        const entry = {styleClass: 'prompt-dialog-password-entry'};
        const authenticate = {styleClass: 'modal-dialog-button', label: 'Authenticate'};
        await desktop.find(entry);
        await desktop.type('wrong');
        await desktop.click(authenticate);
        await desktop.find({styleClass: 'prompt-dialog-error-label'}, {timeout: 15_000});
        await desktop.screenshot('out/smoke-password.png');
        await desktop.type(PASSWORD);
        await desktop.key('Return');
        await desktop.waitGone(entry, {timeout: 15_000});
        expect(await asked).toMatchObject({exitCode: 0});
        expect(await guest.check(['hostnamectl', '--static'])).toBe('typed\n');
    });

    test('says so when the log has a warning, and not when it has none', async () => {
        await desktop.assertNoWarnings();
        for (const mistake of [
            `logError(new Error('made by the test'))`,
            `console.warn('made by the test')`,
            `void setTimeout(() => { throw new Error('made by the test'); }, 0)`,
        ]) {
            await desktop.eval(mistake);
            await desktop.waitFor(async () => (await desktop.shellLog()).includes('by the test'));
            await expect(desktop.assertNoWarnings()).rejects.toThrow('made by the test');
            await desktop.clearLog();
            await desktop.assertNoWarnings();
        }
        await desktop.eval(`console.log('no harm')`);
        await desktop.assertNoWarnings();
    });
});
