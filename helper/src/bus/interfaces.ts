// SPDX-License-Identifier: GPL-2.0-or-later
// The interfaces that are served: ours from interfaces/*.xml, and the standard ones of the D-Bus
// specification. In maps, so that a caller's name never meets what every JavaScript object has.

import * as generated from '../generated/dbus.ts';

export interface MethodTable {
    readonly inSignature: string;
    readonly outSignature: string;
    /** The polkit action; 'owner': the one who started the job; empty: anyone. */
    readonly action: string;
    /** Types of the options that are known; null: the method takes none. */
    readonly options: ReadonlyMap<string, string> | null;
}

export interface InterfaceTable {
    readonly name: string;
    readonly methods: ReadonlyMap<string, MethodTable>;
    /** Signatures by name. */
    readonly properties: ReadonlyMap<string, string>;
    /** The element <interface>. */
    readonly xml: string;
}

/** What every object has. */
export const PEER = 'org.freedesktop.DBus.Peer';
export const INTROSPECTABLE = 'org.freedesktop.DBus.Introspectable';
export const PROPERTIES = 'org.freedesktop.DBus.Properties';
/** What only the root has. */
export const OBJECT_MANAGER = 'org.freedesktop.DBus.ObjectManager';

const standard: readonly InterfaceTable[] = [
    describe(
        PEER,
        {Ping: ['', ''], GetMachineId: ['', 's']},
        `<method name="Ping"/>
    <method name="GetMachineId">
      <arg name="machine_uuid" type="s" direction="out"/>
    </method>`,
    ),
    describe(
        INTROSPECTABLE,
        {Introspect: ['', 's']},
        `<method name="Introspect">
      <arg name="xml_data" type="s" direction="out"/>
    </method>`,
    ),
    describe(
        PROPERTIES,
        {Get: ['ss', 'v'], GetAll: ['s', 'a{sv}'], Set: ['ssv', '']},
        `<method name="Get">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="out"/>
    </method>
    <method name="GetAll">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="props" type="a{sv}" direction="out"/>
    </method>
    <method name="Set">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg name="interface_name" type="s"/>
      <arg name="changed_properties" type="a{sv}"/>
      <arg name="invalidated_properties" type="as"/>
    </signal>`,
    ),
    describe(
        OBJECT_MANAGER,
        {GetManagedObjects: ['', 'a{oa{sa{sv}}}']},
        `<method name="GetManagedObjects">
      <arg name="objects" type="a{oa{sa{sv}}}" direction="out"/>
    </method>
    <signal name="InterfacesAdded">
      <arg name="object_path" type="o"/>
      <arg name="interfaces_and_properties" type="a{sa{sv}}"/>
    </signal>
    <signal name="InterfacesRemoved">
      <arg name="object_path" type="o"/>
      <arg name="interfaces" type="as"/>
    </signal>`,
    ),
];

const ours = Object.values(generated).map((table): InterfaceTable => {
    const methods = Object.entries<GeneratedMethod>(table.methods);
    return {
        name: table.name,
        methods: new Map(
            methods.map(([name, {options, ...method}]) => [
                name,
                {...method, options: options ? new Map(Object.entries(options)) : null},
            ]),
        ),
        properties: new Map(Object.entries(table.properties)),
        xml: /<interface[\s\S]*<\/interface>/.exec(table.xml)?.[0] ?? '',
    };
});

/** Every interface by its name. */
export const interfaces: ReadonlyMap<string, InterfaceTable> = new Map(
    [...standard, ...ours].map(table => [table.name, table]),
);

interface GeneratedMethod {
    readonly inSignature: string;
    readonly outSignature: string;
    readonly action: string;
    readonly options: Readonly<Record<string, string>> | null;
}

function describe(
    name: string,
    methods: Readonly<Record<string, readonly [string, string]>>,
    members: string,
): InterfaceTable {
    const table = Object.entries(methods).map(
        ([method, [inSignature, outSignature]]) =>
            [method, {inSignature, outSignature, action: '', options: null}] as const,
    );
    return {
        name,
        methods: new Map(table),
        properties: new Map(),
        xml: `<interface name="${name}">\n    ${members}\n  </interface>`,
    };
}
