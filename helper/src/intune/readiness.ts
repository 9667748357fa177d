// SPDX-License-Identifier: GPL-2.0-or-later
// Which container was ready for applications at least once, and what it was adopted from.

import type {Host} from '../host/host.ts';
import {type ContainerRecord, stateDirectory} from './model.ts';

function readyPath(uid: number): string {
    return `${stateDirectory(uid)}/ready`;
}

function adoptedPath(uid: number): string {
    return `${stateDirectory(uid)}/adopted`;
}

/** A record is known by when it was made. */
function mark({digest, created}: ContainerRecord): string {
    return `${digest} ${created}\n`;
}

export async function noteReady(host: Host, record: ContainerRecord): Promise<void> {
    const path = readyPath(record.owner.uid);
    if ((await host.files.readText(path)) !== mark(record))
        await host.files.writeWhole(path, mark(record), 0o600);
}

export async function wasReady(host: Host, record: ContainerRecord): Promise<boolean> {
    return (await host.files.readText(readyPath(record.owner.uid))) === mark(record);
}

/** Called before the container is in place. */
export async function noteAdopted(host: Host, record: ContainerRecord): Promise<void> {
    await host.files.writeWhole(adoptedPath(record.owner.uid), mark(record), 0o600);
}

export async function wasAdopted(host: Host, {owner}: ContainerRecord): Promise<boolean> {
    return (await host.files.readText(adoptedPath(owner.uid))) !== null;
}

export async function forgetReadiness(host: Host, uid: number): Promise<void> {
    await host.files.remove(readyPath(uid));
    await host.files.remove(adoptedPath(uid));
}
