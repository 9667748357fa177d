// SPDX-License-Identifier: GPL-2.0-or-later
import {ManagerInterface, type ManagerProperties} from '../generated/dbus.ts';
import {type BusConnection, connectToSystemBus} from '../host/dbus.ts';
import type {Domain} from '../host/domain.ts';
import {Activity} from './activity.ts';
import {Authority} from './authority.ts';
import {Callers} from './callers.ts';
import {Dispatcher} from './dispatcher.ts';
import {Jobs} from './jobs.ts';
import {logError, logInfo} from './journal.ts';
import {ObjectTree} from './object-tree.ts';
import {BUS_NAME, ROOT} from './paths.ts';

export interface ServiceOptions {
    readonly version: string;
    readonly domains: readonly Domain[];
    /** Who manages the OS image; quick. */
    readonly imageDriver: () => Promise<string>;
    /** Milliseconds without a job or a call after which the service ends. */
    readonly idleTimeout: number;
    /** Machine id of machine-id(5), for org.freedesktop.DBus.Peer. */
    readonly machineId: () => Promise<string>;
    /** Aborted when the service is to stop: jobs are cancelled, callers answered. */
    readonly stop: AbortSignal;
}

/** Serves until idle or stopped. Returns the exit status: 0, or 1 when the bus was lost or refuses. */
export async function serve(options: ServiceOptions): Promise<number> {
    const bus = await connectToSystemBus();
    try {
        return await new Service(bus, options).run();
    } finally {
        await bus.close();
    }
}

/** One life of the service on a connection. */
export class Service {
    readonly #bus: BusConnection;
    readonly #options: ServiceOptions;
    readonly #activity: Activity;
    readonly #tree: ObjectTree;
    readonly #jobs: Jobs;
    readonly #dispatcher: Dispatcher;
    #imageDriver: Promise<string> | null = null;
    #end: (status: number) => void = () => undefined;
    readonly #ended: Promise<number>;
    /** The name was given back once, for which systemd stops a unit of Type=dbus. */
    #isLeaving = false;

    constructor(bus: BusConnection, options: ServiceOptions) {
        this.#bus = bus;
        this.#options = options;
        this.#ended = new Promise(resolve => (this.#end = resolve));
        this.#activity = new Activity(options.idleTimeout, () => {
            this.#leave().catch((error: unknown) => {
                logError('The name cannot be given back', error);
                this.#end(1);
            });
        });
        const tree = new ObjectTree(bus, options.domains);
        this.#tree = tree;
        const properties: ManagerProperties = {Version: options.version, ImageDriver: ''};
        tree.add(ROOT, {[ManagerInterface.name]: {...properties}});
        this.#jobs = new Jobs(bus, tree, this.#activity);
        this.#dispatcher = new Dispatcher({
            bus,
            tree,
            jobs: this.#jobs,
            authority: new Authority(bus, options.stop),
            callers: new Callers(bus),
            activity: this.#activity,
            machineId: options.machineId,
            readRoot: () => this.#tellImageDriver(),
        });
    }

    async run(): Promise<number> {
        const {stop} = this.#options;
        this.#bus.handleCalls(call => this.#dispatcher.dispatch(call));
        void this.#bus.closed.then(reason => {
            if (reason === '') return;
            logError('The system bus is lost', reason);
            this.#end(1);
        });
        stop.addEventListener('abort', () => void this.#stop());
        await this.#adoptJobs();
        if (!(await this.#bus.requestName(BUS_NAME))) {
            logError(`${BUS_NAME} cannot be owned`, 'another service has it');
            return 1;
        }
        this.#activity.start();
        if (stop.aborted) void this.#stop();
        return this.#ended;
    }

    /** It takes as long as the rest of a start, and hardly anybody asks. */
    async #tellImageDriver(): Promise<void> {
        this.#imageDriver ??= this.#options.imageDriver();
        try {
            const changed: Partial<ManagerProperties> = {ImageDriver: await this.#imageDriver};
            this.#tree.change(ROOT, ManagerInterface.name, changed);
        } catch (error) {
            this.#imageDriver = null;
            logError('It cannot be said who manages the image', error);
        }
    }

    /** What an earlier process started is on the bus before anybody can ask. */
    async #adoptJobs(): Promise<void> {
        const {domains} = this.#options;
        await Promise.all(
            domains.map(async domain => {
                try {
                    for (const job of (await domain.running?.()) ?? [])
                        this.#jobs.adopt(domain, job);
                } catch (error) {
                    logError(`What still runs of ${domain.name} cannot be found`, error);
                }
            }),
        );
    }

    /**
     * Ends an idle service without losing a call: what comes after the name was given back goes to
     * the next service, and what came before is here when the bus confirms that.
     */
    async #leave(): Promise<void> {
        this.#isLeaving = true;
        await this.#bus.releaseName(BUS_NAME);
        if (this.#activity.isIdle) {
            this.#end(0);
        } else if (await this.#bus.requestName(BUS_NAME)) {
            // Somebody called just now: their job is still to be seen under the name.
            this.#activity.start();
        } else {
            await this.#activity.idle();
            this.#end(0);
        }
    }

    async #stop(): Promise<void> {
        // When it is just for the name, the caller who came in between need not suffer for it.
        await (this.#isLeaving ? this.#jobs.finish() : this.#jobs.stop());
        await this.#activity.idle();
        logInfo('Stopped');
        this.#end(0);
    }
}
