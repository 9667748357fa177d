// SPDX-License-Identifier: GPL-2.0-or-later
// The client of org.frostyard.Snow1. The service exits when it is idle: its objects stay cached here,
// signals bring them up to date while it runs, and refresh() asks it to start and tell again.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';

import {DiskWatch} from './disk-watch.js';
import type {Refusal, Surroundings} from './feature-view.js';
import type {FeaturesProperties, ImageProperties, IntuneProperties} from './generated/dbus.js';
import {watchMachine} from './machine-watch.js';
import {
    BUS_NAME,
    callService,
    describeError,
    getSystemBus,
    isCancelled,
    noOptions,
} from './service-call.js';
import {
    FEATURES_PATH,
    type Domain,
    type Feature,
    IMAGE_PATH,
    INTUNE,
    type Interfaces,
    JOB,
    type Job,
    ROOT_PATH,
    SnowObjects,
    type Values,
    domainOf,
    intunePath,
    isOfUser,
    isRunning,
} from './snow-objects.js';
import {gettext as _} from './text.js';

const OBJECT_MANAGER = 'org.freedesktop.DBus.ObjectManager';
const PROPERTIES = 'org.freedesktop.DBus.Properties';

export interface EndedJob {
    readonly job: Job;
    readonly results: Values;
}

export interface RefusedCall {
    readonly operation: string;
    /** Name of the feature, or empty. */
    readonly target: string;
    readonly refusal: Refusal;
}

export class SnowClient extends GObject.Object {
    static {
        GObject.registerClass(
            {
                GTypeName: 'SnowControlClient',
                Signals: {
                    /** Something in the view is another; many changes make one signal. */
                    changed: {},
                    /** Another image may have been staged. */
                    'snosi-changed': {},
                    'job-ended': {param_types: [GObject.TYPE_JSOBJECT]},
                    'call-refused': {param_types: [GObject.TYPE_JSOBJECT]},
                },
            },
            this,
        );
    }

    #bus: Gio.DBusConnection | null = null;
    #cancellable = new Gio.Cancellable();
    #objects = new SnowObjects();
    #asked = new Map<string, boolean>();
    #asking = new Set<string>();
    #refusals = new Map<string, Refusal>();
    #isAvailable = false;
    #problem = '';

    #undo: (() => void)[] = [];
    #diskWatch: DiskWatch | null = null;
    #changedId = 0;
    #refreshing: Promise<void> | null = null;
    #refreshAgain = false;

    readonly uid = new Gio.Credentials().get_unix_user();

    /** Whether the service is installed. */
    get isAvailable(): boolean {
        return this.#isAvailable;
    }

    /** Why the service does not answer; empty: it does. */
    get problem(): string {
        return this.#problem;
    }

    get features(): readonly Feature[] {
        return this.#objects.features;
    }

    get summary(): FeaturesProperties | null {
        return this.#objects.summary;
    }

    /** Null: no driver manages the image of this system. */
    get image(): ImageProperties | null {
        return this.#objects.image;
    }

    /** The container of this user; null: it cannot be had here. */
    get intune(): IntuneProperties | null {
        return this.#objects.intune(this.uid);
    }

    get version(): string {
        return this.#objects.version;
    }

    /** What the features are shown with. */
    get surroundings(): Surroundings {
        return {jobs: this.jobsOf('features'), asked: this.#asked, refusals: this.#refusals};
    }

    /** Oldest first, those that ended too. */
    jobsOf(domain: Domain): readonly Job[] {
        return this.#objects.jobs.filter(
            job => domainOf(job.Operation) === domain && isOfUser(job, this.uid),
        );
    }

    /** The switch that a call asks for which waits for its answer. */
    askedOf(subject: string): boolean | undefined {
        return this.#asked.get(subject);
    }

    /** What the last call to an object was refused with. */
    refusalOf(path: string): Refusal | null {
        return this.#refusals.get(path) ?? null;
    }

