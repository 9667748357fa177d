// SPDX-License-Identifier: GPL-2.0-or-later
// One life of snow-broker on the bus of the session.

import {BusError} from '../host/bus-error.ts';
import {SnowError} from '../host/error.ts';
import type {Files} from '../host/host.ts';
import {WireConnection} from '../host/wire/connection.ts';
import type {Message} from '../host/wire/message.ts';
import {CallerList, callersPath} from './caller-list.ts';
import {Callers} from './callers.ts';
import {ContainerBus} from './container-bus.ts';
import {Forwarder, MAX_BODY} from './forwarder.ts';
import {BUS_NAME, errorNames, isForBroker} from './names.ts';
import {type BrokerOptions, defaultOptions, readOptions} from './options.ts';

export interface Journal {
    info(text: string): void;
    notice(text: string): void;
    error(doing: string, error: unknown): void;
}

export interface BrokerServiceOptions {
    readonly bus: WireConnection;
    readonly files: Files;
    readonly journal: Journal;
    readonly uid: number;
    /** See ContainerBusOptions. */
    readonly session: readonly string[];
    /** Of the file with the user's choices. */
    readonly optionsPath: string;
    /** $XDG_RUNTIME_DIR. */
    readonly runtimeDirectory: string;
    /** Milliseconds without a call after which the service ends. */
    readonly idleTimeout: number;
    readonly stop: AbortSignal;
}

/** Serves until idle or stopped. Returns the exit status: 0, or 1 when the bus was lost or refuses. */
export class BrokerService {
    readonly #options: BrokerServiceOptions;
    readonly #callers: Callers;
    readonly #list: CallerList;
    readonly #container: ContainerBus;
    readonly #forwarder: Forwarder;
    readonly #ended: Promise<number>;
    readonly #watching = new AbortController();
    #end: (status: number) => void = () => undefined;
    #choices: BrokerOptions = defaultOptions;
    #isWatched = false;
    #calls = 0;
    #idle: NodeJS.Timeout | null = null;
    /** The name was given back once, for which systemd stops a unit of Type=dbus. */
    #hasLeft = false;
    #isStopping = false;

    constructor(options: BrokerServiceOptions) {
        const {bus, files, journal, uid, session, runtimeDirectory} = options;
        this.#options = options;
        this.#ended = new Promise(resolve => (this.#end = resolve));
        this.#callers = new Callers(bus, uid);
        this.#list = new CallerList(files, callersPath(runtimeDirectory), error => {
            journal.error('The list of callers cannot be kept', error);
        });
        this.#container = new ContainerBus({
            uid,
            session,
            maxBody: MAX_BODY,
            startsContainer: () => this.#choices.startsContainer,
            onConnected: connection => {
                // Neither side may fill our memory with what the other one does not take.
                connection.throttle(bus);
                bus.throttle(connection);
                journal.info('Connected to the bus of the container');
            },
            onLost: reason => journal.notice(`The bus of the container is lost: ${reason}`),
        });
        this.#forwarder = new Forwarder({
            host: bus,
            admit: call => this.#admit(call),
            container: mayStart => this.#container.connection(mayStart),
            machineId: async () => (await files.readText('/etc/machine-id'))?.trim() ?? '',
            begin: () => this.#begin(),
            onError: (doing, error) => journal.error(doing, error),
        });
    }

    async run(): Promise<number> {
        const {bus, journal, stop} = this.#options;
        stop.addEventListener('abort', () => this.#stop());
        void bus.closed.then(reason => {
            if (reason === '') return;
            journal.error('The bus of the session is lost', reason);
            this.#end(1);
        });
        bus.handleCalls((call: Message) => this.#forwarder.handle(call));
        await this.#readChoices();
        void this.#watch();
        if (!(await bus.requestName(BUS_NAME))) {
            journal.error(`${BUS_NAME} cannot be owned`, 'another program has it');
            return 1;
        }
        this.#waitForCalls();
        if (stop.aborted) this.#stop();
        const status = await this.#ended;
        this.#watching.abort();
        await Promise.all([this.#list.write(), this.#container.close()]);
        return status;
    }

    async #admit(call: Message): Promise<void> {
        const identity = await this.#callers.identify(call.sender);
        // A directory that is made later cannot be watched now.
        if (!this.#isWatched) await this.#readChoices();
        const {isEnabled, admitsSandboxed} = this.#choices;
        if (!isEnabled)
            throw new BusError(
                errorNames.serviceUnknown,
                'Single sign-on from the Intune container is off: snowctl intune sso on turns it on',
            );
        const isRefused = identity.sandbox !== 'none' && !admitsSandboxed;
        // Many a program looks at objects before it calls them, or instead.
        if (isForBroker(call)) this.#list.note(identity, isRefused);
        if (isRefused)
            throw new BusError(
                errorNames.accessDenied,
                'Applications in a sandbox may not use the broker: snowctl intune sso on --sandboxed lets them',
            );
    }

    async #readChoices(): Promise<void> {
        const {files, optionsPath, journal} = this.#options;
        const {options, faults} = await readOptions(files, optionsPath);
        this.#choices = options;
        for (const fault of faults) journal.notice(fault);
    }

    async #watch(): Promise<void> {
        const {files, optionsPath, journal} = this.#options;
        try {
            const changes = files.watch(optionsPath, this.#watching.signal);
            for await (const change of changes) {
                void change;
                this.#isWatched = true;
                await this.#readChoices();
            }
        } catch (error) {
            if (!(error instanceof SnowError && error.code === 'NotFound'))
                journal.error('Changes of the options are not seen', error);
        }
        this.#isWatched = false;
    }

    #begin(): () => void {
        this.#calls += 1;
        if (this.#idle) clearTimeout(this.#idle);
        this.#idle = null;
        return () => {
            this.#calls -= 1;
            if (this.#calls === 0 && this.#isStopping) this.#end(0);
            this.#waitForCalls();
        };
    }

    #waitForCalls(): void {
        if (this.#calls > 0) return;
        this.#idle ??= setTimeout(() => {
            this.#idle = null;
            this.#leave().catch((error: unknown) => {
                this.#options.journal.error('The name cannot be given back', error);
                this.#end(1);
            });
        }, this.#options.idleTimeout);
    }

    /**
     * Ends without losing a call: what comes after the name was given back goes to the next service,
     * and what came before is here when the bus confirms that.
     */
    async #leave(): Promise<void> {
        const {bus} = this.#options;
        this.#hasLeft = true;
        await bus.callBus('ReleaseName', BUS_NAME);
        if (this.#calls === 0) this.#end(0);
        else if (!(await bus.requestName(BUS_NAME))) this.#isStopping = true;
        if (this.#calls === 0 && this.#isStopping) this.#end(0);
    }

    /** When it is just for the name, who called in between need not suffer for it. */
    #stop(): void {
        this.#isStopping = true;
        if (!this.#hasLeft || this.#calls === 0) this.#end(0);
    }
}
