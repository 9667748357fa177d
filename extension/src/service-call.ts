// SPDX-License-Identifier: GPL-2.0-or-later
// Calls of org.frostyard.Snow1 on the system bus, and what they are refused with.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {isIOError} from './async-files.js';
import type {Refusal} from './feature-view.js';

export const BUS_NAME = 'org.frostyard.Snow1';

/** A prompt for a password may wait for minutes. */
const NO_TIMEOUT = GLib.MAXINT32;

export async function getSystemBus(cancellable: Gio.Cancellable): Promise<Gio.DBusConnection> {
    const result = await new Promise<Gio.AsyncResult>(resolve => {
        Gio.bus_get(Gio.BusType.SYSTEM, cancellable, (_source, busResult) => resolve(busResult));
    });
    return Gio.bus_get_finish(result);
}

/**
 * Starts the service where it does not run, and lets polkit ask the person.
 *
 * @param onReply is given the answer before any signal that was sent after it; who awaits it may be late
 */
export function callService(
    bus: Gio.DBusConnection,
    path: string,
    interfaceName: string,
    method: string,
    parameters: GLib.Variant | null,
    cancellable: Gio.Cancellable,
    onReply: (reply: GLib.Variant) => void = () => undefined,
): Promise<GLib.Variant> {
    return new Promise((resolve, reject) => {
        bus.call(
            BUS_NAME,
            path,
            interfaceName,
            method,
            parameters,
            null,
            Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION,
            NO_TIMEOUT,
            cancellable,
            (_bus, result) => {
                try {
                    const reply = bus.call_finish(result);
                    onReply(reply);
                    resolve(reply);
                } catch (error) {
                    reject(error);
                }
            },
        );
    });
}

/** The parameters of a method that takes nothing but options. */
export function noOptions(): GLib.Variant {
    return new GLib.Variant('(a{sv})', [{}]);
}

export function isCancelled(error: unknown): boolean {
    return isIOError(error, Gio.IOErrorEnum.CANCELLED);
}

export function describeError(error: unknown): Refusal {
    if (!(error instanceof GLib.Error))
        return {name: '', message: error instanceof Error ? error.message : String(error)};
    const name = Gio.DBusError.get_remote_error(error) ?? '';
    Gio.DBusError.strip_remote_error(error);
    return {name, message: error.message};
}
