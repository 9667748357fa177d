// SPDX-License-Identifier: GPL-2.0-or-later
// snowctl image on a system as it is installed. The image is one of the stand-in for bootc.
import {afterAll, beforeAll, beforeEach, expect, test} from 'vitest';

import {Guest} from '../lab/guest.ts';
import {BootcStandIn, bootcFiles} from '../lab/image/bootc/stand-in.ts';
import {installedSystem} from '../lab/installation.ts';
import {until} from './support/waiting.ts';

/** Milliseconds. */
const DOWNLOAD_TIME = 3000;
const UNIT = 'snow-image-job.service';

let guest: Guest;
let bootc: BootcStandIn;
let version = 1;

beforeAll(async () => {
    guest = await Guest.boot('desktop', {
        name: 'image-snowctl',
        install: await installedSystem(),
        files: await bootcFiles({downloadTime: DOWNLOAD_TIME}),
    });
    bootc = new BootcStandIn(guest);
});
afterAll(() => guest?.kill());

beforeEach(async () => {
    version += 1;
    await bootc.offer({version: String(version)});
});

const image = (...args: readonly string[]) => guest.run(['snowctl', 'image', ...args]);

async function staged(): Promise<string | null> {
    return (await bootc.status()).status.staged?.image.version ?? null;
}

async function untilWorking(): Promise<void> {
    await until('the worker is at it', async () => {
        const {stdout} = await guest.run(['systemctl', 'is-active', UNIT]);
        return stdout.trim() === 'activating';
    });
}

test('anybody sees how the image is, what there is to switch to and what was done', async () => {
    expect(await image('check')).toMatchObject({
        exitCode: 0,
        stdout: 'An update is available: 2; "snowctl image update" stages it.\n',
    });
    const status = await guest.check(['snowctl', 'image', 'status'], {user: 'alice'});
    expect(status).toMatch(/^State: +update available$/m);
    expect(status).toMatch(/^Running: +1 \(2026-07-03 /m);
    expect(await guest.check(['snowctl', 'image', 'channels'], {user: 'alice'})).toMatch(
        /^\* +snow +ghcr\.io\/frostyard\/snow:latest +Snow: /m,
    );
    expect(await guest.check(['snowctl', 'image', 'history'], {user: 'alice'})).toMatch(
        /check +- +1 +1 +root +done$/m,
    );
});

test('a user at the seat stages an update, without a password', async () => {
    await using session = await guest.openSession('alice');
    const terminal = guest.startTerminal(['snowctl', 'image', 'update'], {session});
    await terminal.waitFor(/\d+%/);
    await terminal.waitFor(new RegExp(`${version} is staged; restart to use it\\.`));
    expect(await terminal.exit).toBe(0);
    expect(await staged()).toBe(String(version));
});

test('Ctrl+C cancels, and leaves the next boot as it was', async () => {
    await image('unstage');
    const terminal = guest.startTerminal(['snowctl', 'image', 'update']);
    await untilWorking();
    await terminal.waitFor(/\d+%/);
    terminal.type('\u0003');
    expect(await terminal.exit).toBe(130);
    expect(await staged()).toBeNull();
});

test('the job is followed when snowd is killed, and listed meanwhile', async () => {
    const update = image('update');
    await untilWorking();
    await guest.check(['systemctl', 'kill', '--signal=KILL', 'snowd.service']);
    expect(await guest.check(['snowctl', 'jobs'])).toMatch(/running +image\.update/);
    expect(await update).toMatchObject({
        exitCode: 0,
        stdout: `${version} is staged; restart to use it.\n`,
    });
});

test('doctor names why the last check failed', async () => {
    const findings = async (): Promise<string> => (await guest.run(['snowctl', 'doctor'])).stdout;
    expect(await findings()).not.toMatch(/image/);
    await bootc.setFaults({check: 'network'});
    expect((await image('check')).exitCode).toBe(6);
    expect(await findings()).toMatch(/The last check for a newer system image failed: /);
    await bootc.setFaults({});
});

test('--apply restarts once it is staged, and not for nothing', async () => {
    const {stdout} = await guest.reboot(['snowctl', 'image', 'update', '--apply']);
    expect(stdout).toContain(`${version} is staged; restart to use it. The system restarts now.`);
    await bootc.reboot();
    expect(await image('status')).toMatchObject({
        stdout: expect.stringMatching(new RegExp(`^Running: +${version} `, 'm')),
    });
    expect(await image('update', '--apply')).toMatchObject({
        exitCode: 0,
        stdout: `The system is up to date (${version}). It is not restarted.\n`,
    });
});
