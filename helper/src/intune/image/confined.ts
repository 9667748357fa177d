// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a program in a transient unit with the rights that sandbox.ts has for it.

import {setTimeout as sleep} from 'node:timers/promises';

import {SnowError} from '../../host/error.ts';
import type {Host, ProgramResult} from '../../host/host.ts';

/** Milliseconds. An image of several GB on a slow line takes its time; who stands still is found otherwise. */
const TIMEOUT = 12 * 60 * 60_000;
/** Milliseconds between two looks at what a program has done. */
const INTERVAL = 500;

/** Credentials for registries as root's podman and skopeo would find them; the first counts. */
const AUTH_FILES = [
    '/run/containers/0/auth.json',
    '/root/.config/containers/auth.json',
    '/root/.docker/config.json',
];

export interface ConfinedRun {
    readonly unit: string;
    readonly command: readonly [string, ...string[]];
    readonly properties: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
    /** Whether the program is handed root's credentials for registries. */
    readonly withCredentials?: boolean;
    /** Its standard input. */
    readonly input?: string | Uint8Array;
    /** Milliseconds. */
    readonly timeout?: number;
    /** Now and then while it runs; what it throws stops the program, and is thrown. */
    readonly look?: () => Promise<void>;
}

/** Throws SnowError Cancelled, NotSupported, and what look() throws. In any case nothing runs afterwards. */
export async function runConfined(
    host: Host,
    run: ConfinedRun,
    signal: AbortSignal,
): Promise<ProgramResult> {
    if (!host.systemd)
        throw new SnowError('NotSupported', 'Images are fetched by a running system only');
    const {unit, command, input, timeout = TIMEOUT} = run;
    const over = new AbortController();
    const ended = new AbortController();
    let failure: unknown = null;
    const watching = watch(run.look, ended.signal).catch((error: unknown) => {
        failure = error;
        over.abort();
    });
    let isOver = false;
    try {
        const result = await host.programs.run(
            ['systemd-run', ...(await unitOptions(host, run)), '--', ...command],
            {
                signal: AbortSignal.any([signal, over.signal]),
                timeout,
                ...(input === undefined ? {} : {input}),
            },
        );
        if (result.exitCode === null)
            throw new SnowError('Network', `${command[0]} did not end in time`);
        isOver = true;
        return result;
    } catch (error) {
        if (failure !== null) throw failure;
        if (signal.aborted) throw new SnowError('Cancelled', `${command[0]} was stopped`);
        throw error;
    } finally {
        ended.abort();
        await watching;
        // systemd-run itself only waits: its end stops nothing.
        if (!isOver) await stopConfined(host, unit);
    }
}

/** Stops what an earlier run may have left, and waits for its end. */
export async function stopConfined({systemd}: Host, ...units: readonly string[]): Promise<void> {
    for (const unit of units) {
        await systemd?.stopUnit(unit);
        await systemd?.waitForUnit(unit);
    }
}

async function watch(look: (() => Promise<void>) | undefined, ended: AbortSignal): Promise<void> {
    if (!look) return;
    for (;;) {
        try {
            await sleep(INTERVAL, undefined, {signal: ended});
        } catch {
            // The program is over.
            return;
        }
        await look();
    }
}

async function unitOptions(
    host: Host,
    {unit, properties, environment = {}, withCredentials = false}: ConfinedRun,
): Promise<readonly string[]> {
    const credentials = withCredentials ? await findAuthFile(host) : null;
    const variables = {
        LC_ALL: 'C.UTF-8',
        // Where a user has credentials, who has none; what is there instead belongs to root.
        XDG_RUNTIME_DIR: '/nonexistent',
        ...(credentials ? {REGISTRY_AUTH_FILE: `/run/credentials/${unit}.service/registries`} : {}),
        ...environment,
    };
    const owner = await ownUnit(host);
    return [
        `--unit=${unit}`,
        '--wait',
        '--pipe',
        '--collect',
        '--quiet',
        '--service-type=exec',
        ...[
            ...properties,
            ...(credentials ? [`LoadCredential=registries:${credentials}`] : []),
            // Without whom it works for, it is for nothing.
            ...(owner === null ? [] : [`BindsTo=${owner}`]),
        ].map(property => `--property=${property}`),
        ...Object.entries(variables).map(([name, value]) => `--setenv=${name}=${value}`),
    ];
}

async function findAuthFile({files}: Host): Promise<string | null> {
    for (const path of AUTH_FILES) if (await files.status(path)) return path;
    return null;
}

/** The service that this process belongs to. */
async function ownUnit({files}: Host): Promise<string | null> {
    const groups = (await files.readText('/proc/self/cgroup')) ?? '';
    return (
        /^0::\/system\.slice\/(?:[^\n]*\/)?([A-Za-z0-9:_.@-]+\.service)$/m.exec(groups)?.[1] ?? null
    );
}
