// SPDX-License-Identifier: GPL-2.0-or-later
import {logError, logInfo, logNotice} from '../bus/journal.ts';
import {extensionsOfNextBoot} from '../features/next-boot.ts';
import {localHost} from '../host/local-host.ts';
import {drivers} from '../image/drivers.ts';
import {parseJobArguments} from '../image/job-request.ts';
import {runImageJob} from '../image/worker.ts';

/** One operation on the OS image; snowd has systemd start it as snow-image-job.service. */
async function main(): Promise<number> {
    const request = parseJobArguments(process.argv.slice(2));
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
    // The journal may restart meanwhile; that is no reason to end.
    process.stdout.on('error', () => undefined);

    const host = localHost();
    const {state} = await runImageJob({
        host,
        drivers,
        extensions: extensionsOfNextBoot(host),
        request,
        signal: stop.signal,
        journal: {info: logInfo, notice: logNotice, error: logError},
    });
    await host.http.close();
    // The unit of a job that failed is one that failed, too; who cancelled it knows.
    return state === 'failed' ? 1 : 0;
}

main().then(
    status => process.exit(status),
    (error: unknown) => {
        logError('snow-image-job cannot go on', error);
        process.exit(1);
    },
);
