// SPDX-License-Identifier: GPL-2.0-or-later
// What the sources offer, beside what is on the disk.
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {readTransferState} from './instances.ts';
import {cacheManifest} from './manifest-cache.ts';
import type {Transfer} from './model.ts';
import type {TransferOffer} from './plan.ts';
import {type Repositories, availableInstances} from './repository.ts';
import type {Merged} from './sysext.ts';

/** What is on disk and what is offered; what the sources said is kept for those who only look. */
export async function readOffers(
    host: Host,
    transfers: readonly Transfer[],
    merged: Merged,
    repositories: Repositories,
    signal: AbortSignal,
): Promise<readonly TransferOffer[]> {
    return Promise.all(
        transfers.map(async transfer => {
            const [state, available] = await Promise.all([
                readTransferState(host, transfer, merged),
                readAvailable(host, transfer, repositories, signal),
            ]);
            return {state, available};
        }),
    );
}

async function readAvailable(
    host: Host,
    transfer: Transfer,
    repositories: Repositories,
    signal: AbortSignal,
): Promise<TransferOffer['available']> {
    if (transfer.source.type === 'regular-file') return repositories.available(transfer, signal);
    try {
        const text = await repositories.manifestText(transfer, signal);
        const available = await availableInstances(host, transfer, text);
        await keep(host, transfer, text);
        return available;
    } catch (error) {
        if (error instanceof SnowError && !signal.aborted) await keep(host, transfer, error);
        throw error;
    }
}

/** The cache is a convenience: a user may plan without the right to write it, and a full disk may be made room on. */
async function keep(host: Host, transfer: Transfer, outcome: string | SnowError): Promise<void> {
    try {
        await cacheManifest(host, transfer, outcome);
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
    }
}
