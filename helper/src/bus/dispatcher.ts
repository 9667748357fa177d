// SPDX-License-Identifier: GPL-2.0-or-later
import {JobInterface, ManagerInterface} from '../generated/dbus.ts';
import {type BusConnection, type IncomingCall, Variant} from '../host/dbus.ts';
import type {Domain} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Activity} from './activity.ts';
import type {Authority} from './authority.ts';
import type {Callers} from './callers.ts';
import {errorPair, standardError} from './errors.ts';
import {
    INTROSPECTABLE,
    type InterfaceTable,
    type MethodTable,
    OBJECT_MANAGER,
    PEER,
    PROPERTIES,
    interfaces,
} from './interfaces.ts';
import {interfacesOf, introspect} from './introspection.ts';
import type {Jobs} from './jobs.ts';
import {logError, logNotice} from './journal.ts';
import type {ObjectTree, WireObject} from './object-tree.ts';
import {ROOT} from './paths.ts';
import {promptDetails} from './prompts.ts';

/** Milliseconds after which who asks for everything is told what is known so far. */
const PATIENCE = 2000;

/** Calls of one user that may wait for polkit at the same time. */
const WAITING_PER_UID = 16;

export interface DispatcherParts {
    readonly bus: BusConnection;
    readonly tree: ObjectTree;
    readonly jobs: Jobs;
    readonly authority: Authority;
    readonly callers: Callers;
    readonly activity: Activity;
    readonly machineId: () => Promise<string>;
    /** Brings the properties of the root in line with the machine. */
    readonly readRoot: () => Promise<void>;
}

/** A call whose form is right: what it is for is there, and takes such arguments. */
interface ValidCall {
    readonly call: IncomingCall;
    readonly table: InterfaceTable;
    readonly method: MethodTable;
    /** Arguments without the options. */
    readonly args: readonly unknown[];
    readonly options: Readonly<Record<string, unknown>>;
}

/** Sees every call: checks its form, asks who may, has it done, and answers. */
export class Dispatcher {
    readonly #parts: DispatcherParts;
    readonly #waiting = new Map<number, number>();

    constructor(parts: DispatcherParts) {
        this.#parts = parts;
    }

    /** Never throws: the library would tell the caller where. */
    dispatch(call: IncomingCall): void {
        const end = this.#parts.activity.begin();
        this.#answer(call)
            .catch((error: unknown) => {
                logError(`An answer to ${call.member} cannot be sent`, error);
            })
            .finally(end);
    }

