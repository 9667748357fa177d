// SPDX-License-Identifier: GPL-2.0-or-later
// What an operation would do to this machine; nothing here changes it.
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {readOsRelease} from '../host/os-release.ts';
import {missingRequisites, splitTransfers} from './activation.ts';
import {MAX_REQUESTS, mapBounded} from './concurrency.ts';
import {architectureOf, incompatibility, readExtensionRelease} from './compatibility.ts';
import {loadDefinitions} from './definitions.ts';
import {type Failures, expected} from './failures.ts';
import {imagesElsewhere} from './forgotten-systems.ts';
import {readTransferState} from './instances.ts';
import type {Definitions, Feature} from './model.ts';
import {
    NEXT_BOOT_RECORD,
    type NextBootRecord,
    neededImages,
    readUsableRecord,
    recordText,
    withoutFeature,
} from './next-boot-record.ts';
import {readOffers} from './offers.ts';
import {
    type InstallOptions,
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
            : await planFitting(
                  host,
                  feature,
                  await readOffers(
                      host,
                      transfers,
                      await readMerged(host),
                      new Repositories(host),
                      signal,
                  ),
                  {writes, warnings},
                  signal,
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
    const record = await readUsableRecord(host);
    const part = planRemoval(
        feature,
        states,
        [...writes, ...forgottenBy(record, id)],
        await imagesElsewhere(host, record, inactive),
    );
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
            return [await planFitting(host, feature, offers, {skipped}, signal)];
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
    signal: AbortSignal,
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
    if (version !== '' && !present.includes(version))
        throw new SnowError('NotFound', `${id} ${version} is not on the disk`);
    const offers = states.map(state => ({state, available: []}));
    const older = present.filter(other => current === null || compareVersions(other, current) < 0);
    const part = await planFirstFitting(
        host,
        feature,
        offers,
        version === '' ? older : [version],
        signal,
    );
    const target = part.version;

    const rolledBack = await readRolledBack(host);
    const isOlder = current !== null && compareVersions(target, current) < 0;
    const after = isOlder ? withRolledBack(rolledBack, id, current) : rolledBack;
    return {
        operation: 'rollback',
        parts: [part],
        writes: rolledBackChange(rolledBack, after),
        merge: merge && host.systemd !== null,
    };
}

/** What is on disk may be for another system: then it is left there, and the next best is taken. */
async function planFitting(
    host: Host,
    feature: Feature,
    offers: readonly TransferOffer[],
    options: InstallOptions,
    signal: AbortSignal,
): Promise<PlanPart> {
    const kept = neededImages(await readUsableRecord(host));
    const unfit = new Map<string, SnowError>();
    for (;;) {
        let part: PlanPart;
        try {
            part = planInstall(feature, offers, {
                ...options,
                kept,
                unfit: new Set(unfit.keys()),
            });
        } catch (error) {
            const [first] = unfit.values();
            throw first && error instanceof SnowError && error.code === 'NotFound' ? first : error;
        }
        const problem = await findUnfit(host, offers, part, signal);
        if (!problem) return part;
        unfit.set(part.version, problem);
    }
}

/** Goes to the first of some versions on disk that fits this system. */
async function planFirstFitting(
    host: Host,
    feature: Feature,
    offers: readonly TransferOffer[],
    versions: readonly string[],
    signal: AbortSignal,
): Promise<PlanPart> {
    const kept = neededImages(await readUsableRecord(host));
    let first: SnowError | null = null;
    for (const version of versions) {
        const part = planInstall(feature, offers, {version, kept});
        const problem = await findUnfit(host, offers, part, signal);
        if (!problem) return part;
        first ??= problem;
    }
    throw first ?? new SnowError('NotFound', `${feature.id} has no older version on the disk`);
}

/** Why an image on disk that a plan newly links would not be merged; what is fetched is looked at then. */
async function findUnfit(
    host: Host,
    offers: readonly TransferOffer[],
    {extensions, links, version}: PlanPart,
    signal: AbortSignal,
): Promise<SnowError | null> {
    const os = await readOsRelease(host);
    for (const {state} of offers) {
        const image = extensions.find(({name}) => name === state.extension)?.image;
        const isLinked = !links.some(({path}) => path === state.link.path);
        const isThere = state.installed.some(({path}) => path === image);
        if (!image || !isThere || image === state.active?.path) continue;
        if (isLinked && !host.systemd) continue;
        try {
            const release = await readExtensionRelease(host, image, state.extension, signal);
            const problem = release && incompatibility(release, os, architectureOf(host));
            if (problem)
                return new SnowError('WrongState', `${state.extension} ${version} ${problem}`);
        } catch (error) {
            const reason = expected(error, signal);
            if (reason.code === 'VerificationFailed') return reason;
            // Somebody who only plans may not look into it; the merge will tell.
        }
    }
    return null;
}

/** What is to be written so that the next boot does not bring a feature back. */
function forgottenBy(record: NextBootRecord | null, id: string): PlanPart['writes'] {
    const isKnown = record?.extensions.some(({feature}) => feature === id) ?? false;
    return record && isKnown
        ? [{path: NEXT_BOOT_RECORD, content: recordText(withoutFeature(record, id))}]
        : [];
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
