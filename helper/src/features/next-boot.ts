// SPDX-License-Identifier: GPL-2.0-or-later
// How the extensions follow the OS image: once another image is staged, what the enabled features
// need there is fetched beside what the running system uses, and at boot the links are made to lead
// to whichever fits (boot-links.ts). Here the links and what is merged are never touched.
import type {
    ExtensionOutlook,
    ExtensionsOfNextBoot,
    Progress,
    StagedSystem,
} from '../host/domain.ts';
import type {Host} from '../host/host.ts';
import {type Release, readOsRelease} from '../host/os-release.ts';
import {compareVersions} from '../host/versions.ts';
import {MAX_REQUESTS, mapBounded} from './concurrency.ts';
import {executePlan} from './execution.ts';
import {type Failures, expected} from './failures.ts';
import {tidyRecord} from './forgotten-systems.ts';
import {type ImageReleases, imageReleasesOf} from './image-releases.ts';
import {imagePath} from './instances.ts';
import {locked} from './lock.ts';
import {
    type NextBootRecord,
    findSystem,
    isSameSystem,
    newRecord,
    readUsableRecord,
    withImages,
    withNext,
    writeNextBootRecord,
} from './next-boot-record.ts';
import {type Fetch, type PlanPart, commonVersions} from './plan.ts';
import {type Prospect, surveyFeatures} from './prospects.ts';
import {Repositories, sourceAddress} from './repository.ts';
import {type RolledBack, readRolledBack} from './rolled-back.ts';
import {recoverTransaction} from './transaction.ts';

/** Milliseconds to wait for another change of the features: the image took much longer. */
const PATIENCE = 60_000;

/** Versions of a feature that are tried, where the newest turns out to be for another system. */
const MAX_TRIES = 3;

export function extensionsOfNextBoot(host: Host): ExtensionsOfNextBoot {
    const releases = imageReleasesOf(host);
    return {
        async assess(system) {
            const record = await readUsableRecord(host);
            const reasons = record && findSystem(record, system.release)?.reasons;
            const prospects = await surveyFeatures(host, system, releases);
            return prospects.map(prospect => outlookOf(prospect, system, reasons ?? {}));
        },
        fetch: (system, progress, signal) =>
            locked(
                host,
                async () => {
                    await recoverTransaction(host);
                    await tidyRecord(host, system.release);
                    return fetchForSystem(host, system, {releases}, progress, signal);
                },
                {patience: PATIENCE, signal},
            ),
    };
}

export interface FetchOptions {
    /** Only these features; all that are on by default. */
    readonly features?: readonly string[];
    /** Also newer versions than the fitting one that is on disk. */
    readonly newest?: boolean;
    readonly releases?: ImageReleases;
}

/**
 * Fetches what enabled features need on a system that is staged, and writes down what the next boot
 * is to link. The lock must be held. What cannot be had is an outlook. Throws SnowError Cancelled.
 */
export async function fetchForSystem(
    host: Host,
    system: StagedSystem,
    {features, newest = false, releases = imageReleasesOf(host)}: FetchOptions,
    progress: Progress,
    signal: AbortSignal,
): Promise<readonly ExtensionOutlook[]> {
    const running = await readOsRelease(host);
    const isAnother = !isSameSystem(system.release, running);
    const known = await readUsableRecord(host);
    const isConcerned = ({feature}: Prospect): boolean =>
        features === undefined || features.includes(feature.id);
    const survey = async (): Promise<readonly Prospect[]> =>
        surveyFeatures(host, system, releases, signal);
    const before = await survey();
    const staged = withNext(known ?? newRecord(running), system.release);
    // Before anything is fetched: what is left by a fetch that is killed can be told by this.
    if (isAnother || known) await writeNextBootRecord(host, staged);
    // What is merged now is merged then, and what is not is for an update of this system.
    if (!isAnother) return before.map(each => outlookOf(each, system, {}));
    const reasons = await fetchMissing(
        host,
        before.filter(isConcerned),
        {system, newest, releases},
        progress,
        signal,
    );
    const after = await survey();
    const record = recordOf(staged, system, after, reasons, isConcerned);
    await writeNextBootRecord(host, record);
    // What was staged before, and is not any more, needs nothing now.
    await tidyRecord(host, system.release);
    const said = findSystem(record, system.release)?.reasons ?? reasons;
    return after.map(prospect => outlookOf(prospect, system, said));
}

/**
 * After a change of the features, while another system may be booted: it is to be known what they are
 * now, so that each system is given its own links again. The lock must be held.
 */
export async function rememberExtensions(host: Host): Promise<void> {
    const record = await readUsableRecord(host);
    if (!record) return;
    const running = {release: await readOsRelease(host), tree: null};
    const prospects = await surveyFeatures(host, running, imageReleasesOf(host));
    await writeNextBootRecord(host, {
        ...record,
        extensions: prospects.flatMap(({extensions}) => extensions),
    });
}

/** What the record says once something was fetched. */
function recordOf(
    staged: NextBootRecord,
    {release}: StagedSystem,
    prospects: readonly Prospect[],
    reasons: Readonly<Record<string, string>>,
    isConcerned: (prospect: Prospect) => boolean,
): NextBootRecord {
    const old = findSystem(staged, release)?.reasons ?? {};
    const kept = prospects.filter(each => !isConcerned(each) && !each.chosen);
    const chosen = prospects.flatMap(prospect => [...(prospect.chosen?.images ?? [])]);
    return {
        ...withImages(staged, release, Object.fromEntries(chosen), {
            ...Object.fromEntries(
                kept.flatMap(({feature: {id}}) => (old[id] === undefined ? [] : [[id, old[id]]])),
            ),
            ...reasons,
        }),
        extensions: prospects.flatMap(({extensions}) => extensions),
    };
}

