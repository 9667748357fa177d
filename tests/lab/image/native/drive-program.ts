// SPDX-License-Identifier: GPL-2.0-or-later
// Runs one operation of the native driver, without the service: its status, what it reported and how
// it ended, as JSON. SIGTERM cancels it.

import {SnowError} from '../../../../helper/src/host/error.ts';
import {localHost} from '../../../../helper/src/host/local-host.ts';
import type {Work} from '../../../../helper/src/image/driver.ts';
import type {CheckResult, ImageStatus} from '../../../../helper/src/image/model.ts';
import {nativeDriver} from '../../../../helper/src/image/native/driver.ts';

export interface Driven {
    readonly before: ImageStatus | null;
    readonly after: ImageStatus | null;
    readonly check: CheckResult | null;
    readonly release: Readonly<Record<string, string>> | null;
    readonly error: readonly [code: string, text: string] | null;
    readonly steps: readonly string[];
    readonly bytes: readonly (readonly [done: number, total: number])[];
    readonly warnings: readonly string[];
}

const verb = process.argv[2] ?? '';
const host = localHost();
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const steps: string[] = [];
const bytes: [number, number][] = [];
const warnings: string[] = [];
let before: ImageStatus | null = null;
let after: ImageStatus | null = null;
let check: CheckResult | null = null;
let release: Driven['release'] = null;
let error: Driven['error'] = null;

try {
    before = await nativeDriver.status(host);
    const work: Work = {
        host,
        before,
        maySoftReboot: false,
        signal: stop.signal,
        progress: {
            step(text) {
                steps.push(text);
                process.stderr.write(`${text}\n`);
            },
            bytes: (done, total) => void bytes.push([done, total]),
        },
        warn: text => void warnings.push(text),
    };
    const verbs: Readonly<Record<string, () => Promise<unknown>>> = {
        status: () => Promise.resolve(),
        check: async () => (check = await nativeDriver.check(work)),
        update: () => nativeDriver.update(work),
        download: () => nativeDriver.download(work),
        rollback: () => nativeDriver.rollback(work),
        unstage: () => nativeDriver.unstage(work),
        switch: () => nativeDriver.switchTo(work, 'cayo-ab'),
        'clean-up': () => nativeDriver.cleanUp(host),
    };
    await verbs[verb]?.();
} catch (failure) {
    if (!(failure instanceof SnowError)) throw failure;
    error = [failure.code, failure.message];
}
try {
    // As the worker does after what did not end well.
    if (error) await nativeDriver.cleanUp(host);
    after = await nativeDriver.status(host);
    release = (await nativeDriver.stagedSystem(host, after))?.release ?? null;
} catch (failure) {
    if (!(failure instanceof SnowError)) throw failure;
    error ??= [failure.code, failure.message];
}
const driven: Driven = {before, after, check, release, error, steps, bytes, warnings};
process.stdout.write(`${JSON.stringify(driven)}\n`, () => process.exit(0));