    /** Whether a call to an object waits for its answer: for a password, most likely. */
    isAsking(path: string): boolean {
        return this.#asking.has(path);
    }

    /** Connects and asks for everything once. */
    async start(): Promise<void> {
        try {
            this.#bus = await getSystemBus(this.#cancellable);
        } catch (error) {
            if (!isCancelled(error)) throw error;
            return;
        }
        this.#subscribe(this.#bus);
        await this.refresh();
    }

    destroy(): void {
        this.#cancellable.cancel();
        for (const undo of this.#undo.splice(0).reverse()) undo();
        this.#diskWatch?.destroy();
        this.#diskWatch = null;
        if (this.#changedId) GLib.source_remove(this.#changedId);
        this.#changedId = 0;
        this.#bus = null;
    }

    /** Reads everything anew; starts the service where it does not run. */
    refresh(): Promise<void> {
        this.#refreshAgain = this.#refreshing !== null;
        this.#refreshing ??= this.#load().finally(() => {
            this.#refreshing = null;
            if (this.#refreshAgain && this.#bus) void this.refresh();
        });
        return this.#refreshing;
    }

    /** Reads the devices of the user's container anew: nothing on the bus says that one was plugged in. */
    async refreshDevices(): Promise<void> {
        const path = intunePath(this.uid);
        const property = new GLib.Variant('(ss)', [INTUNE, 'Devices']);
        try {
            await this.#call(path, PROPERTIES, 'Get', property, reply => {
                const [devices] = reply.recursiveUnpack() as [unknown];
                this.#objects.change(path, INTUNE, {Devices: devices});
            });
            this.#queueChanged();
        } catch (error) {
            if (!isCancelled(error)) void this.refresh();
        }
    }

    /** What was refused below this path has been seen. */
    forgetRefusals(root: string): void {
        for (const path of [...this.#refusals.keys()])
            if (path.startsWith(root)) this.#refusals.delete(path);
        this.#queueChanged();
    }

    /**
     * Calls a method that starts a job. Never rejects: what fails is told by `call-refused` and the view.
     *
     * @param told what to tell of a call that was refused, the switch that it asks for, and what it is
     *     about where that is less than the object
     */
    async startJob(
        path: string,
        interfaceName: string,
        method: string,
        parameters: GLib.Variant,
        told: {
            readonly operation: string;
            readonly target: string;
            readonly isOn?: boolean;
            readonly subject?: string;
        },
    ): Promise<void> {
        const {subject = path} = told;
        this.#refusals.delete(subject);
        this.#asking.add(subject);
        if (told.isOn !== undefined) this.#asked.set(subject, told.isOn);
        this.#queueChanged();
        try {
            await this.#call(path, interfaceName, method, parameters);
        } catch (error) {
            if (!isCancelled(error)) this.refuse(subject, told.operation, told.target, error);
        }
        this.#asking.delete(subject);
        this.#asked.delete(subject);
        this.#queueChanged();
    }

    async cancel(job: Job): Promise<void> {
        try {
            await this.#call(job.path, JOB, 'Cancel', noOptions());
        } catch (error) {
            if (isCancelled(error)) return;
            this.refuse(this.#pathOf(job), job.Operation, job.Target, error);
        }
    }

    /** Tells that something could not even be asked for. */
    refuse(path: string, operation: string, target: string, error: unknown): void {
        const refusal = describeError(error);
        this.#refusals.set(path, refusal);
        const refused: RefusedCall = {operation, target, refusal};
        this.emit('call-refused', refused);
        this.#queueChanged();
    }

    #subscribe(bus: Gio.DBusConnection): void {
        const subscribe = (
            interfaceName: string,
            member: string,
            onSignal: (path: string, parameters: unknown[]) => void,
        ) => {
            const id = bus.signal_subscribe(
                BUS_NAME,
                interfaceName,
                member,
                null,
                null,
                Gio.DBusSignalFlags.NONE,
                (_bus, _sender, path, _interface, _member, parameters) =>
                    onSignal(path, parameters.recursiveUnpack() as unknown[]),
            );
            this.#undo.push(() => bus.signal_unsubscribe(id));
        };

        subscribe(OBJECT_MANAGER, 'InterfacesAdded', (_path, [path, interfaces]) => {
            this.#objects.add(path as string, interfaces as Interfaces);
            this.#queueChanged();
        });
        subscribe(OBJECT_MANAGER, 'InterfacesRemoved', (_path, [path, interfaces]) => {
            this.#objects.remove(path as string, interfaces as string[]);
            this.#queueChanged();
        });
        subscribe(PROPERTIES, 'PropertiesChanged', (path, [interfaceName, changed, stale]) => {
            const isKnown = this.#objects.change(path, interfaceName as string, changed as Values);
            if (!isKnown || (stale as string[]).length > 0) void this.refresh();
            this.#queueChanged();
        });
        subscribe(JOB, 'Finished', (path, [state, error, results]) => {
            this.#objects.change(path, JOB, {State: state, Error: error});
            const job = this.#objects.job(path);
            if (job) this.#emitEnded(job, results as Values);
            this.#queueChanged();
        });

        const watch = bus.watch_name(
            BUS_NAME,
            Gio.BusNameWatcherFlags.NONE,
            () => {
                // A call that is on its way started the service, and will be answered by it.
                if (!this.#refreshing) void this.refresh();
            },
            () => this.#onVanished(),
        );
        this.#undo.push(() => bus.unwatch_name(watch));
        this.#undo.push(watchMachine(bus, this.uid, () => void this.refresh()));
    }

    #onVanished(): void {
        const message = _('The service stopped before it was done');
        for (const job of this.#objects.abandonJobs(message)) this.#emitEnded(job, {});
        this.#queueChanged();
    }

    #emitEnded(job: Job, results: Values): void {
        const ended: EndedJob = {job, results};
        this.emit('job-ended', ended);
    }

    async #load(): Promise<void> {
        try {
            await this.#call(ROOT_PATH, OBJECT_MANAGER, 'GetManagedObjects', null, reply => {
                const [objects] = reply.recursiveUnpack() as [Record<string, Interfaces>];
                this.#objects.replace(objects);
            });
            this.#isAvailable = true;
            this.#problem = '';
        } catch (error) {
            if (isCancelled(error)) return;
            const {name, message} = describeError(error);
            this.#isAvailable = name !== 'org.freedesktop.DBus.Error.ServiceUnknown';
            this.#problem = this.#isAvailable ? message : '';
        }
        if (this.#isAvailable) {
            this.#diskWatch ??= new DiskWatch(
                () => void this.refresh(),
                () => this.emit('snosi-changed'),
            );
        }
        this.#queueChanged();
    }

    #call(
        path: string,
        interfaceName: string,
        method: string,
        parameters: GLib.Variant | null,
        onReply?: (reply: GLib.Variant) => void,
    ): Promise<GLib.Variant> {
        if (!this.#bus) return Promise.reject(new Error('Not connected to the system bus'));
        const cancellable = this.#cancellable;
        return callService(
            this.#bus,
            path,
            interfaceName,
            method,
            parameters,
            cancellable,
            onReply,
        );
    }

    #pathOf(job: Job): string {
        const paths: Readonly<Record<string, string>> = {
            image: IMAGE_PATH,
            intune: intunePath(this.uid),
        };
        return paths[domainOf(job.Operation)] ?? FEATURES_PATH;
    }

    /** Signals come in bursts: the view is drawn once for all of them. */
    #queueChanged(): void {
        if (this.#changedId || this.#cancellable.is_cancelled()) return;
        this.#changedId = GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
            this.#changedId = 0;
            this.emit('changed');
            return GLib.SOURCE_REMOVE;
        });
    }
}

/** Whether a job is on its way that a person may stop. */
export function canCancel(client: SnowClient, job: Job): boolean {
    return isRunning(job) && job.StartedByUID === client.uid;
}
