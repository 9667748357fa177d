// SPDX-License-Identifier: GPL-2.0-or-later
import {INTROSPECTABLE, OBJECT_MANAGER, PEER, PROPERTIES, interfaces} from './interfaces.ts';
import {JOBS, ROOT, pathsAbove} from './paths.ts';

const DOCTYPE = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`;

/** The interfaces of an object with some of ours; a mere node on the way to others has none of ours. */
export function interfacesOf(path: string, ours: readonly string[]): readonly string[] {
    return [
        PEER,
        INTROSPECTABLE,
        ...(ours.length > 0 ? [PROPERTIES] : []),
        ...(path === ROOT ? [OBJECT_MANAGER] : []),
        ...ours,
    ];
}

/** The document of a node; null: it is none, of the objects or on the way to one. */
export function introspect(
    path: string,
    objects: ReadonlyMap<string, Readonly<Record<string, unknown>>>,
): string | null {
    const nodes = new Set<string>();
    for (const object of [...objects.keys(), ROOT, JOBS])
        for (const node of [object, ...pathsAbove(object)]) nodes.add(node);
    if (!nodes.has(path)) return null;

    const prefix = path === '/' ? '/' : `${path}/`;
    const children = [...nodes]
        .filter(node => node.startsWith(prefix) && node.length > prefix.length)
        .map(node => node.slice(prefix.length))
        .filter(name => !name.includes('/'))
        .sort();
    const names = interfacesOf(path, Object.keys(objects.get(path) ?? {}));
    const lines = [
        ...names.map(name => `  ${interfaces.get(name)?.xml ?? ''}`),
        ...children.map(name => `  <node name="${name}"/>`),
    ];
    return `${DOCTYPE}<node>\n${lines.join('\n')}\n</node>\n`;
}