    async #answer(call: IncomingCall): Promise<void> {
        const {bus} = this.#parts;
        try {
            const valid = await this.#validate(call);
            await this.#authorize(valid);
            const body = await this.#perform(valid);
            bus.reply(call, valid.method.outSignature, body);
        } catch (error) {
            const [name, text] = errorPair(error, call.member);
            bus.replyError(call, name, text);
        }
    }

    /** Throws the standard errors for what is not there, and InvalidArgs. */
    async #validate(call: IncomingCall): Promise<ValidCall> {
        const table = await this.#findInterface(call);
        const method = table.methods.get(call.member);
        if (!method)
            throw standardError('UnknownMethod', `${table.name} has no method ${call.member}`);
        if (call.signature !== method.inSignature)
            throw new SnowError(
                'InvalidArgs',
                `${call.member} takes (${method.inSignature}), not (${call.signature})`,
            );
        if (!method.options) return {call, table, method, args: call.body, options: {}};
        const options = parseOptions(call.body.at(-1), method.options);
        return {call, table, method, args: call.body.slice(0, -1), options};
    }

    /** The interface that is meant, on an object that has it. */
    async #findInterface(call: IncomingCall): Promise<InterfaceTable> {
        // Every connection answers a ping, whatever the path.
        const peer = interfaces.get(PEER);
        if (peer && call.interface === PEER) return peer;

        const names = await this.#interfacesAt(call.path);
        const table = interfaces.get(call.interface);
        if (table && names.includes(table.name)) return table;
        // A call that names none does not pass the policy of the bus.
        const name = call.interface || 'without a name';
        throw standardError('UnknownInterface', `${call.path} has no interface ${name}`);
    }

    async #interfacesAt(path: string): Promise<readonly string[]> {
        const {tree} = this.#parts;
        const domain = tree.domainOf(path);
        if (domain && !tree.get(path)) await tree.refresh(domain);
        const object = tree.get(path);
        const isNode = object !== null || introspect(path, tree.entries()) !== null;
        if (!isNode) throw standardError('UnknownObject', `There is no object ${path}`);
        return interfacesOf(path, Object.keys(object ?? {}));
    }

    /** The one place where it is decided whether a caller may. */
    async #authorize({call, table, method, args}: ValidCall): Promise<void> {
        const {callers, authority, jobs, tree} = this.#parts;
        if (method.action === '') return;
        const uid = await callers.uidOf(call.sender);
        try {
            if (method.action === 'owner') {
                if (uid !== 0 && uid !== jobs.ownerOf(call.path))
                    throw new SnowError('NotAuthorized', 'The job is another user’s');
                return;
            }
            tree.domainOf(call.path)?.refuseStranger?.(call.path.slice(ROOT.length + 1), uid);
            const done = this.#wait(uid);
            try {
                await authority.authorize({
                    action: method.action,
                    sender: call.sender,
                    allowsInteraction: call.allowsInteraction,
                    details: promptDetails(table.name, call.member, call.path, args),
                });
            } finally {
                done();
            }
        } catch (error) {
            if (error instanceof SnowError && error.code === 'NotAuthorized')
                logNotice(`${call.member} of ${call.path} for uid ${uid}: ${error.message}`);
            throw error;
        }
    }

    /** Counts the questions to polkit, so that one user cannot bury it. */
    #wait(uid: number): () => void {
        const waiting = this.#waiting.get(uid) ?? 0;
        if (waiting >= WAITING_PER_UID)
            throw standardError('LimitsExceeded', `${waiting} calls already wait for polkit`);
        this.#waiting.set(uid, waiting + 1);
        return () => {
            const left = (this.#waiting.get(uid) ?? 1) - 1;
            if (left > 0) this.#waiting.set(uid, left);
            else this.#waiting.delete(uid);
        };
    }

    async #perform(valid: ValidCall): Promise<readonly unknown[]> {
        const {call, table, args} = valid;
        const {jobs, tree, machineId} = this.#parts;
        switch (`${table.name}.${call.member}`) {
            case `${PEER}.Ping`:
                return [];
            case `${PEER}.GetMachineId`:
                return [await machineId()];
            case `${INTROSPECTABLE}.Introspect`:
                await this.#refresh(null);
                return [introspect(call.path, tree.entries()) ?? gone(call.path)];
            case `${PROPERTIES}.Get`:
                return [await this.#getProperty(call.path, String(args[0]), String(args[1]))];
            case `${PROPERTIES}.GetAll`:
                return [await this.#getAllProperties(call.path, String(args[0]))];
            case `${PROPERTIES}.Set`:
                await this.#getProperty(call.path, String(args[0]), String(args[1]));
                throw standardError('PropertyReadOnly', `${String(args[1])} cannot be set`);
            case `${OBJECT_MANAGER}.GetManagedObjects`:
                await this.#refresh(null);
                return [managedObjects(tree.entries())];
            case `${ManagerInterface.name}.ListJobs`:
                return [jobs.paths()];
            case `${JobInterface.name}.Cancel`:
                jobs.cancel(call.path);
                return [];
            default:
                return [await this.#startJob(valid)];
        }
    }

    async #startJob({call, table, args, options}: ValidCall): Promise<string> {
        const {tree, jobs, callers} = this.#parts;
        const domain = tree.domainOf(call.path);
        if (!domain) return gone(call.path);
        const uid = await callers.uidOf(call.sender);
        const path = call.path.slice(ROOT.length + 1);
        const spec = await domain.prepare(path, table.name, call.member, args, options, uid);
        return jobs.start(domain, spec, uid);
    }

    async #getProperty(path: string, interfaceName: string, property: string): Promise<Variant> {
        const properties = await this.#getAllProperties(path, interfaceName);
        const value = Object.hasOwn(properties, property) ? properties[property] : undefined;
        if (!value)
            throw standardError('UnknownProperty', `${interfaceName} has no property ${property}`);
        return value;
    }

    /** An empty name of the interface is all of them. */
    async #getAllProperties(path: string, interfaceName: string): Promise<WireObject[string]> {
        const {tree, readRoot} = this.#parts;
        const domain = tree.domainOf(path);
        if (domain) await this.#refresh(domain);
        else if (path === ROOT) await readRoot();
        const object = tree.get(path) ?? gone(path);
        if (interfaceName === '') return Object.assign({}, ...Object.values(object));
        const properties = Object.hasOwn(object, interfaceName) ? object[interfaceName] : undefined;
        if (properties) return properties;
        if (interfacesOf(path, Object.keys(object)).includes(interfaceName)) return {};
        throw standardError('UnknownInterface', `${path} has no interface ${interfaceName}`);
    }

    /** Reads one domain, whose failure is the caller's answer, or all, of which some may fail, or take long. */
    async #refresh(domain: Domain | null): Promise<void> {
        const {tree} = this.#parts;
        if (domain) {
            await tree.refresh(domain);
            return;
        }
        await tree.refreshAll(({name}, error) => {
            logError(`The state of ${name} cannot be read`, error);
        }, PATIENCE);
    }
}

function managedObjects(objects: ReadonlyMap<string, WireObject>): Record<string, WireObject> {
    return Object.fromEntries([...objects].filter(([path]) => path !== ROOT));
}

/** For an object that went away during the call. */
function gone(path: string): never {
    throw standardError('UnknownObject', `${path} is not there any more`);
}

function parseOptions(
    given: unknown,
    known: ReadonlyMap<string, string>,
): Readonly<Record<string, unknown>> {
    const isDictionary = typeof given === 'object' && given !== null;
    // The library makes a key "__proto__" the prototype of what it hands over.
    if (!isDictionary || Object.getPrototypeOf(given) !== Object.prototype)
        throw new SnowError('InvalidArgs', 'There is no option "__proto__"');
    const options: Record<string, unknown> = {};
    for (const [key, variant] of Object.entries(given)) {
        const signature = known.get(key);
        if (signature === undefined)
            throw new SnowError('InvalidArgs', `There is no option ${JSON.stringify(key)}`);
        if (!(variant instanceof Variant) || variant.signature !== signature)
            throw new SnowError('InvalidArgs', `The option ${key} is not of type ${signature}`);
        options[key] = variant.value;
    }
    return options;
}
