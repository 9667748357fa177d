// SPDX-License-Identifier: GPL-2.0-or-later
// A guest with a container of alice that was made from the image's files, without fetching it.

import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {bundle} from '../../bus/harness/bundle.ts';
import {Guest, type GuestOptions, type RunResult} from '../../lab/guest.ts';
import {installedSystem} from '../../lab/installation.ts';
import {UNPACKED, unpackedImage} from '../../lab/intune/image.ts';
import type {TreeName} from '../../lab/trees.ts';
import type {MachineAnswer, MachineRequest} from './machine-program.ts';

const PROGRAM = '/run/lab/machine.cjs';

export const UID = 1001;
export const UID_BASE = 0x4000_0000 + UID * 65_536;
export const MACHINE = `intune-u${UID}`;
export const UNIT = `systemd-nspawn@${MACHINE}.service`;
export const ROOTFS = `/var/lib/machines/${MACHINE}`;
export const HOME = '/home/alice/Intune';
export const RUNTIME = `/run/snow-control/intune/u${UID}`;

const makeContainer = `
set -e
chmod 0700 /var/lib/machines
cp -a ${UNPACKED} ${ROOTFS}
mkdir -p /var/lib/snow-control/intune/u${UID}
printf '{"generations": [{"inode": %s, "record": {"owner": {"uid": 1001, "gid": 1001, "name": "alice", "home": "/home/alice"}, "uidBase": ${UID_BASE}, "channel": "stable", "image": "ghcr.io/frostyard/ubuntu-intune:latest", "digest": "sha256:%064d", "created": 1}}]}' \
    "$(stat -c %i ${ROOTFS})" 0 >/var/lib/snow-control/intune/u${UID}/container.json
su alice -c 'mkdir -m 0700 ~/Intune'
loginctl enable-linger alice bob
`;

/** A listener of each session, which says its name to who connects. */
const listener = `
const {createServer} = require('net');
process.umask(0o077);
for (const path of process.argv.slice(2))
    createServer(c => c.end('HTTP/1.0 200 OK\\r\\n\\r\\n' + path + '\\n')).listen(path);
`;

export interface MachineLabOptions extends GuestOptions {
    readonly tree?: TreeName;
}

export class MachineLab implements AsyncDisposable {
    private constructor(readonly guest: Guest) {}

    static async boot({tree, ...options}: MachineLabOptions = {}): Promise<MachineLab> {
        const guest = await Guest.boot(tree ?? 'container', {
            install: await installedSystem(),
            ...options,
            machines: true,
            layers: [...(options.layers ?? []), await unpackedImage()],
            files: {
                '/run-lab/listener.cjs': listener,
                // So that the package's files for containers are there whatever they are.
                '/usr/lib/snow-control/container/lab': 'ours\n',
                ...options.files,
            },
        });
        const directory = await mkdtemp(join(tmpdir(), 'intune-machine-'));
        const program = await bundle('tests/guest/support/machine-program.ts', directory);
        await guest.copyIn(program, PROGRAM);
        await rm(directory, {recursive: true});
        await guest.check(makeContainer, {timeout: 120_000});
        const lab = new MachineLab(guest);
        const {error} = await lab.call({verb: 'provision'});
        if (error) throw new Error(`It cannot be set up: ${error.join(': ')}`);
        return lab;
    }

    /** Sockets of alice's session, and of root's, until the guest ends. */
    async listen(paths: readonly string[], user = 'alice'): Promise<void> {
        for (const path of paths)
            await this.guest.check(['mkdir', '-p', path.slice(0, path.lastIndexOf('/'))], {user});
        this.guest.start(['node', '/run-lab/listener.cjs', ...paths], {user});
        const all = paths.map(path => `[ -S ${path} ]`).join(' && ');
        await this.guest.check(`until ${all}; do sleep 0.05; done`, {timeout: 10_000});
    }

    async call(request: Omit<MachineRequest, 'uid'>): Promise<MachineAnswer> {
        const text = JSON.stringify({uid: UID, ...request});
        const output = await this.guest.check(['node', PROGRAM, text], {timeout: 200_000});
        return JSON.parse(output) as MachineAnswer;
    }

    /** Command of call(), for who wants to end it. */
    command(request: Omit<MachineRequest, 'uid'>): readonly string[] {
        return ['node', PROGRAM, JSON.stringify({uid: UID, ...request})];
    }

    /** By the container's own service manager. */
    inside(script: string, user = 'root'): Promise<RunResult> {
        return this.guest.run([
            'systemd-run',
            `--machine=${MACHINE}`,
            `--property=User=${user}`,
            '--wait',
            '--pipe',
            '--collect',
            '--quiet',
            '--',
            'sh',
            '-c',
            script,
        ]);
    }

    async insideText(script: string, user = 'root'): Promise<string> {
        const {stdout, stderr, exitCode} = await this.inside(script, user);
        if (exitCode !== 0) throw new Error(`${script}: ${exitCode}\n${stdout}${stderr}`);
        return stdout;
    }

    async state(): Promise<string> {
        const {stdout} = await this.guest.run(['systemctl', 'is-active', UNIT]);
        return stdout.trim();
    }

    async [Symbol.asyncDispose]() {
        await this.guest.kill();
    }
}
