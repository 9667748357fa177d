// SPDX-License-Identifier: GPL-2.0-or-later
// The changes that a user can ask for, each as its list of steps. What makes them safe against
// failures and crashes is in transaction.ts.
import type {Progress} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {missingRequisites, splitTransfers} from './activation.ts';
import {mapBounded} from './concurrency.ts';
import {loadDefinitions, transfersOfFeature} from './definitions.ts';
import {executePlan, type OperationResult} from './execution.ts';
import {readTransferState} from './instances.ts';
import {cacheManifest, writeLastCheck} from './manifest-cache.ts';
import type {Definitions, Feature, Transfer} from './model.ts';
import {
    type Plan,
    type PlanPart,
    type TransferOffer,
    commonVersions,
    linkedVersion,
    planInstall,
    planRemoval,
    usableVersions,
    withoutRepetition,
} from './plan.ts';
import {Repositories, availableInstances} from './repository.ts';
import {
    readRolledBack,
    rolledBackChange,
    withRolledBack,
    withoutRolledBack,
} from './rolled-back.ts';
import {planSwitch} from './switch.ts';
import {type Merged, readMerged} from './sysext.ts';
import {recoverTransaction} from './transaction.ts';
import {compareVersions} from './versions.ts';

export type {OperationResult};

export interface MergeOptions {
    /** Make it active at once (the default), and not at the next boot. */
    readonly merge?: boolean;
}

export interface UpdateOptions extends MergeOptions {
    /** Started by the timer: versions that were rolled back from are left alone. */
    readonly automatic?: boolean;
}

/** Unit of the automatic updates. */
export const UPDATE_TIMER = 'snow-features-update.timer';

const LOCK = '/run/snow-control/features.lock';
/** Manifests that are fetched at the same time. */
const MAX_REQUESTS = 16;

/** Turns a feature on: downloads, verifies, installs and merges its newest version, and only then the switch. */
export function enable(
    host: Host,
    id: string,
    options: MergeOptions,
    progress: Progress,
    signal: AbortSignal,
): Promise<OperationResult> {
    return change(host, progress, signal, () => planEnable(host, id, options, signal));
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
        failures,
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
    return change(host, progress, signal, () => planRollback(host, id, version, options));
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
    const newer = await mapBounded(features, MAX_REQUESTS, async feature => {
        try {
            const transfers = transfersOfFeature(definitions, feature);
            const offers = await readOffers(host, transfers, merged, repositories, signal);
            return hasUpdate(offers) ? [feature.id] : [];
        } catch (error) {
            failures.set(feature.id, expected(error, signal));
            return [];
        }
    });
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
    await locked(host, () => recoverTransaction(host));
}

/** See enable(). Changes nothing. */
export async function planEnable(
    host: Host,
    id: string,
    {merge = true}: MergeOptions,
    signal: AbortSignal,
): Promise<Plan> {
    const definitions = await loadDefinitions(host);
    const feature = usableFeature(definitions, id);
    const writes = await planSwitch(host, feature, true);
    const switched = {feature, enabled: true};
    const {active: transfers} = splitTransfers(definitions, feature, switched);
    const missing = missingRequisites(definitions, feature, switched);
    const warnings = [
        ...feature.warnings,
        ...missing.map(name => `${id} also needs ${name}, which is off`),
    ];
    const part: PlanPart =
        transfers.length === 0
            ? emptyPart(feature, writes, warnings)
            : planInstall(
                  feature,
                  await readOffers(
                      host,
                      transfers,
                      await readMerged(host),
                      new Repositories(host),
                      signal,
                  ),
                  {writes, warnings},
              );
    return {operation: 'enable', parts: [part], writes: [], merge: merge && host.systemd !== null};
}

/** See disable(). Changes nothing. */
export async function planDisable(host: Host, id: string): Promise<Plan> {
    const definitions = await loadDefinitions(host);
    const feature = usableFeature(definitions, id);
    const writes = await planSwitch(host, feature, false);
    const {inactive} = splitTransfers(definitions, feature, {feature, enabled: false});
    const merged = await readMerged(host);
    const states = await Promise.all(
        inactive.map(transfer => readTransferState(host, transfer, merged)),
    );
    const part = planRemoval(feature, states, writes);
    return {operation: 'disable', parts: [part], writes: [], merge: host.systemd !== null};
}

/** See update(). Changes nothing; what cannot be planned does not keep the others from it. */
export async function planUpdate(
    host: Host,
    ids: readonly string[] | null,
    {merge = true, automatic = false}: UpdateOptions,
    signal: AbortSignal,
): Promise<{readonly plan: Plan; readonly failures: Failures}> {
    const definitions = await loadDefinitions(host);
    const features =
        ids === null
            ? definitions.features.filter(feature => feature.enabled && !feature.masked)
            : ids.map(id => enabledFeature(definitions, id));
    const [merged, rolledBack] = await Promise.all([readMerged(host), readRolledBack(host)]);
    const repositories = new Repositories(host);
    const failures: Failures = new Map();
    const parts = await mapBounded(features, MAX_REQUESTS, async feature => {
        try {
            usableFeature(definitions, feature.id);
            const {active: transfers} = splitTransfers(definitions, feature);
            if (transfers.length === 0) return [];
            const offers = await readOffers(host, transfers, merged, repositories, signal);
            const skipped = automatic ? new Set(rolledBack[feature.id]) : new Set<string>();
            return [planInstall(feature, offers, {skipped})];
        } catch (error) {
            failures.set(feature.id, expected(error, signal));
            return [];
        }
    });
    const planned = withoutRepetition(parts.flat());
    const forgotten = automatic ? [] : planned.map(part => part.feature);
    const plan: Plan = {
        operation: 'update',
        parts: planned,
        writes: rolledBackChange(rolledBack, withoutRolledBack(rolledBack, forgotten)),
        merge: merge && host.systemd !== null,
    };
    return {plan, failures};
}

