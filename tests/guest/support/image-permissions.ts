// SPDX-License-Identifier: GPL-2.0-or-later
// Who may do what with the OS image, which is the same with every driver.
import {expect} from 'vitest';

import type {RunOptions} from '../../lab/guest.ts';
import type {SnowBus} from './snow-bus.ts';

/** A method of the image with its words of busctl. */
export type Asking = readonly [method: string, words: string];

/** What a user at the computer may, without a password. */
export const updating: readonly Asking[] = [
    ['Check', "'a{sv}' 0"],
    ['Update', "'a{sv}' 0"],
    ['Update', "'a{sv}' 1 download-only b true"],
];

/** What takes an administrator. */
export const changing: readonly Asking[] = [
    ['Switch', "'sa{sv}' snowfield 0"],
    ['SwitchReference', "'sa{sv}' quay.io/a/b:1 0"],
    ['Rollback', "'a{sv}' 0"],
    ['Unstage', "'a{sv}' 0"],
];

/** Each of these is refused for want of a password, that nobody is there to ask for. */
export async function expectPassword(
    bus: SnowBus,
    askings: readonly Asking[],
    who: RunOptions,
): Promise<void> {
    for (const [method, words] of askings)
        expect([method, words, await bus.image(method, words, who)]).toEqual([
            method,
            words,
            expect.objectContaining({
                exitCode: 1,
                stderr: expect.stringContaining('Authentication is required') as unknown,
            }),
        ]);
}

/** Each of these is a job of that user. */
export async function expectJobs(
    bus: SnowBus,
    askings: readonly Asking[],
    who: RunOptions,
    uid: number,
): Promise<void> {
    for (const [method, words] of askings) {
        const path = await bus.start(method, words, who);
        expect([method, await bus.job(path)]).toEqual([
            method,
            expect.objectContaining({StartedByUID: uid}),
        ]);
        await bus.end(path);
    }
}

/**
 * A user at the computer may update; one in the background, or without a session, may nothing.
 *
 * @param able what this driver can do here, of all
 */
export async function expectPermissions(
    bus: SnowBus,
    able: {readonly updating: readonly Asking[]; readonly changing: readonly Asking[]} = {
        updating,
        changing,
    },
): Promise<void> {
    const {guest} = bus;
    const uid = Number(await guest.check(['id', '-u', 'alice']));
    const all = [...able.updating, ...able.changing];
    await using session = await guest.openSession('alice');
    await expectJobs(bus, able.updating, {session}, uid);
    await expectPassword(bus, able.changing, {session});
    await using other = await guest.openSession('bob');
    expect(await other.isActive()).toBe(true);
    await expectPassword(bus, all, {session});
    await expectPassword(bus, all, {user: 'admin'});
}
