// SPDX-License-Identifier: GPL-2.0-or-later
// What the enabled features would have on another system, of what is on disk now.
import type {StagedSystem} from '../host/domain.ts';
import type {Host} from '../host/host.ts';
import {readOsRelease} from '../host/os-release.ts';
import {splitTransfers} from './activation.ts';
import {loadDefinitions} from './definitions.ts';
import type {ImageReleases} from './image-releases.ts';
import {type TransferState, readTransferState} from './instances.ts';
import type {Definitions, Feature, Transfer} from './model.ts';
import {
    type NextBootRecord,
    type RecordedExtension,
    type RecordedImage,
    findSystem,
    isSameSystem,
    readUsableRecord,
} from './next-boot-record.ts';
import {commonVersions} from './plan.ts';
import {type Merged, isSearched, readMerged} from './sysext.ts';

/** A feature that is on, as it would be on a system. */
export interface Prospect {
    readonly feature: Feature;
    /** Whether that system defines it, too. */
    readonly isDefined: boolean;
    /** Why nothing can be said, in one line; or empty. */
    readonly problem: string;
    readonly transfers: readonly TransferProspect[];
    /** What would be merged; null: nothing on disk fits. */
    readonly chosen: {
        readonly version: string;
        /** By the name of the extension. */
        readonly images: ReadonlyMap<string, string>;
    } | null;
    /** Whether an image could not be looked into, that might have fitted. */
    readonly isUnknown: boolean;
    readonly extensions: readonly RecordedExtension[];
}

export interface TransferProspect {
    readonly transfer: Transfer;
    readonly extension: string;
    /** Images that fit, by their versions. */
    readonly fitting: ReadonlyMap<string, string>;
}

/** The features that are on, with what is on disk for a system. No network. */
export async function surveyFeatures(
    host: Host,
    system: StagedSystem,
    releases: ImageReleases,
    signal?: AbortSignal,
): Promise<readonly Prospect[]> {
    const [then, now, merged, record, running] = await Promise.all([
        loadDefinitions(host, system),
        loadDefinitions(host),
        readMerged(host),
        readUsableRecord(host),
        readOsRelease(host),
    ]);
    for (const {images} of record?.extensions ?? []) releases.learn(images);
    const isRunning = isSameSystem(system.release, running);
    const survey: Survey = {host, system, releases, now, merged, record, isRunning, signal};
    const ids = new Set(then.features.map(({id}) => id));
    const isOn = ({enabled, masked}: Feature): boolean => enabled && !masked;
    return Promise.all([
        ...then.features.filter(isOn).map(feature => look(survey, then, feature, true)),
        ...now.features
            .filter(feature => isOn(feature) && !ids.has(feature.id))
            .map(feature => look(survey, now, feature, false)),
    ]);
}

interface Survey {
    readonly host: Host;
    readonly system: StagedSystem;
    readonly releases: ImageReleases;
    /** The definitions of the running system. */
    readonly now: Definitions;
    readonly merged: Merged;
    readonly record: NextBootRecord | null;
    readonly isRunning: boolean;
    readonly signal: AbortSignal | undefined;
}

async function look(
    survey: Survey,
    definitions: Definitions,
    feature: Feature,
    isDefined: boolean,
): Promise<Prospect> {
    const {active} = splitTransfers(definitions, feature);
    const searched = active.find(({target}) => isSearched(target.path));
    const problem =
        feature.problem ||
        (searched ? `${searched.origin} puts images where systemd-sysext merges all of them` : '');
    if (problem !== '') {
        const none = {transfers: [], chosen: null, isUnknown: false, extensions: []};
        return {feature, isDefined, problem, ...none};
    }
    const looks = await Promise.all(active.map(transfer => lookAtTransfer(survey, transfer)));
    const preferred = commonVersions(looks.map(({preferred}) => preferred))[0];
    const [newest] = commonVersions(looks.map(({fitting}) => [...fitting.keys()]));
    const version = preferred ?? newest;
    const images = new Map(
        looks.flatMap(({extension, fitting}) => {
            const image = version === undefined ? undefined : fitting.get(version);
            return image === undefined ? [] : [[extension, image]];
        }),
    );
    const isReady = active.length === 0 || version !== undefined;
    return {
        feature,
        isDefined,
        problem,
        transfers: looks,
        chosen: isReady ? {version: version ?? '', images} : null,
        isUnknown: looks.some(({isUnknown}) => isUnknown),
        extensions: looks.map(({extension, links, images}) => ({
            feature: feature.id,
            name: extension,
            links,
            images,
        })),
    };
}

interface TransferLook extends TransferProspect {
    /** The version that is to stay the one; none or one. */
    readonly preferred: readonly string[];
    readonly isUnknown: boolean;
    readonly links: readonly string[];
    readonly images: readonly RecordedImage[];
}

async function lookAtTransfer(survey: Survey, transfer: Transfer): Promise<TransferLook> {
    const {host, system, releases, merged, isRunning, signal} = survey;
    const state = await readTransferState(host, transfer, merged);
    const running = await runningState(survey, transfer);
    const {extension} = state;
    const fitting = new Map<string, string>();
    const images: RecordedImage[] = [];
    let isUnknown = false;
    for (const {version, path} of candidates(state, running)) {
        // What is merged now fits this system, whatever can be seen of it.
        const isMerged = isRunning && path === running?.active?.path;
        const fit = isMerged ? 'fits' : await releases.fit(path, extension, system.release, signal);
        if (fit === 'unknown') isUnknown = true;
        if (fit === 'fits' && !fitting.has(version)) fitting.set(version, path);
        const release = isMerged ? null : await releases.read(path, extension, signal);
        if (release) images.push({path, version, release});
    }
    const chosen = preferredImage(survey, extension, running);
    const preferred = [...fitting]
        .filter(([, path]) => path === chosen)
        .map(([version]) => version);
    const links = [state.link, state.mirror].flatMap(link => (link ? [link.path] : []));
    return {transfer, extension, fitting, preferred, isUnknown, links, images};
}

/** The definition of the running system names the files of the running system. */
async function runningState(
    {host, now, merged}: Survey,
    {component, name}: Transfer,
): Promise<TransferState | null> {
    const transfer = now.transfers.find(
        other => other.component === component && other.name === name,
    );
    return transfer ? readTransferState(host, transfer, merged) : null;
}

function candidates(
    state: TransferState,
    running: TransferState | null,
): readonly {readonly version: string; readonly path: string}[] {
    const all = [...state.installed, ...(running?.installed ?? [])].filter(({usable}) => usable);
    return [...new Map(all.map(instance => [instance.path, instance])).values()];
}

/** What the running system links, and what one that can be gone back to had, is not to change. */
function preferredImage(
    {record, system, isRunning}: Survey,
    extension: string,
    running: TransferState | null,
): string | null {
    if (isRunning) return running?.linked?.path ?? null;
    const known = record && findSystem(record, system.release);
    return known?.isKept ? (known.images[extension] ?? null) : null;
}
