// SPDX-License-Identifier: GPL-2.0-or-later
// What is answered without the container: what every object of a bus has, and what the broker itself
// has not had since version 2.0.1, its introspection.

import {Broker1Interface} from '../generated/broker1.ts';
import {BusError} from '../host/bus-error.ts';
import {OBJECT_PATH, errorNames} from './names.ts';

const PEER = 'org.freedesktop.DBus.Peer';
const INTROSPECTABLE = 'org.freedesktop.DBus.Introspectable';
const DOCTYPE = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`;
const STANDARD = `  <interface name="${PEER}">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg name="machine_uuid" type="s" direction="out"/>
    </method>
  </interface>
  <interface name="${INTROSPECTABLE}">
    <method name="Introspect">
      <arg name="data" type="s" direction="out"/>
    </method>
  </interface>`;

export interface Question {
    readonly path: string;
    /** Empty: any. */
    readonly interface: string;
    readonly member: string;
    readonly signature: string;
}

/**
 * The string that answers, empty: nothing is said; null: it is not ours to answer. Throws BusError for
 * a call with arguments.
 */
export async function ownAnswer(
    {path, interface: interfaceName, member, signature}: Question,
    machineId: () => Promise<string>,
): Promise<string | null> {
    const isOf = (name: string): boolean => interfaceName === '' || interfaceName === name;
    const document = member === 'Introspect' && isOf(INTROSPECTABLE) ? introspect(path) : null;
    const isPeer = (member === 'Ping' || member === 'GetMachineId') && isOf(PEER);
    if (document === null && !isPeer) return null;
    if (signature !== '') throw new BusError(errorNames.invalidArgs, `${member} takes nothing`);
    if (document !== null) return document;
    return member === 'Ping' ? '' : machineId();
}

/** The document of the broker's object or of one on the way to it; null: it is neither. */
export function introspect(path: string): string | null {
    if (path === OBJECT_PATH)
        return `${DOCTYPE}<node>\n${STANDARD}\n${interfaceElement()}\n</node>\n`;
    const prefix = path === '/' ? '/' : `${path}/`;
    if (!OBJECT_PATH.startsWith(prefix)) return null;
    const [child = ''] = OBJECT_PATH.slice(prefix.length).split('/');
    return `${DOCTYPE}<node>\n${STANDARD}\n  <node name="${child}"/>\n</node>\n`;
}

function interfaceElement(): string {
    const {xml} = Broker1Interface;
    const end = '</interface>';
    return xml.slice(xml.indexOf('  <interface'), xml.indexOf(end) + end.length);
}
