// SPDX-License-Identifier: GPL-2.0-or-later
// From the cached properties to what the menu shows. Pure, so that it says nothing in any language.

import {type Feature, type Job, failure, featurePath, isRunning} from './snow-objects.js';
import {compareVersions} from './version-order.js';

/** Why a call was refused before there was a job. */
export interface Refusal {
    /** Name of the D-Bus error. */
    readonly name: string;
    readonly message: string;
}

/** What the view is made of, beside the feature itself. */
export interface Surroundings {
    /** Those of the features. */
    readonly jobs: readonly Job[];
    /** By object path: calls that wait for their answer, and the switch they ask for. */
    readonly asked: ReadonlyMap<string, boolean>;
    /** By object path. */
    readonly refusals: ReadonlyMap<string, Refusal>;
}

/** What only the next boot brings in line. */
export type Pending = 'none' | 'merged-at-boot' | 'unmerged-at-boot';

export interface FeatureView {
    readonly path: string;
    readonly name: string;
    readonly description: string;
    /** "5.4.2", "5.4.2 → 5.5.0" or empty. */
    readonly version: string;
    readonly isOn: boolean;
    /** The switch cannot be used now. */
    readonly isBusy: boolean;
    /** The running one. */
    readonly job: Job | null;
    /** What is wrong, in the service's words; empty: nothing. */
    readonly problem: string;
    readonly pending: Pending;
}

export interface Summary {
    readonly activeCount: number;
    readonly updateCount: number;
    /** The running job that is told in a few words. */
    readonly job: Job | null;
    /** The running job that belongs to no single feature. */
    readonly commonJob: Job | null;
    /** What the last job that belongs to no single feature failed with; empty: it did not. */
    readonly commonProblem: string;
}

const SWITCHED_TO: Readonly<Record<string, boolean>> = {
    'features.enable': true,
    'features.disable': false,
};

export function viewFeature(feature: Feature, around: Surroundings): FeatureView {
    const jobs = around.jobs.filter(job => belongsTo(job, feature));
    const job = jobs.findLast(isRunning) ?? null;
    const asked = around.asked.get(feature.path);
    const refusal = around.refusals.get(feature.path);
    const switchedTo = job ? SWITCHED_TO[job.Operation] : asked;
    const isBusy = job !== null || asked !== undefined;
    return {
        path: feature.path,
        name: feature.Name,
        description: feature.Description,
        version: versionText(feature),
        isOn: switchedTo ?? feature.Enabled,
        isBusy,
        job,
        problem: isBusy ? '' : refusal?.message || failure(jobs) || feature.Problem,
        pending: isBusy ? 'none' : pendingState(feature),
    };
}

export function summarize(features: readonly Feature[], jobs: readonly Job[]): Summary {
    const running = jobs.filter(isRunning);
    const common = jobs.filter(job => job.Target === '');
    return {
        activeCount: features.filter(feature => feature.Active !== '').length,
        updateCount: features.filter(hasUpdate).length,
        job: running.find(job => job.Operation !== 'features.check') ?? running[0] ?? null,
        commonJob: common.findLast(isRunning) ?? null,
        commonProblem: failure(common),
    };
}

/** Whether UpdateAll would do something about it. */
export function hasUpdate(feature: Feature): boolean {
    return (
        feature.Enabled &&
        feature.Installed !== '' &&
        feature.Newest !== '' &&
        compareVersions(feature.Newest, feature.Installed) > 0
    );
}

/** 0 to 100, or null while it cannot be known: also when more is to be done than could be counted. */
export function percent({Progress, BytesTotal}: Job): number | null {
    if (Progress < 0 || (Progress >= 1 && BytesTotal === 0)) return null;
    return Math.floor(Math.min(Progress, 1) * 100);
}

function versionText(feature: Feature): string {
    const here = feature.Active || feature.Installed;
    if (!here) return feature.Newest;
    const next = hasUpdate(feature) ? feature.Newest : feature.Installed;
    return next && next !== here ? `${here} → ${next}` : here;
}

export function pendingState(feature: Feature): Pending {
    if (!feature.Enabled) return feature.Active ? 'unmerged-at-boot' : 'none';
    return feature.Installed && feature.Installed !== feature.Active ? 'merged-at-boot' : 'none';
}

function belongsTo(job: Job, feature: Feature): boolean {
    return job.Target !== '' && featurePath(job.Target) === feature.path;
}
