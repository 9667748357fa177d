// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

import type {Guest} from './guest.ts';

/** A login session in a guest; hand it to `guest.run` as `{session}` to be a program of it. */
export interface Session extends AsyncDisposable {
    readonly id: string;
    readonly user: string;
    readonly uid: number;
    /** The session's scope below the guest's root. */
    readonly controlGroup: string;
    readonly environment: Readonly<Record<string, string>>;
    /** Makes it the one that is active on seat0; the one before becomes inactive. */
    activate(): Promise<void>;
    isActive(): Promise<boolean>;
    /** Logs out: all that runs in it ends. */
    close(): Promise<void>;
}

let count = 0;

/** Logs a user in on seat0 through PAM, with a graphical session's class, and makes it active. */
export async function openSession(guest: Guest, user: string): Promise<Session> {
    const unit = `lab-session-${user}-${++count}.service`;
    await guest.check([
        'systemd-run',
        '--quiet',
        '--collect',
        `--unit=${unit}`,
        '--property=PAMName=login',
        `--property=User=${user}`,
        '--setenv=XDG_SEAT=seat0',
        '--setenv=XDG_SESSION_TYPE=wayland',
        '--setenv=XDG_SESSION_CLASS=user',
        'sleep',
        'infinity',
    ]);
    const id = await findSession(guest, unit);
    const uid = Number(await guest.check(['id', '-u', user]));
    const show = async (property: string) =>
        (await guest.check(['loginctl', 'show-session', id, '--value', '-p', property])).trim();
    const session: Session = {
        id,
        user,
        uid,
        controlGroup: `user.slice/user-${uid}.slice/${await show('Scope')}`,
        environment: {
            XDG_RUNTIME_DIR: `/run/user/${uid}`,
            XDG_SESSION_ID: id,
            XDG_SESSION_TYPE: 'wayland',
            DBUS_SESSION_BUS_ADDRESS: `unix:path=/run/user/${uid}/bus`,
        },
        activate: async () => {
            await guest.check(['loginctl', 'activate', id]);
            while ((await show('Active')) !== 'yes') await sleep(20);
        },
        isActive: async () => (await show('Active')) === 'yes',
        close: async () => {
            await guest.run(['systemctl', 'stop', unit]);
            while ((await guest.run(['loginctl', 'show-session', id])).exitCode === 0)
                await sleep(20);
        },
        [Symbol.asyncDispose]: () => session.close(),
    };
    if (!(await session.isActive())) await session.activate();
    return session;
}

/** The session whose leader is the unit's main process. */
async function findSession(guest: Guest, unit: string): Promise<string> {
    for (let tries = 0; tries < 200; tries++) {
        const {stdout: sessions} = await guest.run(['loginctl', 'list-sessions', '--no-legend']);
        const pid = (
            await guest.check(['systemctl', 'show', '--value', '-p', 'MainPID', unit])
        ).trim();
        for (const line of sessions.split('\n').filter(Boolean)) {
            const id = line.trim().split(/\s+/)[0] ?? '';
            const {stdout} = await guest.run([
                'loginctl',
                'show-session',
                id,
                '-p',
                'Leader',
                '-p',
                'State',
            ]);
            const isOpen = /State=(active|online)/.test(stdout);
            if (pid !== '0' && isOpen && stdout.split('\n').includes(`Leader=${pid}`)) return id;
        }
        await sleep(25);
    }
    throw new Error(`no login session for ${unit}:\n${await guest.journal(unit)}`);
}
