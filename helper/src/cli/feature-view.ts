// SPDX-License-Identifier: GPL-2.0-or-later
// What people and programs are shown of a feature.

import type {FeatureState, ImageSummary, TransferSummary} from '../features/state.ts';
import {compareVersions} from '../host/versions.ts';
import {fields, table, type TableStyle} from './table.ts';
import {byteText} from './units.ts';

const NOTHING = '-';

/** Whether the last check found a newer version than the installed one. */
export function isUpdateAvailable({Installed, Newest}: FeatureState): boolean {
    return Installed !== '' && Newest !== '' && compareVersions(Newest, Installed) > 0;
}

/** `enabled, merged, update available` */
export function stateText(state: FeatureState): string {
    const {Enabled, Installed, Active, Problem} = state;
    return [
        Enabled ? 'enabled' : 'disabled',
        Active === '' ? '' : 'merged',
        Active !== '' && Installed !== Active ? 'restart needed' : '',
        isUpdateAvailable(state) ? 'update available' : '',
        Problem === '' ? '' : 'problem',
    ]
        .filter(Boolean)
        .join(', ');
}

/** The table of `features list`, and below it the problems. */
export function listText(states: readonly FeatureState[], style: TableStyle): string {
    if (states.length === 0) return 'There are no extensions: no .feature file was found.\n';
    const rows = states.map(state => [
        state.id,
        stateText(state),
        state.Installed || NOTHING,
        state.Newest || NOTHING,
        state.Description,
    ]);
    const list = table(['NAME', 'STATE', 'VERSION', 'NEWEST', 'DESCRIPTION'], rows, style);
    const problems = states
        .filter(({Problem}) => Problem !== '')
        .map(({id, Problem}) => [id, [Problem]] as const);
    return problems.length === 0 ? list : `${list}\n${fields(problems, style)}`;
}

/** All about one feature. */
export function showText(state: FeatureState, style: TableStyle): string {
    return fields(
        [
            ['Name', [state.id]],
            ['Description', given(state.Description)],
            ['Documentation', given(state.Documentation)],
            ['State', [stateText(state)]],
            ['Problem', given(state.Problem)],
            ['Version', given(state.Installed)],
            ['Merged', given(state.Active)],
            ['Newest', given(state.Newest)],
            ['Component', given(state.Component)],
            ['Defined by', [state.Origin]],
            ['Switched by', state.EnabledBy === state.Origin ? [] : given(state.EnabledBy)],
            ...state.transfers.flatMap(transferFields),
            ['Warning', state.warnings],
        ],
        style,
    );
}

function transferFields(
    transfer: TransferSummary,
): readonly (readonly [string, readonly string[]])[] {
    const {name, isActive, origin, source, target, verify, instancesMax, images} = transfer;
    return [
        ['Transfer', [isActive ? name : `${name} (not in use)`, origin]],
        ['From', [`${source} (${verify ? 'signed' : 'signatures are not checked'})`]],
        ['To', [`${target} (at most ${instancesMax} versions)`]],
        ['On disk', images.map(imageText)],
    ];
}

function imageText({version, path, size, isLinked, isMerged, isUsable}: ImageSummary): string {
    const words = [
        byteText(size),
        isLinked ? 'chosen' : '',
        isMerged ? 'merged' : '',
        isUsable ? '' : 'not usable as it is',
    ].filter(Boolean);
    return `${version} (${words.join(', ')}) ${path}`;
}

function given(text: string): readonly string[] {
    return text === '' ? [] : [text];
}

/** A feature as JSON shows it in lists. */
export function featureSummary(state: FeatureState) {
    return {
        id: state.id,
        name: state.Name,
        component: state.Component,
        description: state.Description,
        documentation: state.Documentation,
        enabled: state.Enabled,
        merged: state.Active !== '',
        installed: state.Installed,
        active: state.Active,
        newest: state.Newest,
        updateAvailable: isUpdateAvailable(state),
        versions: state.Versions,
        origin: state.Origin,
        problem: state.Problem,
    };
}

/** A feature as JSON shows it alone. */
export function featureDetails(state: FeatureState) {
    return {
        ...featureSummary(state),
        enabledBy: state.EnabledBy,
        warnings: state.warnings,
        transfers: state.transfers,
    };
}
