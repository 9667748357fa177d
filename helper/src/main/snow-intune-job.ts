// SPDX-License-Identifier: GPL-2.0-or-later
import {logError, logInfo, logNotice} from '../bus/journal.ts';
import {localHost} from '../host/local-host.ts';
import {parseJobArguments} from '../intune/job-request.ts';
import {workerPorts} from '../intune/parts.ts';
import {runIntuneJob} from '../intune/worker.ts';

/** One operation on an Intune container; snowd has systemd start it as snow-intune-job-uUID.service. */
async function main(): Promise<number> {
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
    // The journal may restart meanwhile; that is no reason to end.
    process.stdout.on('error', () => undefined);
    const host = localHost();
    try {
        const {state} = await runIntuneJob({
            host,
            ports: workerPorts,
            request: parseJobArguments(process.argv.slice(2)),
            signal: stop.signal,
            journal: {info: logInfo, notice: logNotice, error: logError},
        });
        // The unit of a job that failed is one that failed, too; who cancelled it knows.
        return state === 'failed' ? 1 : 0;
    } finally {
        await host.http.close();
    }
}

main().then(
    status => process.exit(status),
    (error: unknown) => {
        logError('snow-intune-job cannot go on', error);
        process.exit(1);
    },
);
