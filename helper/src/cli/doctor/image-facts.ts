// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {detectDriver} from '../../image/detect.ts';
import {drivers} from '../../image/drivers.ts';
import {readHistory} from '../../image/history.ts';
import {type UpdateStaged, readUpdateStaged} from '../../image/snosi-files.ts';
import type {ImageState} from '../image/state.ts';

/** What the checks of the image look at. */
export interface ImageFacts {
    /** By the files of the system. */
    readonly driver: string;
    /** What the service says; it alone may ask bootc. Null: it does not answer. */
    readonly state: ImageState | null;
    /** Why it does not answer; empty. */
    readonly failure: string;
    /** Why the last check failed; empty: it is not known, or it did not. */
    readonly checkFailure: string;
    /** What the programs of the image noted as staged. */
    readonly noted: UpdateStaged | null;
}

/** Null for a tree, and where nobody manages the image. */
export async function readImageFacts(host: Host): Promise<ImageFacts | null> {
    if (host.root !== '') return null;
    const driver = await detectDriver(host, drivers);
    if (!driver) return null;
    const [answer, checkFailure, noted] = await Promise.all([
        askService(),
        readCheckFailure(host),
        readUpdateStaged(host).catch(withoutIt),
    ]);
    return {driver: driver.name, ...answer, checkFailure, noted};
}

async function askService(): Promise<Pick<ImageFacts, 'state' | 'failure'>> {
    try {
        const [{connectToService}, {readImageState}] = await Promise.all([
            import('../client.ts'),
            import('../image/service.ts'),
        ]);
        await using client = await connectToService({mayAskPassword: false, hasTerminal: false});
        return {state: await readImageState(client), failure: ''};
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        return {state: null, failure: error.message};
    }
}

/** Of the last operation that asked the source, if that one failed. */
async function readCheckFailure(host: Host): Promise<string> {
    const history = (await readHistory(host).catch(withoutIt)) ?? [];
    const last = history.findLast(({operation}) =>
        ['check', 'update', 'download'].includes(operation),
    );
    return last?.outcome === 'failed' ? last.error : '';
}

/** A note that cannot be read is as good as none. */
function withoutIt(error: unknown): null {
    if (error instanceof SnowError) return null;
    throw error;
}
