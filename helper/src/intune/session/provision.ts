// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the root directory of an image that of a user's container. The image's own programs do it, in
// all namespaces of a container: whatever they are, they have this tree and nothing else.

import type {Progress} from '../../host/domain.ts';
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {runConfined, stopConfined} from '../image/confined.ts';
import type {ContainerRecord} from '../model.ts';
import type {Enrolment} from '../ports.ts';
import {type Command, parseAccounts, planAccounts} from './accounts.ts';
import {KeptEnrolment, enterAll, openRoot} from './enrolment.ts';
import {passwordProblem} from './password.ts';
import {DEVICE_BROKER, containerHostName, setUpScript} from './set-up.ts';

/** Bytes of a file with accounts. */
const MAX_FILE = 4 * 1024 * 1024;
/** Milliseconds. A change of a group looks at all files. */
const TIMEOUT = 10 * 60_000;

/** Of those that nspawn leaves: only for changes of files and for programs that take another user's rights. */
const DROPPED_CAPABILITIES = [
    'CAP_AUDIT_CONTROL',
    'CAP_AUDIT_WRITE',
    'CAP_IPC_OWNER',
    'CAP_KILL',
    'CAP_LEASE',
    'CAP_LINUX_IMMUTABLE',
    'CAP_MKNOD',
    'CAP_NET_ADMIN',
    'CAP_NET_BIND_SERVICE',
    'CAP_NET_BROADCAST',
    'CAP_NET_RAW',
    'CAP_SETPCAP',
    'CAP_SYS_ADMIN',
    'CAP_SYS_BOOT',
    'CAP_SYS_CHROOT',
    'CAP_SYS_NICE',
    'CAP_SYS_PTRACE',
    'CAP_SYS_RESOURCE',
    'CAP_SYS_TTY_CONFIG',
];

/** What nspawn itself is held to. */
const properties: readonly string[] = [
    'Description=Set up an Intune container',
    'Delegate=yes',
    'KillMode=mixed',
    'DevicePolicy=closed',
    'DeviceAllow=char-pts rw',
    // It makes that node in every container, where nobody may use it.
    'DeviceAllow=/dev/net/tun rwm',
    'TasksMax=512',
    'MemoryMax=2G',
    'TimeoutStopSec=10s',
    'LimitCORE=0',
];

/**
 * Sets up a root directory in which nothing has run yet. Throws SnowError InvalidArgs for a password
 * that the image’s policy refuses, before anything is changed; NotSupported, VerificationFailed, WrongState,
 * Failed, Cancelled.
 */
export async function provision(
    host: Host,
    rootfs: string,
    record: ContainerRecord,
    {password, keep}: {readonly password: string | null; readonly keep: Enrolment | null},
    _progress: Progress,
    signal: AbortSignal,
): Promise<void> {
    const {owner} = record;
    const problem = password === null ? null : passwordProblem(password, owner.name);
    if (problem !== null) throw new SnowError('InvalidArgs', problem);
    const kept = keep instanceof KeptEnrolment ? keep : null;
    const inside = new Inside(host, rootfs, record, signal);

    const script = setUpScript({
        owner,
        accounts: await readPlan(host, rootfs, record),
        hostName: containerHostName((await host.files.readText('/proc/sys/kernel/hostname')) ?? ''),
        machineId: kept?.machineId ?? crypto.randomUUID().replaceAll('-', ''),
    });
    await inside.run(['sh', '-euc', script], '');
    await verify(host, rootfs, record);
    if (password !== null) await inside.run(['chpasswd'], `${owner.name}:${password}\n`);
    if (kept) await restore(inside, owner.name, kept);
}

/** Stops what a job that was killed left, and waits for its end. */
export async function abandonProvision(host: Host, uid: number): Promise<void> {
    await stopConfined(host, unitOf(uid));
}

function unitOf(uid: number): string {
    return `snow-intune-setup-u${uid}`;
}

async function readPlan(
    host: Host,
    rootfs: string,
    {owner}: ContainerRecord,
): Promise<readonly Command[]> {
    const [passwd, group] = await readAccounts(host, rootfs);
    return planAccounts(parseAccounts(passwd, group), owner, await readRenderGid(host));
}

