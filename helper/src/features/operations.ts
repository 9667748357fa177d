// SPDX-License-Identifier: GPL-2.0-or-later
// The changes that a user can ask for, each as its list of steps. What makes them safe against
// failures and crashes is in transaction.ts.
import type {Progress} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {readStagedSystem} from './compatibility.ts';
import {loadDefinitions, transfersOfFeature} from './definitions.ts';
import {executePlan, type OperationResult} from './execution.ts';
import {type Failures, expected, throwFailures} from './failures.ts';
import {tidyRecord} from './forgotten-systems.ts';
import {locked} from './lock.ts';
import {writeLastCheck} from './manifest-cache.ts';
import {type FetchOptions, fetchForSystem, rememberExtensions} from './next-boot.ts';
import {readOffers} from './offers.ts';
import {type Plan, type TransferOffer, commonVersions, linkedVersion} from './plan.ts';
import {
    type MergeOptions,
    type UpdateOptions,
    planDisable,
    planEnable,
    planRollback,
    planUpdate,
} from './planning.ts';
import {Repositories} from './repository.ts';
import {readMerged} from './sysext.ts';
import {recoverTransaction} from './transaction.ts';
import {compareVersions} from '../host/versions.ts';

export type {MergeOptions, OperationResult, UpdateOptions};

/** Unit of the automatic updates. */
export const UPDATE_TIMER = 'snow-features-update.timer';

/** Turns a feature on: downloads, verifies, installs and merges its newest version, and only then the switch. */
export function enable(
    host: Host,
    id: string,
    options: MergeOptions,
    progress: Progress,
    signal: AbortSignal,
): Promise<OperationResult> {
    return change(host, progress, signal, () => planEnable(host, id, options, signal), {
        follow: {features: [id]},
    });
}

/** Turns a feature off: unmerges it, then the switch, and then removes the images that no other feature needs. */
export function disable(
    host: Host,
    id: string,
    progress: Progress,
    signal: AbortSignal,
): Promise<OperationResult> {
    return change(host, progress, signal, () => planDisable(host, id));
}

/** Brings features, which must be on, to their newest version; null: all that are on. */
export async function update(
    host: Host,
    ids: readonly string[] | null,
    options: UpdateOptions,
    progress: Progress,
    signal: AbortSignal,
): Promise<OperationResult> {
    const failures: Failures = new Map();
    const result = await change(
        host,
        progress,
        signal,
        async () => {
            const outcome = await planUpdate(host, ids, options, signal);
            for (const [id, error] of outcome.failures) failures.set(id, error);
            return outcome.plan;
        },
        {failures, follow: {...(ids ? {features: ids} : {}), newest: true}},
    );
    throwFailures('update', failures);
    return result;
}

/** Goes back to a version on disk; empty: the newest that is older than the one it has. */
export function rollback(
    host: Host,
    id: string,
    version: string,
    options: MergeOptions,
    progress: Progress,
    signal: AbortSignal,
): Promise<OperationResult> {
    return change(host, progress, signal, () => planRollback(host, id, version, options, signal));
}

/** Asks every repository. The features of the result are those with a newer version than they have. */
export async function check(
    host: Host,
    progress: Progress,
    signal: AbortSignal,
): Promise<OperationResult> {
    progress.step('Checking for updates');
    const definitions = await loadDefinitions(host);
    const merged = await readMerged(host);
    const repositories = new Repositories(host);
    const failures: Failures = new Map();
    const features = definitions.features.filter(feature => feature.problem === '');
    const newer = await Promise.all(
        features.map(async feature => {
            try {
                const transfers = transfersOfFeature(definitions, feature);
                const offers = await readOffers(host, transfers, merged, repositories, signal);
                return hasUpdate(offers) ? [feature.id] : [];
            } catch (error) {
                failures.set(feature.id, expected(error, signal));
                return [];
            }
        }),
    );
    await writeLastCheck(host, Date.now() / 1000);
    throwFailures('check', failures);
    return {version: '', merged: false, warnings: [], features: newer.flat()};
}

/** Turns the timer of the automatic updates on or off. */
export async function setAutomatic(host: Host, automatic: boolean): Promise<OperationResult> {
    if (!host.systemd)
        throw new SnowError('NotSupported', 'Automatic updates are set on the running system only');
    await host.systemd.setUnitEnabled(UPDATE_TIMER, automatic);
    return {version: '', merged: false, warnings: [], features: []};
}

/** Undoes or finishes what a process that was killed has begun; Busy when another one is at work. */
export async function recover(host: Host): Promise<void> {
    await locked(host, async () => {
        await recoverTransaction(host);
        await tidyRecord(host);
    });
}

interface ChangeOptions {
    /** Where to put the errors of single features. */
    readonly failures?: Failures;
    /** What is to be fetched as well, when another system is staged. */
    readonly follow?: FetchOptions;
}

/** One at a time, after cleaning up what a process that was killed left. */
async function change(
    host: Host,
    progress: Progress,
    signal: AbortSignal,
    plan: () => Promise<Plan>,
    {failures, follow}: ChangeOptions = {},
): Promise<OperationResult> {
    return locked(host, async () => {
        if (signal.aborted) throw new SnowError('Cancelled', 'The operation was stopped');
        progress.step('Preparing');
        await recoverTransaction(host);
        await tidyBeforehand(host);
        const result = await executePlan(host, await plan(), progress, signal, failures);
        if (!follow) return result;
        const warnings = await fetchForStaged(host, follow, progress, signal);
        return {...result, warnings: [...result.warnings, ...warnings]};
    });
}

/** A record that cannot be brought in line is no reason to refuse what the user asks for. */
async function tidyBeforehand(host: Host): Promise<void> {
    try {
        await tidyRecord(host);
    } catch (error) {
        // The next operation, and the next boot, try again.
        if (!(error instanceof SnowError)) throw error;
    }
}

/** The change is done, whatever comes of this. Returns what is to be said of it. */
async function fetchForStaged(
    host: Host,
    follow: FetchOptions,
    progress: Progress,
    signal: AbortSignal,
): Promise<readonly string[]> {
    try {
        const staged = await readStagedSystem(host);
        if (!staged) {
            await rememberExtensions(host);
            return [];
        }
        const outlooks = await fetchForSystem(host, staged, follow, progress, signal);
        return outlooks
            .filter(({feature}) => follow.features?.includes(feature) ?? true)
            .filter(({state}) => state === 'missing')
            .map(
                ({feature, text}) => `After the next boot, ${feature} will not be merged: ${text}`,
            );
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        return [`What the staged system needs was not fetched: ${error.message}`];
    }
}

function hasUpdate(offers: readonly TransferOffer[]): boolean {
    const current = linkedVersion(offers.map(({state}) => state));
    const [newest] = commonVersions(
        offers.map(({available}) => available.map(({version}) => version)),
    );
    return current !== null && newest !== undefined && compareVersions(newest, current) > 0;
}
