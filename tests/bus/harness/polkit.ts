// SPDX-License-Identifier: GPL-2.0-or-later
import {chmod, copyFile, mkdir, writeFile} from 'node:fs/promises';
import {join, resolve} from 'node:path';

import type {PrivateBus} from './private-bus.ts';
import {type Running, runProgram, startProgram} from './processes.ts';

const POLICY = resolve(import.meta.dirname, '../../../polkit/org.frostyard.Snow1.policy');

/**
 * Users that every Debian has, with the sessions that polkit is made to see. The files are those that
 * logind writes and libsystemd reads.
 */
export const users = {
    active: {uid: 1, name: 'daemon', session: 'c1', state: 'active'},
    inactive: {uid: 2, name: 'bin', session: 'c2', state: 'online'},
    sessionless: {uid: 5, name: 'games', session: null, state: null},
} as const;

export type User = (typeof users)[keyof typeof users];

/** A real polkitd with our policy, in a mount namespace of its own. */
export interface Polkit extends AsyncDisposable {
    readonly daemon: Running;
    /** Puts a process into the session of its user, as pam_systemd would. */
    admit(pid: number, user: User): Promise<void>;
}

/** Starts polkitd on a private bus, with rules in JavaScript on top of the policy's defaults. */
export async function startPolkit(bus: PrivateBus, rules = ''): Promise<Polkit> {
    const root = join(bus.directory, 'polkit');
    const [actions, etcRules, usrRules, run] = ['actions', 'etc', 'usr', 'run'].map(name =>
        join(root, name),
    ) as [string, string, string, string];
    for (const path of [actions, etcRules, usrRules, join(run, 'sessions'), join(run, 'users')])
        await mkdir(path, {recursive: true});
    await copyFile(POLICY, join(actions, 'org.frostyard.Snow1.policy'));
    if (rules !== '') await writeFile(join(etcRules, '00-test.rules'), rules);
    await writeSessions(run);
    await runProgram(['chmod', '-R', 'a+rX', root]);

    const mounts = [
        [actions, '/usr/share/polkit-1/actions'],
        [etcRules, '/etc/polkit-1/rules.d'],
        [usrRules, '/usr/share/polkit-1/rules.d'],
        [run, '/run/systemd'],
    ].map(([from, to]) => `mkdir -p ${to}; mount --bind ${from} ${to}`);
    const polkitd = '/usr/lib/polkit-1/polkitd';
    const script = ['set -e', ...mounts, `exec ${polkitd}`].join('; ');
    const daemon = startProgram(['unshare', '-m', '--propagation', 'private', 'sh', '-c', script], {
        env: {...process.env, DBUS_SYSTEM_BUS_ADDRESS: bus.address},
    });
    await daemon.waitForLine(/Acquired the name/);
    return {
        daemon,
        async admit(pid, {uid, session}) {
            if (session === null) return;
            const scope = `/user.slice/user-${uid}.slice/session-${session}.scope`;
            const file = join(bus.directory, `cgroup-${session}`);
            await writeFile(file, `1:name=systemd:${scope}\n0::${scope}\n`);
            await chmod(file, 0o644);
            const bind = ['mount', '--bind', file, `/proc/${pid}/cgroup`];
            const {status, stderr} = await runProgram([
                'nsenter',
                '-m',
                '-t',
                String(daemon.pid),
                ...bind,
            ]);
            if (status !== 0) throw new Error(`${pid} cannot be put into a session: ${stderr}`);
        },
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
    };
}

async function writeSessions(run: string): Promise<void> {
    for (const {uid, name, session, state} of Object.values(users)) {
        if (session === null) continue;
        const isActive = state === 'active' ? 1 : 0;
        const sessionFile = [
            `UID=${uid}`,
            `USER=${name}`,
            `ACTIVE=${isActive}`,
            `STATE=${state}`,
            'IS_DISPLAY=1',
            'REMOTE=0',
            'TYPE=wayland',
            'CLASS=user',
            'SEAT=seat0',
        ];
        await writeFile(join(run, 'sessions', session), `${sessionFile.join('\n')}\n`);
        const userFile = [
            `NAME=${name}`,
            `STATE=${state}`,
            `DISPLAY=${session}`,
            `SESSIONS=${session}`,
        ];
        await writeFile(join(run, 'users', String(uid)), `${userFile.join('\n')}\n`);
    }
}
