// SPDX-License-Identifier: GPL-2.0-or-later
// In the place of snow-intune-job: the same worker, whose root directories are of a few files and come
// without a registry, slowly enough to be killed; it waits while there is /run/lab-intune-hold.
import {appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';

import {SnowError} from '../../../helper/src/host/error.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {makeHome} from '../../../helper/src/intune/home.ts';
import {parseJobArguments} from '../../../helper/src/intune/job-request.ts';
import {runIntuneJob} from '../../../helper/src/intune/worker.ts';

const FILES = 20;

async function main(): Promise<number> {
    const stop = new AbortController();
    process.on('SIGTERM', () => stop.abort());
    const log = (text: string): void => console.log(text);
    const {state} = await runIntuneJob({
        host: localHost(),
        request: parseJobArguments(process.argv.slice(2)),
        signal: stop.signal,
        journal: {info: log, notice: log, error: (doing, error) => console.error(doing, error)},
        ports: {
            makeHome,
            async fetchRootfs(_host, {destination}, progress, signal) {
                const version = readFileSync('/etc/lab-intune-version', 'utf8').trim();
                mkdirSync(destination, {mode: 0o755});
                for (let file = 1; file <= FILES; file++) {
                    if (signal.aborted) throw new SnowError('Cancelled', 'Cancelled');
                    writeFileSync(`${destination}/${file}`, version);
                    progress.bytes(file, FILES);
                    await sleep(10);
                }
                while (existsSync('/run/lab-intune-hold')) await sleep(10);
                return {digest: `sha256:${version.padStart(64, '0')}`};
            },
            async provision(_host, rootfs, _record, {password, keep}) {
                appendFileSync('/run/lab-intune-password', `${String(password)}\n`);
                await sleep(50);
                writeFileSync(`${rootfs}/enrolment`, String(keep ?? 'none'));
                writeFileSync(`${rootfs}/whole`, readFileSync(`${rootfs}/${FILES}`));
            },
            readEnrolment: async (_host, rootfs) => readFileSync(`${rootfs}/enrolment`, 'utf8'),
            startMachine: () => Promise.resolve(),
            stopMachine: () => Promise.resolve(),
        },
    });
    return state === 'failed' ? 1 : 0;
}

void main().then(status => process.exit(status));
