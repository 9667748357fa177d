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
    'Image.Switch': 'Authentication is required to switch the system to $(channel)',
    'Image.SwitchReference':
        'Authentication is required to switch the system to the image $(reference)',
    'Image.Rollback': 'Authentication is required to go back to the previous system',
    'Image.Unstage': 'Authentication is required to take back the change that waits for a restart',
};

/** What may stand in a prompt without being taken for a part of its text. */
const featureName = /^[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}$/;
const channelName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const reference = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,255}$/;

/** Details of a call for polkit's prompt; without any, the message of the action is shown. */
export function promptDetails(
    interfaceName: string,
    member: string,
    path: string,
    args: readonly unknown[],
): Readonly<Record<string, string>> {
    const short = interfaceName.slice(interfaceName.lastIndexOf('.') + 1);
    const key = `${short}.${member}`;
    const message = Object.hasOwn(prompts, key) ? prompts[key] : undefined;
    if (message === undefined) return {};
    const [, variable] = /\$\((\w+)\)/.exec(message) ?? [];
    const details = {'polkit.message': message};
    switch (variable) {
        case 'feature':
            return withValue(details, variable, decodeLastElement(path), featureName);
        case 'channel':
            return withValue(details, variable, args[0], channelName);
        case 'reference':
            return withValue(details, variable, args[0], reference);
        default:
            return details;
    }
}

/** No details at all for a value that may not be shown. */
function withValue(
    details: Readonly<Record<string, string>>,
    variable: string,
    value: unknown,
    grammar: RegExp,
): Readonly<Record<string, string>> {
    return typeof value === 'string' && grammar.test(value) ? {...details, [variable]: value} : {};
}