/** See rollback(). Changes nothing. */
export async function planRollback(
    host: Host,
    id: string,
    version: string,
    {merge = true}: MergeOptions,
): Promise<Plan> {
    const definitions = await loadDefinitions(host);
    const feature = enabledFeature(definitions, id);
    usableFeature(definitions, id);
    const merged = await readMerged(host);
    const states = await Promise.all(
        splitTransfers(definitions, feature).active.map(transfer =>
            readTransferState(host, transfer, merged),
        ),
    );
    const current = linkedVersion(states);
    const present = commonVersions(states.map(usableVersions));
    const target =
        version === ''
            ? present.find(other => current === null || compareVersions(other, current) < 0)
            : version;
    if (target === undefined)
        throw new SnowError('NotFound', `${id} has no older version on the disk`);
    if (!present.includes(target))
        throw new SnowError('NotFound', `${id} ${target} is not on the disk`);

    const rolledBack = await readRolledBack(host);
    const isOlder = current !== null && compareVersions(target, current) < 0;
    const after = isOlder ? withRolledBack(rolledBack, id, current) : rolledBack;
    const offers = states.map(state => ({state, available: []}));
    return {
        operation: 'rollback',
        parts: [planInstall(feature, offers, {version: target})],
        writes: rolledBackChange(rolledBack, after),
        merge: merge && host.systemd !== null,
    };
}

type Failures = Map<string, SnowError>;

/** One at a time, after cleaning up what a process that was killed left. */
async function change(
    host: Host,
    progress: Progress,
    signal: AbortSignal,
    plan: () => Promise<Plan>,
    failures?: Failures,
): Promise<OperationResult> {
    return locked(host, async () => {
        if (signal.aborted) throw new SnowError('Cancelled', 'The operation was stopped');
        progress.step('Preparing');
        await recoverTransaction(host);
        return executePlan(host, await plan(), progress, signal, failures);
    });
}

async function locked<Result>(host: Host, run: () => Promise<Result>): Promise<Result> {
    const lock = await host.locks.acquire(LOCK);
    try {
        return await run();
    } finally {
        await lock[Symbol.asyncDispose]();
    }
}

/** What is on disk and what is offered; what the sources said is kept for those who only look. */
async function readOffers(
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

function hasUpdate(offers: readonly TransferOffer[]): boolean {
    const current = linkedVersion(offers.map(({state}) => state));
    const [newest] = commonVersions(
        offers.map(({available}) => available.map(({version}) => version)),
    );
    return current !== null && newest !== undefined && compareVersions(newest, current) > 0;
}

function findFeature(definitions: Definitions, id: string): Feature {
    const feature = definitions.features.find(candidate => candidate.id === id);
    if (!feature) throw new SnowError('NotFound', `There is no feature ${JSON.stringify(id)}`);
    return feature;
}

function usableFeature(definitions: Definitions, id: string): Feature {
    const feature = findFeature(definitions, id);
    if (feature.problem !== '') throw new SnowError('WrongState', `${id}: ${feature.problem}`);
    if (feature.masked) throw new SnowError('WrongState', `${id} is masked by ${feature.origin}`);
    return feature;
}

function enabledFeature(definitions: Definitions, id: string): Feature {
    const feature = findFeature(definitions, id);
    if (!feature.enabled) throw new SnowError('WrongState', `${id} is off; turn it on first`);
    return feature;
}

function emptyPart(
    feature: Feature,
    writes: PlanPart['writes'],
    warnings: readonly string[],
): PlanPart {
    return {
        feature: feature.id,
        version: '',
        fetches: [],
        links: [],
        extensions: [],
        writes,
        removals: [],
        warnings,
    };
}

function expected(error: unknown, signal: AbortSignal): SnowError {
    if (signal.aborted) throw new SnowError('Cancelled', 'The operation was stopped');
    if (error instanceof SnowError) return error;
    throw error;
}

/** Said once the others are done. */
function throwFailures(verb: string, failures: Failures): void {
    const [first] = failures.values();
    if (!first) return;
    const names = [...failures.keys()];
    const code = [...failures.values()].every(error => error.code === first.code)
        ? first.code
        : 'Failed';
    const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
    throw new SnowError(
        code,
        `Cannot ${verb} ${names.slice(0, 5).join(', ')}${more}: ${first.message}`,
        {cause: first},
    );
}
