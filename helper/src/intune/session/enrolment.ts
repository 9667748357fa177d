// SPDX-License-Identifier: GPL-2.0-or-later
// What a device's enrolment has in a root directory: the password that complies, the state of the
// device broker, and the id of the machine, from which others may be derived. The rest is in the home directory.

import {archiveDirectory} from '../../host/archive.ts';
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {OpenedDirectory} from '../../host/opened-directory.ts';
import type {ContainerRecord} from '../model.ts';
import {DEVICE_BROKER} from './set-up.ts';

/** Bytes. */
const MAX_FILE = 1024 * 1024;
const MAX_STATE = 64 * 1024 * 1024;

/** Of shadow(5). */
export interface ShadowEntry {
    readonly hash: string;
    /** As chage(1) takes them. */
    readonly aging: Readonly<Record<string, string>>;
}

export class KeptEnrolment {
    constructor(
        /** Null: there is no password. */
        readonly shadow: ShadowEntry | null,
        readonly machineId: string | null,
        /** A tar archive of its directory. */
        readonly deviceBroker: Uint8Array | null,
    ) {}
}

/**
 * Reads it from the root directory of a container, which may run, following no link of its own. The path
 * may be that of a descriptor, /proc/PID/fd/N. Throws SnowError WrongState, NotFound.
 */
export async function readEnrolment(
    host: Host,
    rootfs: string,
    {owner}: ContainerRecord,
): Promise<KeptEnrolment> {
    await using root = await openRoot(host, rootfs);
    await using etc = await root.enter('etc');
    const shadow = parseShadow((await etc?.readText('shadow', MAX_FILE)) ?? '', owner.name);
    const machineId = ((await etc?.readText('machine-id', MAX_FILE)) ?? '').trim();
    await using state = await enterAll(root, DEVICE_BROKER);
    return new KeptEnrolment(
        shadow,
        /^[0-9a-f]{32}$/.test(machineId) ? machineId : null,
        state && (await archiveDirectory(state, MAX_STATE)),
    );
}

export async function openRoot(host: Host, rootfs: string): Promise<OpenedDirectory> {
    const root = /^\/proc\/\d+\/fd\/\d+$/.test(rootfs)
        ? await OpenedDirectory.ofDescriptor(rootfs)
        : await OpenedDirectory.open(`${host.root}${rootfs}`);
    if (!root) throw new SnowError('NotFound', `There is no ${rootfs}`);
    return root;
}

/** Null: it is not there. Throws SnowError WrongState where a link is on the way. */
export async function enterAll(
    root: OpenedDirectory,
    path: string,
): Promise<OpenedDirectory | null> {
    const [first = '', ...names] = path.split('/').filter(name => name !== '');
    let at = await root.enter(first);
    for (const name of names) {
        const above = at;
        if (!above) return null;
        at = await above.enter(name).finally(() => above.close());
    }
    return at;
}

/** Null: the user has no password. */
export function parseShadow(text: string, name: string): ShadowEntry | null {
    const line = text.split('\n').find(entry => entry.startsWith(`${name}:`));
    const [, hash = '', ...fields] = line?.split(':') ?? [];
    if (!/^\$[!-9;-~]{1,500}$/.test(hash)) return null;
    const options = ['lastday', 'mindays', 'maxdays', 'warndays', 'inactive', 'expiredate'];
    const aging = options.flatMap((option, index) => {
        const value = fields[index] ?? '';
        return /^\d{1,6}$/.test(value) ? [[option, value] as const] : [];
    });
    return {hash, aging: Object.fromEntries(aging)};
}
