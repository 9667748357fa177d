// SPDX-License-Identifier: GPL-2.0-or-later
import type {Results} from '../host/domain.ts';
import type {Change} from './requests.ts';
import {enumeration} from './text.ts';

/** How a change ended, as JSON shows it. */
export interface Outcome {
    readonly operation: Change['operation'];
    /** Id of the feature; empty: all. */
    readonly feature: string;
    /** Afterwards; empty: none, or more than one feature. */
    readonly version: string;
    /** Whether the running system has it. */
    readonly merged: boolean;
    readonly warnings: readonly string[];
    /** Ids of those that were changed, or by a check: that can be. */
    readonly features: readonly string[];
}

export function outcomeOf({operation, feature}: Change, results: Results): Outcome {
    return {
        operation,
        feature,
        version: String(results['version'] ?? ''),
        merged: results['merged'] === true,
        warnings: strings(results['warnings']),
        features: strings(results['features']),
    };
}

/** A sentence about it. isOffline: a tree that never merges. */
export function outcomeText(outcome: Outcome, isOffline: boolean): string {
    const {operation, feature, version, merged, features} = outcome;
    const isChanged = features.length > 0;
    const name = version === '' ? feature : `${feature} ${version}`;
    const whenActive = merged || isOffline || !isChanged ? '.' : '; restart to use it.';
    switch (operation) {
        case 'enable':
            if (!isChanged) return `${name} was enabled already.`;
            return merged ? `${name} is enabled and merged.` : `${name} is enabled${whenActive}`;
        case 'disable':
            return isChanged ? `${feature} is disabled.` : `${feature} was disabled already.`;
        case 'rollback':
            return isChanged
                ? `${feature} is back at ${version}${whenActive}`
                : `${name} is in use already.`;
        case 'update':
            if (feature !== '')
                return isChanged
                    ? `${feature} is updated to ${version}${whenActive}`
                    : `${name} is the newest already.`;
            return isChanged
                ? `${enumeration(features)} ${features.length === 1 ? 'is' : 'are'} updated${whenActive}`
                : 'Everything is up to date.';
        case 'check':
            return isChanged
                ? `${features.length === 1 ? 'An update is' : 'Updates are'} available for ${enumeration(features)}.`
                : 'Everything is up to date.';
        case 'auto':
            return 'Done.';
    }
}

function strings(value: Results[string] | undefined): readonly string[] {
    return Array.isArray(value) ? value.map(String) : [];
}
