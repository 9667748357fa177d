// SPDX-License-Identifier: GPL-2.0-or-later
import {Broker1Interface} from '../generated/broker1.ts';
import type {Envelope} from '../host/wire/message.ts';

export const BUS_NAME = 'com.microsoft.identity.broker1';
export const OBJECT_PATH = '/com/microsoft/identity/broker1';
export const INTERFACE = Broker1Interface.name;

const methods: ReadonlySet<string> = new Set(Broker1Interface.methods);

/** Whether it calls one of the methods that are offered, as far as its caller says what it calls. */
export function isForBroker(call: Pick<Envelope, 'path' | 'interface' | 'member'>): boolean {
    const isInterface = call.interface === INTERFACE || call.interface === '';
    return call.path === OBJECT_PATH && isInterface && methods.has(call.member);
}

const DBUS_ERROR = 'org.freedesktop.DBus.Error';
/** What a caller is told of what is not the broker's to say: errors that it knows from any bus. */
export const errorNames = {
    accessDenied: `${DBUS_ERROR}.AccessDenied`,
    inconsistent: `${DBUS_ERROR}.InconsistentMessage`,
    invalidArgs: `${DBUS_ERROR}.InvalidArgs`,
    limitsExceeded: `${DBUS_ERROR}.LimitsExceeded`,
    noReply: `${DBUS_ERROR}.NoReply`,
    serviceUnknown: `${DBUS_ERROR}.ServiceUnknown`,
    spawnFailed: `${DBUS_ERROR}.Spawn.Failed`,
} as const;
