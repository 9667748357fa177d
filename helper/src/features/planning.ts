// SPDX-License-Identifier: GPL-2.0-or-later
// What an operation would do to this machine; nothing here changes it.
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {missingRequisites, splitTransfers} from './activation.ts';
import {MAX_REQUESTS, mapBounded} from './concurrency.ts';
import {loadDefinitions} from './definitions.ts';
import {type Failures, expected} from './failures.ts';
import {readTransferState} from './instances.ts';
import type {Definitions, Feature} from './model.ts';
import {readOffers} from './offers.ts';
import {
    type Plan,
    type PlanPart,
    commonVersions,
    linkedVersion,
    planInstall,
    planRemoval,
    usableVersions,
    withoutRepetition,
} from './plan.ts';
import {Repositories} from './repository.ts';
import {
    readRolledBack,
    rolledBackChange,
    withRolledBack,
    withoutRolledBack,
} from './rolled-back.ts';
import {planSwitch} from './switch.ts';
import {readMerged} from './sysext.ts';
import {compareVersions} from '../host/versions.ts';

export interface MergeOptions {
    /** Make it active at once (the default), and not at the next boot. */
    readonly merge?: boolean;
}

export interface UpdateOptions extends MergeOptions {
    /** Started by the timer: versions that were rolled back from are left alone. */
    readonly automatic?: boolean;
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
