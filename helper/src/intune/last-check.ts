// SPDX-License-Identifier: GPL-2.0-or-later
import type {Host} from '../host/host.ts';
import {count, digest, importJson, line, object} from '../host/importer.ts';
import {stateDirectory} from './model.ts';

/** What a registry said last. */
export interface LastCheck {
    /** Seconds since 1970. */
    readonly time: number;
    readonly image: string;
    readonly digest: string;
}

function checkPath(uid: number): string {
    return `${stateDirectory(uid)}/last-check.json`;
}

/** Throws SnowError Failed when it is not what we wrote. */
export async function readLastCheck(host: Host, uid: number): Promise<LastCheck | null> {
    const text = await host.files.readText(checkPath(uid));
    const document = object({time: count, image: line, digest});
    return text === null ? null : importJson(checkPath(uid), text, document);
}

export async function recordCheck(host: Host, uid: number, check: LastCheck): Promise<void> {
    await host.files.writeWhole(checkPath(uid), `${JSON.stringify(check)}\n`, 0o600);
}

export async function forgetCheck(host: Host, uid: number): Promise<void> {
    await host.files.remove(checkPath(uid));
}
