// SPDX-License-Identifier: GPL-2.0-or-later
// What a restart would bring, of the OS image and of the features. Pure.
import {pendingState} from './feature-view.js';
import type {FeaturesProperties, ImageProperties} from './generated/dbus.js';
import {type Deployment, nextDeployment} from './image-deployment.js';
import type {Feature} from './snow-objects.js';

export interface RestartNeed {
    readonly isNeeded: boolean;
    /** What it would start; null: the image that runs already. */
    readonly image: Deployment | null;
    /** How many features it would merge, unmerge or bring to another version. */
    readonly featureCount: number;
}

export function restartNeed(
    image: ImageProperties | null,
    summary: FeaturesProperties | null,
    features: readonly Feature[],
): RestartNeed {
    const ofImage = image?.RestartNeeded ?? false;
    const ofFeatures = summary?.RestartNeeded ?? false;
    const pending = features.filter(feature => pendingState(feature) !== 'none');
    return {
        isNeeded: ofImage || ofFeatures,
        image: image && ofImage ? nextDeployment(image) : null,
        featureCount: ofFeatures ? pending.length : 0,
    };
}
