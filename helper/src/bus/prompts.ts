// SPDX-License-Identifier: GPL-2.0-or-later
import {decodeLastElement} from './paths.ts';

/** What a person is asked for, where the method says more than its action does. */
const prompts: Readonly<Record<string, string>> = {
    'Feature.Enable': 'Authentication is required to turn on the system extension $(feature)',
    'Feature.Disable': 'Authentication is required to turn off the system extension $(feature)',
    'Feature.Update': 'Authentication is required to update the system extension $(feature)',
    'Feature.Rollback':
        'Authentication is required to go back to an older version of the system extension $(feature)',
    'Features.SetAutomatic':
        'Authentication is required to turn automatic updates of system extensions on or off',
};

/** A name that may stand in a prompt without being taken for a part of its text. */
const featureName = /^[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}$/;

/** Details of a call for polkit's prompt; without any, the message of the action is shown. */
export function promptDetails(
    interfaceName: string,
    member: string,
    path: string,
): Readonly<Record<string, string>> {
    const short = interfaceName.slice(interfaceName.lastIndexOf('.') + 1);
    const key = `${short}.${member}`;
    const message = Object.hasOwn(prompts, key) ? prompts[key] : undefined;
    if (message === undefined) return {};
    if (!message.includes('$(feature)')) return {'polkit.message': message};
    const feature = decodeLastElement(path) ?? '';
    return featureName.test(feature) ? {'polkit.message': message, feature} : {};
}
