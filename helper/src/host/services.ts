// SPDX-License-Identifier: GPL-2.0-or-later
// Services that have a unit file, as systemd starts and stops them for anybody.

import {connectToSystemBus} from './dbus.ts';
import {SnowError} from './error.ts';
import type {Host} from './host.ts';
import {ServiceManager, serviceManagerError} from './service-manager.ts';

/** Names of units with their suffix. */
export interface Services {
    /** ActiveState of systemctl(1). */
    activeState(unit: string): Promise<string>;
    /**
     * Starts one, or waits for a start that goes on, and returns when it is ready: `done`, or why it is
     * not, see JobRemoved of org.freedesktop.systemd1(5). Aborted, it stops it and waits for its end.
     * Throws SnowError NotFound, Cancelled.
     */
    start(unit: string, signal: AbortSignal): Promise<string>;
    /** Returns when it has ended. Aborted, it goes on stopping. Throws SnowError Cancelled. */
    stop(unit: string, signal: AbortSignal): Promise<void>;
    /** Takes away its having failed. */
    resetFailed(unit: string): Promise<void>;
    /** Has systemd read the files of all units anew. */
    reload(): Promise<void>;
    /** Seconds since 1970; 0: never. */
    activeSince(unit: string): Promise<number>;
    /** Result= of systemctl(1). */
    result(unit: string): Promise<string>;
    /** What the unit's own programs printed last since it was started, an element each line. */
    lastLines(unit: string, count: number): Promise<readonly string[]>;
}

let connecting: Promise<ServiceManager> | null = null;

/** Over a connection to the bus that is made when it is first needed, and kept. */
function manager(): Promise<ServiceManager> {
    const forget = (): void => void (connecting = null);
    connecting ??= connectToSystemBus().then(
        bus => {
            void bus.closed.then(forget);
            return new ServiceManager(bus);
        },
        (error: unknown) => {
            forget();
            throw serviceManagerError(error);
        },
    );
    return connecting;
}

/** Of the running system. */
export function servicesOf(host: Host): Services {
    if (!host.systemd) throw new SnowError('NotSupported', 'An offline tree runs nothing');
    return {
        activeState: async unit => (await manager()).activeState(unit),
        async start(unit, signal) {
            const systemd = await manager();
            const cancelled = new SnowError('Cancelled', 'Cancelled, and stopped again');
            if (signal.aborted) throw cancelled;
            await using jobs = await systemd.followJobs(unit);
            const job = await systemd.startUnit(unit);
            const stop = (): void => {
                systemd.stopUnit(unit).catch(() => {
                    // Its own time limit ends it.
                });
            };
            signal.addEventListener('abort', stop, {once: true});
            if (signal.aborted) stop();
            try {
                const result = await jobs.result(job);
                if (!signal.aborted) return result;
                await systemd.waitForUnit(unit);
                throw cancelled;
            } finally {
                signal.removeEventListener('abort', stop);
            }
        },
        async stop(unit, signal) {
            const systemd = await manager();
            await systemd.stopUnit(unit);
            await systemd.waitForUnit(unit, signal);
        },
        resetFailed: async unit => (await manager()).resetFailed(unit),
        reload: async () => (await manager()).reload(),
        activeSince: async unit => (await manager()).activeSince(unit),
        result: async unit => (await manager()).serviceResult(unit),
        async lastLines(unit, count) {
            const invocation = await (await manager()).invocation(unit);
            if (!/^[0-9a-f]{32}$/.test(invocation)) return [];
            // What was printed right before may still be on its way.
            await host.programs.run(['journalctl', '--sync']);
            const {stdout} = await host.programs.run([
                'journalctl',
                '--quiet',
                '--output=cat',
                `--lines=${count}`,
                `_SYSTEMD_UNIT=${unit}`,
                `_SYSTEMD_INVOCATION_ID=${invocation}`,
            ]);
            return stdout.split('\n').filter(line => line !== '');
        },
    };
}
