// SPDX-License-Identifier: GPL-2.0-or-later
import {featurePath} from '../features/object.ts';
import {FeatureInterface, FeaturesInterface} from '../generated/dbus.ts';
import type {ChangeRequest} from './runner.ts';

/** One change that a command makes. */
export interface Change {
    readonly operation: 'enable' | 'disable' | 'update' | 'rollback' | 'check' | 'auto';
    /** Id of the feature; empty: all. */
    readonly feature: string;
    readonly request: ChangeRequest;
}

export interface ChangeOptions {
    readonly isMerging: boolean;
    readonly isAutomatic: boolean;
}

/** The service's defaults are not sent. */
function mergeOption({isMerging}: ChangeOptions): ChangeRequest['options'] {
    return isMerging ? {} : {merge: false};
}

function featureChange(
    operation: Change['operation'],
    feature: string,
    method: keyof typeof FeatureInterface.methods,
    options: ChangeRequest['options'],
    args: readonly string[] = [],
): Change {
    return {
        operation,
        feature,
        request: {
            path: featurePath(feature),
            interfaceName: FeatureInterface.name,
            method,
            signature: 's'.repeat(args.length),
            args,
            options,
        },
    };
}

export function enableChange(feature: string, options: ChangeOptions): Change {
    return featureChange('enable', feature, 'Enable', mergeOption(options));
}

export function disableChange(feature: string): Change {
    return featureChange('disable', feature, 'Disable', {});
}

export function updateChange(feature: string, options: ChangeOptions): Change {
    return featureChange('update', feature, 'Update', mergeOption(options));
}

/** Empty version: the newest that is older than the installed one. */
export function rollbackChange(feature: string, version: string, options: ChangeOptions): Change {
    return featureChange('rollback', feature, 'Rollback', mergeOption(options), [version]);
}

function allFeaturesChange(
    operation: Change['operation'],
    method: keyof typeof FeaturesInterface.methods,
    part: Partial<ChangeRequest>,
): Change {
    const interfaceName = FeaturesInterface.name;
    const request = {path: 'Features', interfaceName, method, signature: '', args: [], options: {}};
    return {operation, feature: '', request: {...request, ...part}};
}

export function updateAllChange(options: ChangeOptions): Change {
    return allFeaturesChange('update', 'UpdateAll', {
        options: {...mergeOption(options), ...(options.isAutomatic && {automatic: true})},
    });
}

export function checkChange(): Change {
    return allFeaturesChange('check', 'Check', {});
}

export function automaticChange(isOn: boolean): Change {
    return allFeaturesChange('auto', 'SetAutomatic', {signature: 'b', args: [isOn]});
}
