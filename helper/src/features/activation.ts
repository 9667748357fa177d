// SPDX-License-Identifier: GPL-2.0-or-later
import {isTransferActive, transfersOfFeature} from './definitions.ts';
import type {Definitions, Feature, Transfer} from './model.ts';

/** A switch as it is going to be. */
export interface Switched {
    readonly feature: Feature;
    readonly enabled: boolean;
}

/** The transfers of a feature, those that are to be there apart from the others. */
export function splitTransfers(
    definitions: Definitions,
    feature: Feature,
    switched?: Switched,
): {readonly active: readonly Transfer[]; readonly inactive: readonly Transfer[]} {
    const on = enabledNames(definitions, feature.component, switched);
    const transfers = transfersOfFeature(definitions, feature);
    return {
        active: transfers.filter(transfer => isTransferActive(transfer, on)),
        inactive: transfers.filter(transfer => !isTransferActive(transfer, on)),
    };
}

/** Features that have to be on as well, before this one can have all of its transfers. */
export function missingRequisites(
    definitions: Definitions,
    feature: Feature,
    switched?: Switched,
): readonly string[] {
    const on = enabledNames(definitions, feature.component, switched);
    const names = transfersOfFeature(definitions, feature)
        .filter(transfer => transfer.features.includes(feature.name))
        .flatMap(transfer => transfer.requisiteFeatures)
        .filter(name => name !== feature.name && !on.has(name));
    return [...new Set(names)];
}

/** Names mean features of the same component. */
function enabledNames(
    {features}: Definitions,
    component: string,
    switched: Switched | undefined,
): ReadonlySet<string> {
    return new Set(
        features
            .filter(feature => feature.component === component && !feature.masked)
            .filter(feature =>
                feature.id === switched?.feature.id ? switched.enabled : feature.enabled,
            )
            .map(({name}) => name),
    );
}
