// SPDX-License-Identifier: GPL-2.0-or-later
// What an operation is going to do, as data: computed here from what is on disk and what is
// offered, printed by --dry-run, carried out by installer.ts and operations.ts.
import {SnowError} from '../host/error.ts';
import type {Release} from '../host/os-release.ts';
import {type TransferState, imagePath, linkTarget} from './instances.ts';
import type {AvailableInstance, Feature, InstalledInstance, Transfer} from './model.ts';
import {sourceAddress} from './repository.ts';
import {isSearched} from './sysext.ts';
import {compareVersions} from '../host/versions.ts';

export type Operation = 'enable' | 'disable' | 'update' | 'rollback' | 'fetch';

export interface Plan {
    readonly operation: Operation;
    readonly parts: readonly PlanPart[];
    /** Small files to be written beside those of the parts. */
    readonly writes: PlanPart['writes'];
    /** Whether systemd-sysext is to follow the links at once, and not at the next boot. */
    readonly merge: boolean;
}

/** What happens to one feature. */
export interface PlanPart {
    readonly feature: string;
    /** The version it has afterwards; empty: none. */
    readonly version: string;
    readonly fetches: readonly Fetch[];
    /** Links to be changed; target null: removed. */
    readonly links: readonly {readonly path: string; readonly target: string | null}[];
    /** What is to be merged afterwards. */
    readonly extensions: readonly PlannedExtension[];
    /** Small files to be written. */
    readonly writes: readonly {readonly path: string; readonly content: string}[];
    /** Images that nothing needs afterwards. */
    readonly removals: readonly string[];
    readonly warnings: readonly string[];
}

export interface Fetch {
    readonly transfer: Transfer;
    readonly instance: AvailableInstance;
    /** URL or file. */
    readonly from: string;
    /** The image on disk. */
    readonly to: string;
    readonly extension: string;
    /** os-release(5) of the system that it is for; undefined: the running one. */
    readonly system?: Release;
}

export interface PlannedExtension {
    readonly name: string;
    /** The image; null: not merged. */
    readonly image: string | null;
    /** The one that is merged now; null: none. */
    readonly active: string | null;
    readonly isMerged: boolean;
}

/** One transfer of a feature, with what its source offers. */
export interface TransferOffer {
    readonly state: TransferState;
    readonly available: readonly AvailableInstance[];
}

export interface InstallOptions {
    /** Exactly this version, and no other. */
    readonly version?: string;
    /** Versions that are not to be installed by themselves. */
    readonly skipped?: ReadonlySet<string>;
    /** Versions on disk that are for another system. */
    readonly unfit?: ReadonlySet<string>;
    /** Images that another system needs, which are not removed. */
    readonly kept?: ReadonlySet<string>;
    readonly writes?: PlanPart['writes'];
    readonly warnings?: readonly string[];
}

/**
 * Brings a feature to its newest version, never to an older one than it has, unless it is named.
 * Throws SnowError NotFound when there is no version, WrongState and NotSupported when the
 * definition or the disk does not allow it.
 */
export function planInstall(
    feature: Feature,
    offers: readonly TransferOffer[],
    options: InstallOptions = {},
): PlanPart {
    for (const {state} of offers) checkLayout(feature, state);
    const version = chooseVersion(feature, offers, options);
    const planned = offers.map(offer => planTransfer(offer, version));
    return {
        feature: feature.id,
        version,
        fetches: planned.flatMap(({fetch}) => (fetch ? [fetch] : [])),
        links: offers.flatMap((offer, index) =>
            planLinks(offer.state, planned[index]?.image ?? null),
        ),
        extensions: offers.map(({state}, index) => ({
            name: state.extension,
            image: planned[index]?.image ?? null,
            active: state.active?.path ?? null,
            isMerged: state.isMerged,
        })),
        writes: options.writes ?? [],
        removals: offers.flatMap(({state}) => planRetention(state, version, options.kept)),
        warnings: [
            ...(options.warnings ?? []),
            ...offers.flatMap(({state}) => state.transfer.warnings),
        ],
    };
}

/**
 * Takes away what only this feature needs; protected versions stay on the disk, unlinked.
 * @param elsewhere its images for other systems
 */
export function planRemoval(
    feature: Feature,
    states: readonly TransferState[],
    writes: PlanPart['writes'],
    elsewhere: readonly string[] = [],
): PlanPart {
    for (const state of states) checkLink(feature, state);
    return {
        feature: feature.id,
        version: '',
        fetches: [],
        links: states.flatMap(state => planLinks(state, null)),
        extensions: states.map(state => ({
            name: state.extension,
            image: null,
            active: state.active?.path ?? null,
            isMerged: state.isMerged,
        })),
        writes,
        removals: [
            ...new Set([
                ...states.flatMap(({installed, transfer}) =>
                    installed
                        .filter(({version}) => !transfer.protectVersions.includes(version))
                        .map(({path}) => path),
                ),
                ...elsewhere,
            ]),
        ],
        warnings: [],
    };
}

/** Whether a part changes nothing at all, on the disk or in what is merged. */
export function isEmptyPart(part: PlanPart, merge: boolean): boolean {
    return (
        part.fetches.length === 0 &&
        part.links.length === 0 &&
        part.writes.length === 0 &&
        part.removals.length === 0 &&
        !(merge && needsMerge(part))
    );
}

/** Whether systemd-sysext has something to do for a part. */
export function needsMerge({extensions}: PlanPart): boolean {
    return extensions.some(({image, active, isMerged}) =>
        image === null ? isMerged : active !== image,
    );
}

