// SPDX-License-Identifier: GPL-2.0-or-later
// Calls and signals of systemd's own D-Bus interface, org.freedesktop.systemd1(5).
import {
    type BusConnection,
    BusError,
    type Signal,
    type SignalMatch,
    Variant,
    isBusError,
} from './dbus.ts';
import {SnowError} from './error.ts';

const SYSTEMD = 'org.freedesktop.systemd1';
const PATH = '/org/freedesktop/systemd1';
const MANAGER = `${SYSTEMD}.Manager`;
const UNIT = `${SYSTEMD}.Unit`;
const SERVICE = `${SYSTEMD}.Service`;
const PROPERTIES = 'org.freedesktop.DBus.Properties';

/** Errors of a bus on which there is no systemd just now. */
const AWAY = ['NoReply', 'NameHasNoOwner', 'ServiceUnknown'];

const ENDED = new Set(['inactive', 'failed']);

export type UnitProperty = readonly [name: string, value: Variant];

/** Results of the jobs of one unit, from the moment on that it was asked for. */
export interface FollowedJobs extends AsyncDisposable {
    /** `done`, or why not: org.freedesktop.systemd1(5), JobRemoved. */
    result(job: string): Promise<string>;
}

/** systemd, as seen over one connection to the bus. Its methods throw SnowError. */
export class ServiceManager {
    readonly #bus: BusConnection;
    /** Who wants to be told of changes: systemd tells nobody unless somebody does. */
    #watchers = 0;

    constructor(bus: BusConnection) {
        this.#bus = bus;
    }

    /** Returns the path of the job that starts it. Throws SnowError Busy when the unit exists. */
    async startTransientUnit(unit: string, properties: readonly UnitProperty[]): Promise<string> {
        const body = [unit, 'fail', properties, []];
        const [job] = await this.#call('StartTransientUnit', 'ssa(sv)a(sa(sv))', body);
        return String(job);
    }

    /** Returns the path of the job. Throws SnowError NotFound. */
    async startUnit(unit: string): Promise<string> {
        const [job] = await this.#call('StartUnit', 'ss', [unit, 'replace']);
        return String(job);
    }

    /** Has the files of all units read anew. */
    async reload(): Promise<void> {
        await this.#call('Reload');
    }

    /** A unit that is not there never failed. */
    async resetFailed(unit: string): Promise<void> {
        try {
            await this.#call('ResetFailedUnit', 's', [unit]);
        } catch (error) {
            if (!(error instanceof SnowError && error.code === 'NotFound')) throw error;
        }
    }

    /** Waits for nothing. A unit that is not there is as good as stopped. */
    async stopUnit(unit: string): Promise<void> {
        try {
            await this.#call('StopUnit', 'ss', [unit, 'replace']);
        } catch (error) {
            if (!(error instanceof SnowError && error.code === 'NotFound')) throw error;
        }
    }

    /** Lets go of a unit that was started with AddRef. */
    async unrefUnit(unit: string): Promise<void> {
        await this.#call('UnrefUnit', 's', [unit]);
    }

