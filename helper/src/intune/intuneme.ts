// SPDX-License-Identifier: GPL-2.0-or-later
// An installation of intuneme, in its user's home directory: config.toml and rootfs, of which the
// latter is root's.

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {INTUNEME, openBelowHome} from './home.ts';
import type {Owner} from './model.ts';

const MAX_CONFIGURATION = 64 * 1024;

export interface Intuneme extends AsyncDisposable {
    readonly machine: string;
    readonly isInsiders: boolean;
    /** Path of its root directory as long as this is open, whatever its user does meanwhile. */
    readonly rootfs: string;
}

/** Throws SnowError NotFound, WrongState. */
export async function openIntuneme(host: Host, owner: Owner): Promise<Intuneme> {
    await using directory = await openBelowHome(host, owner, INTUNEME);
    if (!directory)
        throw new SnowError('NotFound', `${owner.name} has no ~/${INTUNEME} to take over`);
    const text = await directory.readText('config.toml', MAX_CONFIGURATION);
    if (text === null) throw new SnowError('NotFound', `There is no ~/${INTUNEME}/config.toml`);
    if (hostUid(text) !== owner.uid)
        throw new SnowError('WrongState', `~/${INTUNEME}/config.toml is another user’s`);
    const rootfs = await directory.enter('rootfs');
    if (!rootfs) throw new SnowError('NotFound', `There is no ~/${INTUNEME}/rootfs`);
    try {
        // Whatever is in one that its user made could be anything.
        if ((await rootfs.owner()) !== 0)
            throw new SnowError('WrongState', `~/${INTUNEME}/rootfs is not root’s`);
    } catch (error) {
        await rootfs.close();
        throw error;
    }
    return {
        machine: textValue(text, 'machine_name') ?? 'intuneme',
        isInsiders: /^\s*insiders\s*=\s*true\s*$/m.test(text),
        rootfs: rootfs.descriptorPath,
        [Symbol.asyncDispose]: () => rootfs.close(),
    };
}

export async function removeIntuneme(host: Host, owner: Owner): Promise<void> {
    const end = INTUNEME.lastIndexOf('/');
    await using parent = await openBelowHome(host, owner, INTUNEME.slice(0, end));
    if (!parent) return;
    await parent.removeTree(INTUNEME.slice(end + 1), null);
}

function hostUid(text: string): number | null {
    const value = /^\s*host_uid\s*=\s*(\d{1,10})\s*$/m.exec(text)?.[1];
    return value === undefined ? null : Number(value);
}

function textValue(text: string, key: string): string | null {
    const value = new RegExp(`^\\s*${key}\\s*=\\s*["']([A-Za-z0-9._-]{1,64})["']\\s*$`, 'm');
    return value.exec(text)?.[1] ?? null;
}
