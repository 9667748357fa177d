// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import type {FeatureProperties, FeaturesProperties} from '../generated/dbus.ts';
import {missingRequisites, splitTransfers} from './activation.ts';
import {loadDefinitions, transfersOfFeature} from './definitions.ts';
import {type TransferState, readTransferState} from './instances.ts';
import {findObstacle} from './obstacles.ts';
import {type CachedManifest, readCachedManifest, readLastCheck} from './manifest-cache.ts';
import type {Definitions, Feature, Transfer} from './model.ts';
import {UPDATE_TIMER} from './operations.ts';
import {commonVersions, linkedVersion, usableVersions} from './plan.ts';
import {availableInstances, listDirectory} from './repository.ts';
import {readMerged} from './sysext.ts';
import {type Transaction, readInterrupted} from './transaction.ts';

/** A feature as anybody may see it: the properties on the bus, and what `show` adds. */
export interface FeatureState extends FeatureProperties {
    readonly id: string;
    readonly EnabledBy: string;
    readonly transfers: readonly TransferSummary[];
    /** Harmless. */
    readonly warnings: readonly string[];
    /** Whether a restart would merge another version of it than is merged now, or none. */
    readonly waitsForRestart: boolean;
}

export interface TransferSummary {
    readonly name: string;
    readonly origin: string;
    /** URL or directory. */
    readonly source: string;
    readonly target: string;
    readonly verify: boolean;
    readonly instancesMax: number;
    /** Whether the features that it needs are on. */
    readonly isActive: boolean;
    readonly images: readonly ImageSummary[];
}

export interface ImageSummary {
    readonly version: string;
    readonly path: string;
    /** Bytes on disk. */
    readonly size: number;
    readonly isLinked: boolean;
    readonly isMerged: boolean;
    readonly isUsable: boolean;
}

/** Reads every feature from the definitions, the disk, what is merged and the last check. No network, no privileges. */
export async function readFeatures(
    host: Host,
    loading = loadDefinitions(host),
): Promise<readonly FeatureState[]> {
    const [definitions, merged, interrupted] = await Promise.all([
        loading,
        readMerged(host),
        readJournal(host),
    ]);
    return Promise.all(
        definitions.features.map(async feature => {
            const {active} = splitTransfers(definitions, feature);
            const transfers = await Promise.all(
                transfersOfFeature(definitions, feature).map(async transfer => {
                    const [state, cached] = await Promise.all([
                        readTransferState(host, transfer, merged),
                        readCachedManifest(host, transfer),
                    ]);
                    const offer = await readOffer(host, transfer, cached);
                    const isActive = active.includes(transfer);
                    const obstacle =
                        isActive && isWaiting(host, state) ? await findObstacle(host, state) : null;
                    return {state, cached, ...offer, isActive, obstacle};
                }),
            );
            return describe(host, definitions, feature, transfers, interrupted);
        }),
    );
}

/** The properties of all features together, but for what follows from each of them. */
export async function readSummary(
    host: Host,
    loading = loadDefinitions(host),
): Promise<Omit<FeaturesProperties, 'RestartNeeded'>> {
    const [definitions, lastCheck, automatic, interrupted] = await Promise.all([
        loading,
        readLastCheck(host),
        host.systemd?.isUnitEnabled(UPDATE_TIMER) ?? false,
        readJournal(host),
    ]);
    return {
        LastCheck: lastCheck,
        Automatic: automatic,
        Problem: (typeof interrupted === 'string' ? interrupted : definitions.problems[0]) ?? '',
    };
}

interface TransferView {
    readonly state: TransferState;
    readonly cached: CachedManifest | null;
    /** Versions that the source offered when it was last asked. */
    readonly offered: readonly string[];
    /** Why that is not known. */
    readonly problem: string;
    readonly isActive: boolean;
    /** Why what is linked is not merged, even by a restart. */
    readonly obstacle: string | null;
}

/** Whether something else is linked than is merged. */
function isWaiting(host: Host, {linked, active}: TransferState): boolean {
    return host.systemd !== null && linked !== null && linked.path !== active?.path;
}

/** A problem that a restart does not cure is none that waits for one. */
function waitsForRestart(
    host: Host,
    feature: Feature,
    transfers: readonly TransferView[],
): boolean {
    const needed = transfers.filter(({isActive}) => isActive);
    const isWhole =
        feature.problem === '' &&
        !feature.masked &&
        needed.every(({state, obstacle}) => state.linked !== null && obstacle === null);
    const isComing = isWhole && needed.some(({state}) => isWaiting(host, state));
    const isGoing = ({state, isActive}: TransferView): boolean =>
        !isActive && state.link.target === null && state.active !== null;
    return isComing || transfers.some(isGoing);
}

