// SPDX-License-Identifier: GPL-2.0-or-later
import type {BusConnection} from '../host/dbus.ts';

const REMEMBERED = 256;

/** Who is behind a unique name. The bus never gives such a name to a second connection. */
export class Callers {
    readonly #bus: BusConnection;
    readonly #uids = new Map<string, Promise<number>>();

    constructor(bus: BusConnection) {
        this.#bus = bus;
    }

    /** Throws BusError NameHasNoOwner when the caller is gone. */
    uidOf(sender: string): Promise<number> {
        const known = this.#uids.get(sender);
        if (known) return known;
        const uid = this.#ask(sender);
        this.#uids.set(sender, uid);
        for (const oldest of this.#uids.keys()) {
            if (this.#uids.size <= REMEMBERED) break;
            this.#uids.delete(oldest);
        }
        // Who asked is told; the next one asks again.
        uid.catch(() => this.#uids.delete(sender));
        return uid;
    }

    async #ask(sender: string): Promise<number> {
        const [uid] = await this.#bus.call({
            destination: 'org.freedesktop.DBus',
            path: '/org/freedesktop/DBus',
            interface: 'org.freedesktop.DBus',
            member: 'GetConnectionUnixUser',
            signature: 's',
            body: [sender],
        });
        if (typeof uid !== 'number') throw new TypeError('The bus knows no uid of a caller');
        return uid;
    }
}
