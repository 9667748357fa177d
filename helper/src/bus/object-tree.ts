// SPDX-License-Identifier: GPL-2.0-or-later
import {type BusConnection, Variant} from '../host/dbus.ts';
import type {Domain, ObjectSnapshot} from '../host/domain.ts';
import {CoalescedRead} from './coalesced-read.ts';
import {standardError} from './errors.ts';
import {OBJECT_MANAGER, PROPERTIES, interfaces} from './interfaces.ts';
import {ROOT, isObjectPath} from './paths.ts';
import {toVariant} from './wire.ts';

/** Interfaces of an object with their properties, as they are sent: a{sa{sv}}. */
export type WireObject = Readonly<Record<string, Readonly<Record<string, Variant>>>>;

/**
 * The objects on the bus. Those of a domain are as the machine was when it was last read; what a read
 * finds to be different is told in signals. Jobs are put in and taken out as they come and go.
 */
export class ObjectTree {
    readonly #bus: BusConnection;
    readonly #domains: readonly DomainObjects[];
    readonly #ownObjects = new Map<string, WireObject>();

    constructor(bus: BusConnection, domains: readonly Domain[]) {
        this.#bus = bus;
        this.#domains = domains.map(domain => ({
            domain,
            objects: null,
            reading: new CoalescedRead(() => this.#readDomain(domain)),
        }));
    }

    /** Reads a domain again and tells what changed. */
    async refresh(domain: Domain): Promise<void> {
        await this.#objectsOf(domain).reading.read();
    }

    /** Whether the domain was ever read: changes before that are told to nobody. */
    isKnown(domain: Domain): boolean {
        return this.#objectsOf(domain).objects !== null;
    }

    /**
     * Reads every domain again; what cannot be read stays as it was, and is given to the listener. So
     * does, for now, what takes longer than the patience (milliseconds): it is told in signals.
     */
    async refreshAll(
        onFailure: (domain: Domain, error: unknown) => void,
        patience: number,
    ): Promise<void> {
        let timer: NodeJS.Timeout | undefined;
        const timeUp = new Promise<void>(resolve => (timer = setTimeout(resolve, patience)));
        const reads = this.#domains.map(async objects => {
            const read = objects.reading.read().catch((error: unknown) => {
                onFailure(objects.domain, error);
            });
            await Promise.race([read, timeUp]);
            // Somebody is about to be shown all objects: those to come are new to him.
            objects.objects ??= new Map();
        });
        await Promise.all(reads);
        clearTimeout(timer);
    }

    /** The domain that has the path, present or not; null: nobody could have it. */
    domainOf(path: string): Domain | null {
        const [name = ''] = path.startsWith(`${ROOT}/`)
            ? path.slice(ROOT.length + 1).split('/')
            : [];
        return this.#domains.find(({domain}) => domain.name === name.toLowerCase())?.domain ?? null;
    }

    get(path: string): WireObject | null {
        const own = this.#ownObjects.get(path);
        if (own) return own;
        for (const {objects} of this.#domains) {
            const object = objects?.get(path);
            if (object) return object;
        }
        return null;
    }

    /** Every object by its path. */
    entries(): ReadonlyMap<string, WireObject> {
        return new Map([
            ...this.#domains.flatMap(({objects}) => [...(objects ?? [])]),
            ...this.#ownObjects,
        ]);
    }

    /** Puts in an object of the service itself. */
    add(path: string, object: ObjectSnapshot): void {
        const wire = objectToWire(object);
        this.#ownObjects.set(path, wire);
        if (path !== ROOT) this.#tellAdded(path, wire);
    }

    /** Replaces some properties of an object of the service itself. */
    change(path: string, interfaceName: string, properties: ObjectSnapshot[string]): void {
        const before = this.#ownObjects.get(path);
        if (!before) throw standardError('UnknownObject', `There is no object ${path}`);
        const changed = propertiesToWire(interfaceName, properties);
        const after = {...before, [interfaceName]: {...before[interfaceName], ...changed}};
        this.#ownObjects.set(path, after);
        this.#tellDifference(path, before, after);
    }

    remove(path: string): void {
        const object = this.#ownObjects.get(path);
        if (object && this.#ownObjects.delete(path)) this.#tellRemoved(path, Object.keys(object));
    }

    #objectsOf(domain: Domain): DomainObjects {
        const found = this.#domains.find(objects => objects.domain === domain);
        if (!found) throw new TypeError(`${domain.name} is no domain of this tree`);
        return found;
    }

    async #readDomain(domain: Domain): Promise<void> {
        const snapshot = await domain.snapshot();
        const after = new Map<string, WireObject>();
        for (const [path, object] of snapshot) {
            const absolute = `${ROOT}/${path}`;
            if (!isObjectPath(absolute) || this.domainOf(absolute) !== domain)
                throw new TypeError(`${domain.name} has an object at ${path}`);
            after.set(absolute, objectToWire(object));
        }
        const holder = this.#objectsOf(domain);
        const before = holder.objects;
        holder.objects = after;
        if (before) this.#tellDifferences(before, after);
    }

    #tellDifferences(
        before: ReadonlyMap<string, WireObject>,
        after: ReadonlyMap<string, WireObject>,
    ): void {
        for (const [path, object] of before)
            if (!after.has(path)) this.#tellRemoved(path, Object.keys(object));
        for (const [path, object] of after) {
            const old = before.get(path);
            if (old) this.#tellDifference(path, old, object);
            else this.#tellAdded(path, object);
        }
    }

    #tellDifference(path: string, before: WireObject, after: WireObject): void {
        for (const [name, properties] of Object.entries(after)) {
            const changed = Object.entries(properties).filter(
                ([property, value]) => !isSame(before[name]?.[property], value),
            );
            if (changed.length === 0) continue;
            this.#bus.emit(path, PROPERTIES, 'PropertiesChanged', 'sa{sv}as', [
                name,
                Object.fromEntries(changed),
                [],
            ]);
        }
    }

    #tellAdded(path: string, object: WireObject): void {
        this.#bus.emit(ROOT, OBJECT_MANAGER, 'InterfacesAdded', 'oa{sa{sv}}', [path, object]);
    }

    #tellRemoved(path: string, names: readonly string[]): void {
        this.#bus.emit(ROOT, OBJECT_MANAGER, 'InterfacesRemoved', 'oas', [path, names]);
    }
}

interface DomainObjects {
    readonly domain: Domain;
    readonly reading: CoalescedRead<void>;
    /** Null: never read. */
    objects: ReadonlyMap<string, WireObject> | null;
}

function objectToWire(object: ObjectSnapshot): WireObject {
    return Object.fromEntries(
        Object.entries(object).map(([name, properties]) => [
            name,
            propertiesToWire(name, properties),
        ]),
    );
}

/** Just what the interface has: a domain may know more of a thing than it shows. */
function propertiesToWire(
    interfaceName: string,
    properties: ObjectSnapshot[string],
): Record<string, Variant> {
    const signatures = interfaces.get(interfaceName)?.properties;
    if (!signatures) throw new TypeError(`There is no interface ${interfaceName}`);
    const wire: Record<string, Variant> = {};
    for (const [property, signature] of signatures) {
        if (!Object.hasOwn(properties, property)) continue;
        wire[property] = toVariant(signature, properties[property]);
    }
    return wire;
}

function isSame(one: Variant | undefined, other: Variant): boolean {
    return one !== undefined && stringOf(one.value) === stringOf(other.value);
}

function stringOf(value: unknown): string {
    return JSON.stringify(value, (_, inner: unknown) =>
        typeof inner === 'bigint' ? `${inner}n` : inner,
    );
}
