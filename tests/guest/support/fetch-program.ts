// SPDX-License-Identifier: GPL-2.0-or-later
// Fetches the root directory of a container, without the service: how it ended, as JSON.
//
// fetch-program fetch|newest REFERENCE DESTINATION STALL-LIMIT
// SIGTERM cancels it.

import {SnowError} from '../../../helper/src/host/error.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {fetchRootfs, newestDigest} from '../../../helper/src/intune/image/fetch.ts';

export interface Fetched {
    readonly digest: string;
    readonly error: readonly [code: string, text: string] | null;
    readonly steps: readonly string[];
    readonly bytes: readonly (readonly [done: number, total: number])[];
}

const [verb, reference = '', destination = '', stallLimit = ''] = process.argv.slice(2);
const host = localHost();
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const steps: string[] = [];
const bytes: [number, number][] = [];
async function run(): Promise<void> {
    let digest = '';
    let error: Fetched['error'] = null;
    try {
        if (verb === 'newest') {
            digest = await newestDigest(host, reference, stop.signal);
        } else {
            const request = {reference, destination, stallLimit: Number(stallLimit)};
            const progress = {
                step(text: string) {
                    steps.push(text);
                    process.stderr.write(`${text}\n`);
                },
                bytes: (done: number, total: number) => void bytes.push([done, total]),
            };
            ({digest} = await fetchRootfs(host, request, progress, stop.signal));
        }
    } catch (failure) {
        if (!(failure instanceof SnowError)) throw failure;
        error = [failure.code, failure.message];
    }
    const fetched: Fetched = {digest, error, steps, bytes};
    process.stdout.write(`${JSON.stringify(fetched)}\n`, () => process.exit(0));
}

void run();