async function readAccounts(host: Host, rootfs: string): Promise<readonly [string, string]> {
    await using root = await openRoot(host, rootfs);
    await using etc = await root.enter('etc');
    const passwd = await etc?.readText('passwd', MAX_FILE);
    const group = await etc?.readText('group', MAX_FILE);
    if (passwd == null || group == null)
        throw new SnowError('VerificationFailed', 'The image has no users');
    return [passwd, group];
}

async function readRenderGid(host: Host): Promise<number | null> {
    const {exitCode, stdout} = await host.programs.run(['getent', '--', 'group', 'render']);
    const gid = /^render:[^:]*:(\d{1,5}):/.exec(stdout)?.[1];
    return exitCode === 0 && gid !== undefined ? Number(gid) : null;
}

async function restore(inside: Inside, name: string, kept: KeptEnrolment): Promise<void> {
    if (kept.shadow) {
        await inside.run(['chpasswd', '--encrypted'], `${name}:${kept.shadow.hash}\n`);
        const options = Object.entries(kept.shadow.aging).map(
            ([option, value]) => `--${option}=${value}`,
        );
        if (options.length > 0) await inside.run(['chage', ...options, '--', name], '');
    }
    if (kept.deviceBroker) {
        await inside.run(['mkdir', '-p', '--', DEVICE_BROKER], '');
        const options = ['--extract', '--numeric-owner', '--same-permissions', '--file=-'];
        await inside.run(['tar', ...options, `--directory=${DEVICE_BROKER}`], kept.deviceBroker);
    }
}

/** That it is so, whatever the image's programs say. */
async function verify(host: Host, rootfs: string, {owner}: ContainerRecord): Promise<void> {
    const {uid, gid, name} = owner;
    const {users} = parseAccounts(...(await readAccounts(host, rootfs)));
    const isThere = users.some(user => user.name === name && user.uid === uid && user.gid === gid);
    await using root = await openRoot(host, rootfs);
    await using home = await enterAll(root, `/home/${name}`);
    if (!isThere || (await home?.owner()) !== uid)
        throw new SnowError('VerificationFailed', 'The image’s programs did not make its user');
}

/** Runs programs of the image. */
class Inside {
    readonly #host: Host;
    readonly #rootfs: string;
    readonly #record: ContainerRecord;
    readonly #signal: AbortSignal;

    constructor(host: Host, rootfs: string, record: ContainerRecord, signal: AbortSignal) {
        this.#host = host;
        this.#rootfs = rootfs;
        this.#record = record;
        this.#signal = signal;
    }

    /** The input is seen by the program alone. Throws SnowError Failed, Cancelled. */
    async run(command: Command, input: string | Uint8Array): Promise<void> {
        const {uid} = this.#record.owner;
        const {exitCode, stderr} = await runConfined(
            this.#host,
            {
                unit: unitOf(uid),
                command: ['systemd-nspawn', ...this.#options(), '--', ...command],
                properties,
                input,
                timeout: TIMEOUT,
            },
            this.#signal,
        );
        if (exitCode !== 0)
            throw new SnowError(
                'Failed',
                `The image cannot be set up; its ${command[0]} says: ${lastLine(stderr)}`,
            );
    }

    #options(): readonly string[] {
        const {uidBase, owner} = this.#record;
        return [
            '--quiet',
            '--settings=no',
            '--register=no',
            '--keep-unit',
            '--as-pid2',
            '--console=pipe',
            `--machine=intune-u${owner.uid}-setup`,
            `--directory=${this.#rootfs}`,
            `--private-users=${uidBase}:65536`,
            '--private-users-ownership=map',
            '--private-network',
            '--link-journal=no',
            '--resolv-conf=off',
            '--timezone=off',
            '--no-new-privileges=yes',
            `--drop-capability=${DROPPED_CAPABILITIES.join(',')}`,
            '--setenv=LC_ALL=C.UTF-8',
        ];
    }
}

function lastLine(text: string): string {
    return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
