// SPDX-License-Identifier: GPL-2.0-or-later
// What is answered from the machine itself, without the service.

import {readFeatures, readSummary} from '../features/state.ts';
import type {CommandAction} from './context.ts';
import {SUCCESS} from './exit-codes.ts';
import {findFeature} from './feature-names.ts';
import {featureDetails, featureSummary, listText, showText} from './feature-view.ts';
import {timeText} from './units.ts';

export const listFeatures: CommandAction = async ({host, output}) => {
    const states = await readFeatures(host);
    output.result({features: states.map(featureSummary)}, () => listText(states, output.style));
    return SUCCESS;
};

export const showFeature: CommandAction = async ({host, output}, [name = '']) => {
    const state = findFeature(await readFeatures(host), name);
    output.result(featureDetails(state), () => showText(state, output.style));
    return SUCCESS;
};

export const showAutomatic: CommandAction = async ({host, output}) => {
    const {Automatic, LastCheck} = await readSummary(host);
    output.result(
        {automatic: Automatic, lastCheck: LastCheck},
        () =>
            `Automatic updates are ${Automatic ? 'on' : 'off'}. Last check: ${timeText(LastCheck)}.\n`,
    );
    return SUCCESS;
};