async function describe(
    host: Host,
    definitions: Definitions,
    feature: Feature,
    transfers: readonly TransferView[],
    interrupted: Transaction | string | null,
): Promise<FeatureState> {
    // A feature that is off shows what it would have.
    const shown = transfers.some(({isActive}) => isActive)
        ? transfers.filter(({isActive}) => isActive)
        : transfers;
    const states = shown.map(({state}) => state);
    const actives = states.map(({active}) => active?.version ?? '');
    return {
        id: feature.id,
        Name: feature.name,
        Description: feature.description,
        Documentation: feature.documentation,
        Enabled: feature.enabled,
        EnabledBy: feature.enabledBy,
        Installed: linkedVersion(states) ?? '',
        Newest: commonVersions(shown.map(({offered}) => offered))[0] ?? '',
        Versions: commonVersions(states.map(usableVersions)),
        Active: actives.every(version => version === actives[0]) ? (actives[0] ?? '') : '',
        Component: feature.component,
        Origin: feature.origin,
        Problem: problemOf(host, definitions, feature, transfers, interrupted),
        waitsForRestart: waitsForRestart(host, feature, transfers),
        transfers: await Promise.all(transfers.map(view => summarize(host, view))),
        warnings: [
            ...new Set([
                ...feature.warnings,
                ...transfers.flatMap(({state}) => state.transfer.warnings),
            ]),
        ],
    };
}

async function summarize(host: Host, {state, isActive}: TransferView): Promise<TransferSummary> {
    const {transfer, installed, linked, active} = state;
    return {
        name: transfer.name,
        origin: transfer.origin,
        source: transfer.source.path,
        target: transfer.target.path,
        verify: transfer.verify,
        instancesMax: transfer.target.instancesMax,
        isActive,
        images: await Promise.all(
            installed.map(async ({version, path, usable}) => ({
                version,
                path,
                size: (await host.files.status(path))?.size ?? 0,
                isLinked: path === linked?.path,
                isMerged: path === active?.path,
                isUsable: usable,
            })),
        ),
    };
}

/** The first thing that is not as it should be, and what to do about it; empty: all is well. */
function problemOf(
    host: Host,
    definitions: Definitions,
    feature: Feature,
    transfers: readonly TransferView[],
    interrupted: Transaction | string | null,
): string {
    if (feature.problem !== '') return feature.problem;
    if (feature.masked) return `It is masked by ${feature.origin}`;
    const {id} = feature;
    if (typeof interrupted === 'object' && interrupted?.features.includes(id))
        return `Its ${interrupted.operation} was interrupted; the next operation of snowctl cleans up`;

    for (const {state, isActive, obstacle} of transfers) {
        const {link, linked, extension, isMerged} = state;
        if (link.isBlocked) return `${link.path} is not a symbolic link; move it away`;
        if (!isActive) {
            if (linked && !feature.enabled)
                return `It is off, but ${extension} ${linked.version} is still linked: snowctl features disable ${id}`;
            continue;
        }
        if (link.isDangling) return `${link.path} leads nowhere: snowctl features update ${id}`;
        if (!linked) return `It is on, but not installed: snowctl features update ${id}`;
        if (obstacle !== null) return `${obstacle}: snowctl features update ${id}`;
        if (host.systemd && !isMerged)
            return `${extension} ${linked.version} is installed, but not merged: snowctl features update ${id}`;
    }
    if (feature.enabled) {
        const missing = missingRequisites(definitions, feature);
        if (missing.length > 0)
            return `It also needs ${missing.join(', ')}: snowctl features enable ${missing.join(' ')}`;
        const linked = transfers.filter(({isActive}) => isActive).map(({state}) => state);
        if (linked.length > 0 && linkedVersion(linked) === null)
            return `Its parts have different versions: snowctl features update ${id}`;
    }
    const unknown = transfers.find(({cached, problem}) => problem !== '' || cached?.error);
    return unknown ? unknown.problem || (unknown.cached?.error ?? '') : '';
}

async function readOffer(
    host: Host,
    transfer: Transfer,
    cached: CachedManifest | null,
): Promise<{readonly offered: readonly string[]; readonly problem: string}> {
    const isDirectory = transfer.source.type === 'regular-file';
    if (!isDirectory && !cached?.text) return {offered: [], problem: ''};
    try {
        const available = isDirectory
            ? await listDirectory(host, transfer)
            : await availableInstances(host, transfer, cached?.text ?? '');
        return {offered: available.map(({version}) => version), problem: ''};
    } catch (error) {
        if (error instanceof SnowError) return {offered: [], problem: error.message};
        throw error;
    }
}

/** A journal that cannot be read is everybody's problem. */
async function readJournal(host: Host): Promise<Transaction | string | null> {
    try {
        return await readInterrupted(host);
    } catch (error) {
        if (error instanceof SnowError) return error.message;
        throw error;
    }
}
