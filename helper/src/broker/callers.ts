// SPDX-License-Identifier: GPL-2.0-or-later
// Who calls: only the user's own processes may, and those in a sandbox only if the user says so.

import {BusError} from '../host/bus-error.ts';
import {type ProcessIdentity, identifyProcess} from '../host/process-identity.ts';
import type {WireConnection} from '../host/wire/connection.ts';
import type {Message} from '../host/wire/message.ts';
import {ValueReader} from '../host/wire/values.ts';
import {errorNames} from './names.ts';

/** Of callers whose processes were looked at; the bus gives no unique name twice. */
const MAX_KNOWN = 256;

export class Callers {
    readonly #bus: WireConnection;
    readonly #uid: number;
    readonly #known = new Map<string, Promise<ProcessIdentity>>();

    constructor(bus: WireConnection, uid: number) {
        this.#bus = bus;
        this.#uid = uid;
    }

    /** The process behind a unique name. Throws BusError when it is not one of the user's. */
    identify(sender: string): Promise<ProcessIdentity> {
        const known = this.#known.get(sender);
        if (known) return known;
        const identity = this.#identify(sender);
        this.#known.set(sender, identity);
        for (const [oldest] of this.#known) {
            if (this.#known.size <= MAX_KNOWN) break;
            this.#known.delete(oldest);
        }
        return identity;
    }

    async #identify(sender: string): Promise<ProcessIdentity> {
        const credentials = readCredentials(
            await this.#bus.callBus('GetConnectionCredentials', sender),
        );
        if (credentials.uid !== this.#uid)
            throw new BusError(errorNames.accessDenied, 'The broker is another user’s');
        const {pid, label} = credentials;
        const identity = pid === null ? null : await identifyProcess(pid, label);
        // Its number belonged to it while it was looked at, if it is still there.
        await this.#bus.callBus('GetConnectionUnixUser', sender);
        if (identity) return identity;
        return {executable: '', unit: '', sandbox: 'unknown', application: ''};
    }
}

interface Credentials {
    readonly uid: number | null;
    readonly pid: number | null;
    readonly label: string;
}

/** Throws MalformedMessage. */
function readCredentials({body, isBigEndian}: Message): Credentials {
    const reader = new ValueReader(body, isBigEndian);
    let uid: number | null = null;
    let pid: number | null = null;
    let label = '';
    reader.array('{sv}', () => {
        reader.align(8);
        const key = reader.string();
        const type = reader.signature();
        if (key === 'UnixUserID' && type === 'u') uid = reader.uint32();
        else if (key === 'ProcessID' && type === 'u') pid = reader.uint32();
        else if (key === 'LinuxSecurityLabel' && type === 'ay')
            label = reader.bytes().toString('utf8').replace(/\0+$/, '');
        else reader.skip(type);
    });
    return {uid, pid, label};
}
