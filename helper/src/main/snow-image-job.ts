// SPDX-License-Identifier: GPL-2.0-or-later
import {logError, logInfo, logNotice} from '../bus/journal.ts';
import {extensionsOfNextBoot} from '../features/next-boot.ts';
import type {Progress} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {localHost} from '../host/local-host.ts';
import {detectDriver} from '../image/detect.ts';
import {drivers} from '../image/drivers.ts';
import {parseJobArguments} from '../image/job-request.ts';
import {followStaged} from '../image/next-extensions.ts';
import {runImageJob} from '../image/worker.ts';

/**
 * One operation on the OS image; snowd has systemd start it as snow-image-job.service. With
 * `--follow-staged`, started by snow-image-staged.service: what another program staged is followed by
 * the extensions.
 */
async function main(): Promise<number> {
    const args = process.argv.slice(2);
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
    // The journal may restart meanwhile; that is no reason to end.
    process.stdout.on('error', () => undefined);
    const host = localHost();
    try {
        return await (args[0] === '--follow-staged'
            ? follow(host, stop.signal)
            : work(host, args, stop.signal));
    } finally {
        await host.http.close();
    }
}

async function work(host: Host, args: readonly string[], signal: AbortSignal): Promise<number> {
    const {state} = await runImageJob({
        host,
        drivers,
        extensions: extensionsOfNextBoot(host),
        request: parseJobArguments(args),
        signal,
        journal,
    });
    // The unit of a job that failed is one that failed, too; who cancelled it knows.
    return state === 'failed' ? 1 : 0;
}

async function follow(host: Host, signal: AbortSignal): Promise<number> {
    const driver = await detectDriver(host, drivers);
    if (!driver) return 0;
    const progress: Progress = {step: text => logInfo(text), bytes: () => undefined};
    const extensions = extensionsOfNextBoot(host);
    try {
        await followStaged({host, driver, extensions, progress, signal}, journal);
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        logNotice(`The extensions for the staged image were not fetched: ${error.message}`);
        return 1;
    }
    return 0;
}

const journal = {info: logInfo, notice: logNotice, error: logError};

main().then(
    status => process.exit(status),
    (error: unknown) => {
        logError('snow-image-job cannot go on', error);
        process.exit(1);
    },
);
