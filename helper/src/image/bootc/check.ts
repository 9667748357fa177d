// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import type {Work} from '../driver.ts';
import {
    type CheckResult,
    type Deployment,
    type ImageStatus,
    type Offer,
    isSameImage,
} from '../model.ts';
import {checkCommand} from './commands.ts';
import {refuseFailure} from './failures.ts';
import {isComposefs, readBootcHost} from './machine.ts';
import {askSource} from './registry.ts';

/** Milliseconds. */
const TIMEOUT = 120_000;

/** Asks the source for its newest image. */
export async function check(work: Work): Promise<CheckResult> {
    const {host, before} = work;
    const {followed, booted, staged, downloaded} = before;
    const transport = (staged ?? downloaded ?? booted)?.transport ?? null;
    if (followed === '' || transport === null)
        throw new SnowError('WrongState', 'This system follows no image');
    const isOfBootc = ['registry', 'docker'].includes(transport) && !(await isComposefs(host));
    if (isOfBootc) {
        const offer = await askBootc(work);
        if (offer) return compareOffer(before, offer);
        return whichIsHere(work, transport);
    }
    return compareSource(work, transport);
}

async function compareSource(
    {host, before, signal}: Work,
    transport: string,
): Promise<CheckResult> {
    const isKnown = (offer: Offer): boolean => compareOffer(before, offer).outcome !== 'available';
    const source = {image: before.followed, transport};
    return compareOffer(before, await askSource(host, source, isKnown, signal));
}

/** bootc says only that nothing has to be fetched, and means whatever is on the disk. */
async function whichIsHere(work: Work, transport: string): Promise<CheckResult> {
    const {staged, downloaded, rollback} = work.before;
    const asBootcSays: CheckResult = staged
        ? {outcome: 'staged', offer: offerOf(staged)}
        : downloaded
          ? {outcome: 'available', offer: offerOf(downloaded)}
          : {outcome: 'current'};
    if (!staged && !downloaded && !rollback) return asBootcSays;
    try {
        const found = await compareSource(work, transport);
        return found.outcome === 'available' ? asBootcSays : found;
    } catch (error) {
        // bootc could ask, so that the registry is there: a guess is better than a failure.
        if (error instanceof SnowError && error.code !== 'Cancelled') return asBootcSays;
        throw error;
    }
}

function offerOf({version, digest, timestamp}: Deployment): Offer {
    return {version, digest, timestamp, size: null};
}

/** Has bootc look; null: it says that there is nothing to fetch. */
async function askBootc({host, signal}: Work): Promise<Offer | null> {
    const result = await host.programs.run(checkCommand, {signal, timeout: TIMEOUT});
    refuseFailure('bootc', result);
    const said = importCheck(result.stdout);
    if (!said) return null;
    // What it found it keeps, with the time that it does not print.
    const {status} = await readBootcHost(host);
    const cached = status.booted?.cachedUpdate;
    return cached?.imageDigest === said.digest
        ? {...said, timestamp: cached?.timestamp ?? null}
        : said;
}

/** What `bootc upgrade --check` prints of an update; null: there is none. */
export function importCheck(stdout: string): Offer | null {
    if (!/^Update available for: /m.test(stdout)) return null;
    const digest = /^\s+Digest: (sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\s*$/m.exec(stdout)?.[1];
    // eslint-disable-next-line no-control-regex
    const version = /^\s+Version: ([^\x00-\x1f\x7f-\x9f]{1,128})$/m.exec(stdout)?.[1]?.trim();
    if (digest === undefined)
        throw new SnowError('Failed', 'bootc found an update, and does not tell its digest');
    return {version: version ?? null, digest, timestamp: null, size: null};
}

/** What an offer is for a machine. */
export function compareOffer(before: ImageStatus, offer: Offer): CheckResult {
    const {booted, staged, rollback, isRollbackQueued} = before;
    if (isSameBuild(booted, offer)) return {outcome: 'current'};
    if (isSameBuild(staged, offer)) return {outcome: 'staged', offer};
    if (isSameBuild(rollback, offer))
        return {outcome: isRollbackQueued ? 'staged' : 'held-rollback', offer};
    return {outcome: 'available', offer};
}

/**
 * Where an image was copied between kinds of storage, as by an installation from a medium, its digest
 * is another one; what was built at the same second under the same version is still the same.
 */
function isSameBuild(deployment: Deployment | null, offer: Offer): boolean {
    if (!deployment) return false;
    if (isSameImage(deployment, offer)) return true;
    return (
        offer.version !== null &&
        offer.timestamp !== null &&
        deployment.version === offer.version &&
        deployment.timestamp === offer.timestamp
    );
}