/** Features may share a transfer: what an earlier part does, a later one need not do again. */
export function withoutRepetition(parts: readonly PlanPart[]): readonly PlanPart[] {
    const seen = new Set<string>();
    const isFirst = (what: string): boolean => !seen.has(what) && Boolean(seen.add(what));
    return parts.map(part => ({
        ...part,
        fetches: part.fetches.filter(({to}) => isFirst(`fetch ${to}`)),
        links: part.links.filter(({path}) => isFirst(`link ${path}`)),
        writes: part.writes.filter(({path}) => isFirst(`write ${path}`)),
        removals: part.removals.filter(path => isFirst(`remove ${path}`)),
    }));
}

/** The steps of a plan, a line each. */
export function describePlan(plan: Plan): readonly string[] {
    const lines: string[] = [];
    for (const part of plan.parts) {
        for (const {from, to} of part.fetches) lines.push(`fetch ${from} to ${to}`);
        for (const {path, target} of part.links)
            lines.push(target === null ? `remove ${path}` : `link ${path} to ${target}`);
    }
    if (plan.merge) {
        for (const {image, isMerged, name, active} of plan.parts.flatMap(p => p.extensions)) {
            if (image === null && isMerged) lines.push(`unmerge ${name}`);
            if (image !== null && active !== image) lines.push(`merge ${name}`);
        }
    }
    for (const {path} of [...plan.parts.flatMap(part => part.writes), ...plan.writes])
        lines.push(`write ${path}`);
    for (const path of plan.parts.flatMap(part => part.removals)) lines.push(`remove ${path}`);
    return lines;
}

/** The version on disk that all transfers of a feature have linked; null: none, or not the same. */
export function linkedVersion(states: readonly TransferState[]): string | null {
    const [first, ...others] = states.map(({linked}) => linked?.version ?? null);
    return first !== undefined && others.every(version => version === first) ? first : null;
}

/** Versions that all transfers of a feature have, newest first. */
export function commonVersions(lists: readonly (readonly string[])[]): readonly string[] {
    const [first = [], ...others] = lists;
    return [...new Set(first)]
        .filter(version => others.every(list => list.includes(version)))
        .sort((a, b) => compareVersions(b, a));
}

export function usableVersions({installed}: TransferState): readonly string[] {
    return installed.filter(({usable}) => usable).map(({version}) => version);
}

function chooseVersion(
    feature: Feature,
    offers: readonly TransferOffer[],
    {version: wanted, skipped, unfit}: InstallOptions,
): string {
    const versions = commonVersions(
        offers.map(({state, available}) => [
            ...usableVersions(state),
            ...available.map(({version}) => version),
        ]),
    ).filter(version => !unfit?.has(version));
    if (wanted !== undefined) {
        if (versions.includes(wanted)) return wanted;
        throw new SnowError('NotFound', `${feature.id} has no version ${wanted}`);
    }
    const linked = linkedVersion(offers.map(({state}) => state));
    const current = linked !== null && unfit?.has(linked) ? null : linked;
    const newest = versions.find(version => !skipped?.has(version));
    if (newest === undefined) {
        if (current !== null) return current;
        throw new SnowError('NotFound', `No version of ${feature.id} is offered for this system`);
    }
    return current !== null && compareVersions(newest, current) < 0 ? current : newest;
}

function planTransfer(
    {state, available}: TransferOffer,
    version: string,
): {readonly image: string; readonly fetch: Fetch | null} {
    const {transfer, installed, extension} = state;
    const present = installed.find(instance => instance.version === version && instance.usable);
    if (present) return {image: present.path, fetch: null};
    const instance = available.find(offered => offered.version === version);
    // chooseVersion() takes no version that is neither here nor offered.
    if (!instance) throw new SnowError('NotFound', `${transfer.name} ${version} is not offered`);
    const to = imagePath(transfer, version, instance.fields);
    const from = sourceAddress(transfer, instance.fileName);
    return {image: to, fetch: {transfer, instance, from, to, extension}};
}

function planLinks({link, mirror}: TransferState, image: string | null): PlanPart['links'] {
    return [link, mirror]
        .filter(present => present !== null)
        .map(({path, target}) => ({
            path,
            before: target,
            target: image === null ? null : linkTarget(path, image),
        }))
        .filter(({before, target}) => before !== target)
        .map(({path, target}) => ({path, target}));
}

/**
 * What InstancesMax= leaves no room for once `version` is linked, the oldest first. The linked, the
 * running, the one before (to go back to) and protected versions stay, even where they are too many.
 */
function planRetention(
    {transfer, installed, linked, active}: TransferState,
    version: string,
    needed?: ReadonlySet<string>,
): readonly string[] {
    const isKept = (instance: InstalledInstance): boolean =>
        instance.version === version ||
        (needed?.has(instance.path) ?? false) ||
        instance.path === linked?.path ||
        instance.path === active?.path ||
        transfer.protectVersions.includes(instance.version);
    const isNew = !installed.some(instance => instance.version === version);
    let surplus = installed.length + (isNew ? 1 : 0) - transfer.target.instancesMax;
    const removed: string[] = [];
    for (const instance of [...installed].reverse()) {
        if (surplus <= 0) break;
        if (isKept(instance)) continue;
        removed.push(instance.path);
        surplus--;
    }
    return removed;
}

function checkLayout(feature: Feature, state: TransferState): void {
    const {transfer} = state;
    if (isSearched(transfer.target.path)) {
        throw new SnowError(
            'NotSupported',
            `${feature.id}: ${transfer.origin} puts images into ${transfer.target.path}, where systemd-sysext would merge all versions at once`,
        );
    }
    checkLink(feature, state);
}

function checkLink(feature: Feature, {link, mirror}: TransferState): void {
    const blocked = [link, mirror].find(present => present?.isBlocked);
    if (!blocked) return;
    throw new SnowError(
        'WrongState',
        `${feature.id}: ${blocked.path} is not a symbolic link; move it away first`,
    );
}