interface FetchContext {
    readonly system: StagedSystem;
    readonly newest: boolean;
    readonly releases: ImageReleases;
}

/** Returns why some features have nothing that fits, by their ids. */
async function fetchMissing(
    host: Host,
    prospects: readonly Prospect[],
    {system, newest, releases}: FetchContext,
    progress: Progress,
    signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
    const repositories = new Repositories(host);
    const rolledBack = await readRolledBack(host);
    const reasons = new Map<string, string>();
    const tried = new Map<string, Set<string>>();
    let wanting = prospects.filter(
        ({problem, chosen, isDefined}) => problem === '' && isDefined && (newest || !chosen),
    );
    if (wanting.length > 0) progress.step(`Looking for extensions for ${nameOf(system)}`);
    for (let count = 0; count < MAX_TRIES && wanting.length > 0; count++) {
        const parts = await mapBounded(wanting, MAX_REQUESTS, async prospect => {
            const {id} = prospect.feature;
            const skipped = tried.get(id) ?? new Set<string>();
            const rejected = rolledBackOf(rolledBack, id);
            try {
                const part = await planFetch(host, prospect, {
                    system,
                    repositories,
                    releases,
                    skipped,
                    rejected,
                    signal,
                });
                if (!part && !prospect.chosen && !reasons.has(id))
                    reasons.set(id, noVersion(id, system));
                return part ? [part] : [];
            } catch (error) {
                const {message} = expected(error, signal);
                if (!prospect.chosen) reasons.set(id, notFetched(id, system, message));
                return [];
            }
        });
        const failures: Failures = new Map();
        const plan = {operation: 'fetch', parts: parts.flat(), writes: [], merge: false} as const;
        await executePlan(host, plan, progress, signal, failures);
        for (const {feature, version} of plan.parts) {
            const error = failures.get(feature);
            if (!error) reasons.delete(feature);
            else if (error.code === 'WrongState') reasons.set(feature, noVersion(feature, system));
            else reasons.set(feature, notFetched(feature, system, error.message));
            tried.set(feature, new Set([...(tried.get(feature) ?? []), version]));
        }
        wanting = wanting.filter(
            ({feature, chosen}) => !chosen && failures.get(feature.id)?.code === 'WrongState',
        );
    }
    return Object.fromEntries(reasons);
}

interface FetchSearch {
    readonly system: StagedSystem;
    readonly repositories: Repositories;
    readonly releases: ImageReleases;
    /** Versions that turned out to be for another system. */
    readonly skipped: ReadonlySet<string>;
    /** Versions that somebody went back from. */
    readonly rejected: ReadonlySet<string>;
    readonly signal: AbortSignal;
}

/** Null: nothing that could be fetched would be better than what is there. */
async function planFetch(
    host: Host,
    {feature, transfers, chosen}: Prospect,
    {system, repositories, skipped, rejected, signal}: FetchSearch,
): Promise<PlanPart | null> {
    const offers = await Promise.all(
        transfers.map(async ({transfer, extension, fitting}) => {
            const available = await repositories.available(transfer, signal);
            const fetches: Fetch[] = [];
            for (const instance of available) {
                const to = imagePath(transfer, instance.version, instance.fields);
                // A name without the system in it: the running one may be using that very file.
                if (skipped.has(instance.version) || (await host.files.status(to))) continue;
                const from = sourceAddress(transfer, instance.fileName);
                const {release} = system;
                fetches.push({transfer, instance, from, to, extension, system: release});
            }
            return {fetches, present: fitting};
        }),
    );
    const versions = commonVersions(
        offers.map(({fetches, present}) => [
            ...fetches.map(({instance}) => instance.version),
            ...present.keys(),
        ]),
    );
    const version = versions.find(each => !rejected.has(each)) ?? versions[0];
    if (version === undefined) return null;
    if (chosen && compareVersions(version, chosen.version) <= 0) return null;
    const fetches = offers.flatMap(({fetches, present}) =>
        present.has(version) ? [] : fetches.filter(({instance}) => instance.version === version),
    );
    if (fetches.length === 0) return null;
    return {
        feature: feature.id,
        version,
        fetches,
        links: [],
        extensions: [],
        writes: [],
        removals: [],
        warnings: [],
    };
}

function rolledBackOf(rolledBack: RolledBack, id: string): ReadonlySet<string> {
    return new Set(rolledBack[id]);
}

function outlookOf(
    {feature: {id}, problem, chosen, isUnknown}: Prospect,
    system: StagedSystem,
    reasons: Readonly<Record<string, string>>,
): ExtensionOutlook {
    if (chosen) return {feature: id, state: 'ready', version: chosen.version, text: ''};
    if (problem !== '') return {feature: id, state: 'unknown', version: '', text: problem};
    if (isUnknown) {
        const text = `It could not be checked whether ${id} fits ${nameOf(system)}`;
        return {feature: id, state: 'unknown', version: '', text};
    }
    const text = reasons[id] ?? noVersion(id, system);
    return {feature: id, state: 'missing', version: '', text};
}

function noVersion(id: string, system: StagedSystem): string {
    return `${id} has no version for ${nameOf(system)}`;
}

function notFetched(id: string, system: StagedSystem, message: string): string {
    return `${id} for ${nameOf(system)} could not be fetched: ${message}`;
}

/** As the texts about images name a system. */
function nameOf({release}: {readonly release: Release}): string {
    return `${release['ID'] ?? 'the next system'} ${release['VERSION_ID'] ?? ''}`.trim();
}