    async activeState(unit: string): Promise<string> {
        return String(await this.#property(unit, UNIT, 'ActiveState'));
    }

    /** Seconds since 1970 from when on it is active; 0: it never was. */
    async activeSince(unit: string): Promise<number> {
        const time = await this.#property(unit, UNIT, 'ActiveEnterTimestamp');
        return Math.floor(Number(time) / 1e6);
    }

    /** Result= of a service, such as timeout. */
    async serviceResult(unit: string): Promise<string> {
        return String(await this.#property(unit, SERVICE, 'Result'));
    }

    /** Names what it did since it was last started, in the journal, too; empty: it was not. */
    async invocation(unit: string): Promise<string> {
        const id = await this.#property(unit, UNIT, 'InvocationID');
        return Buffer.isBuffer(id) || Array.isArray(id)
            ? Buffer.from(id as readonly number[]).toString('hex')
            : '';
    }

    /** How the main program of a service ended: the code of waitid(2), and its status or signal. */
    async exitOf(unit: string): Promise<{readonly code: number; readonly status: number}> {
        const [code, status] = await Promise.all([
            this.#property(unit, SERVICE, 'ExecMainCode'),
            this.#property(unit, SERVICE, 'ExecMainStatus'),
        ]);
        return {code: Number(code), status: Number(status)};
    }

    /** To be had before the job is started, since it may end before its path is known. */
    async followJobs(unit: string): Promise<FollowedJobs> {
        const results = new Map<string, string>();
        const news = new News(this.#bus);
        const undo = await this.#subscribe(
            {path: PATH, interface: MANAGER, member: 'JobRemoved'},
            ({body: [, job, name, result]}) => {
                if (name !== unit) return;
                results.set(String(job), String(result));
                news.tell();
            },
        );
        return {
            async result(job) {
                for (;;) {
                    const result = results.get(job);
                    if (result !== undefined) return result;
                    await news.next();
                }
            },
            [Symbol.asyncDispose]: undo,
        };
    }

    /** Waits until it is inactive, failed or gone, and not about to be started. */
    async waitForUnit(unit: string, signal?: AbortSignal): Promise<void> {
        const news = new News(this.#bus, signal);
        const tell = (): void => news.tell();
        if (this.#watchers++ === 0) await this.#call('Subscribe');
        const undo = await Promise.all([
            this.#subscribe(
                {path: PATH, interface: MANAGER, member: 'UnitRemoved', arg0: unit},
                tell,
            ),
            this.#subscribe(
                {
                    path: unitPath(unit),
                    interface: PROPERTIES,
                    member: 'PropertiesChanged',
                    arg0: UNIT,
                },
                tell,
            ),
        ]);
        try {
            // Only what it says itself counts: a reload of systemd removes all units, for a moment.
            while (!(await this.#isOver(unit))) await news.next();
        } finally {
            await Promise.all(undo.map(each => each()));
            if (--this.#watchers === 0) await this.#call('Unsubscribe');
        }
    }

    async #isOver(unit: string): Promise<boolean> {
        // Asked for first: a job ends by changing the state.
        const job = await this.#property(unit, UNIT, 'Job');
        const hasJob = Array.isArray(job) && job[0] !== 0;
        return !hasJob && ENDED.has(await this.activeState(unit));
    }

    #subscribe(match: SignalMatch, listener: (signal: Signal) => void) {
        return this.#bus.subscribe({sender: SYSTEMD, ...match}, listener);
    }

    async #call(
        member: string,
        signature = '',
        body: readonly unknown[] = [],
    ): Promise<readonly unknown[]> {
        const call = {destination: SYSTEMD, path: PATH, interface: MANAGER, member};
        try {
            return await this.#bus.call({...call, signature, body});
        } catch (error) {
            throw serviceManagerError(error);
        }
    }

    async #property(unit: string, interfaceName: string, name: string): Promise<unknown> {
        const path = unitPath(unit);
        const call = {destination: SYSTEMD, path, interface: PROPERTIES, member: 'Get'};
        for (;;) {
            try {
                const body = [interfaceName, name];
                const [value] = await this.#bus.call({...call, signature: 'ss', body});
                return value instanceof Variant ? value.value : value;
            } catch (error) {
                if (!isBusError(error, ...AWAY)) throw serviceManagerError(error);
                await this.#return();
            }
        }
    }

    /** Waits for a systemd that executes itself anew, as after its update. */
    async #return(): Promise<void> {
        const news = new News(this.#bus);
        let isBack = false;
        const undo = await this.#bus.watchOwner(SYSTEMD, owner => {
            isBack = owner !== '';
            news.tell();
        });
        try {
            do await news.next();
            while (!isBack);
        } finally {
            await undo();
        }
    }
}

/** Wakes whoever waits, also when the last news came before he did. */
class News {
    readonly #over: Promise<never>;
    #isNew = false;
    #wake: () => void = () => undefined;

    constructor(bus: BusConnection, signal?: AbortSignal) {
        this.#over = new Promise((_resolve, reject) => {
            const abort = (): void => reject(new SnowError('Cancelled', 'It was not waited for'));
            if (signal?.aborted) abort();
            signal?.addEventListener('abort', abort, {once: true});
            void bus.closed.then(reason => {
                reject(new SnowError('Failed', `The connection to systemd is lost: ${reason}`));
            });
        });
        this.#over.catch(() => {
            // Whoever waits is told.
        });
    }

    tell(): void {
        this.#isNew = true;
        this.#wake();
    }

    /** Throws SnowError Cancelled, Failed. */
    async next(): Promise<void> {
        const told = new Promise<void>(resolve => {
            this.#wake = resolve;
            if (this.#isNew) resolve();
        });
        await Promise.race([told, this.#over]);
        this.#isNew = false;
    }
}

/** As sd_bus_path_encode(3) does it. */
function unitPath(unit: string): string {
    const label = unit.replace(
        /^[0-9]|[^A-Za-z0-9]/g,
        character => `_${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
    return `${PATH}/unit/${label}`;
}

export function serviceManagerError(error: unknown): SnowError {
    if (error instanceof SnowError) return error;
    const name = error instanceof BusError ? error.errorName : '';
    const message = error instanceof Error ? error.message : String(error);
    if (name === `${SYSTEMD}.UnitExists`) return new SnowError('Busy', message, {cause: error});
    if (name === `${SYSTEMD}.NoSuchUnit`) return new SnowError('NotFound', message, {cause: error});
    if (/AccessDenied|InteractiveAuthorizationRequired/.test(name))
        return new SnowError('NotAuthorized', `systemd refuses: ${message}`, {cause: error});
    return new SnowError('Failed', `systemd cannot do it: ${message}`, {cause: error});
}
