// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import {presetSettings} from '../../intune/settings.ts';
import type {CommandAction, Context} from '../context.ts';
import {SUCCESS} from '../exit-codes.ts';
import {didYouMean} from '../suggestions.ts';
import {quoted} from '../text.ts';
import {tell} from './machine.ts';
import {findOwner} from './owner.ts';
import {connect, readContainer, runContainerJob} from './service.ts';

const switches: Readonly<Record<string, boolean>> = {
    yes: true,
    on: true,
    true: true,
    no: false,
    off: false,
    false: false,
};

type Changes = Readonly<Record<string, string | boolean>>;

/** From KEY=VALUE each; what a text may be, the service knows. Throws SnowError InvalidArgs. */
export function parseChanges(words: readonly string[]): Changes {
    const presets = presetSettings();
    const changes: Record<string, string | boolean> = {};
    for (const word of words) {
        const end = word.indexOf('=');
        if (end < 0) throw invalid(`${quoted(word)} is not KEY=VALUE`);
        const key = word.slice(0, end);
        const value = word.slice(end + 1);
        const preset = Object.hasOwn(presets, key) ? presets[key] : undefined;
        if (preset === undefined)
            throw invalid(
                `There is no setting ${quoted(key)}${didYouMean(key, Object.keys(presets))}`,
            );
        if (typeof preset === 'string') {
            changes[key] = value;
            continue;
        }
        const flag = Object.hasOwn(switches, value) ? switches[value] : undefined;
        if (flag === undefined) throw invalid(`${key} takes yes or no, not ${quoted(value)}`);
        changes[key] = flag;
    }
    return changes;
}

export const configureContainer: CommandAction = async (context, words) =>
    changeSettings(context, parseChanges(words), 'The settings are changed.');

export const switchAutostart: CommandAction = async (context, [word = '']) => {
    if (word !== 'status') {
        const isOn = word === 'on';
        const text = `The container is ${isOn ? 'started' : 'not started'} at login.`;
        return changeSettings(context, {autostart: isOn}, text);
    }
    const {output} = context;
    const owner = await findOwner(context);
    await using client = await connect(context);
    const container = await readContainer(client, owner);
    const autostart = container?.settings['autostart'] === true;
    output.result({uid: owner.uid, autostart}, () => `${autostart ? 'on' : 'off'}\n`);
    return SUCCESS;
};

/** The others count from the next start. */
const atOnce = new Set(['autostart', 'cameras', 'security-keys', 'listed-devices']);

export async function changeSettings(
    context: Context,
    changes: Changes,
    text: string,
): Promise<number> {
    const owner = await findOwner(context);
    await using client = await connect(context);
    const results = await runContainerJob(context, client, owner, {
        operation: 'configure',
        method: 'Configure',
        signature: 'a{sv}',
        args: [changes],
    });
    const isAtOnce = Object.keys(changes).every(key => atOnce.has(key));
    return tell(context, owner, 'configure', results, ({'restart-needed': isRestartNeeded}) =>
        isRestartNeeded === true && !isAtOnce
            ? `${text} They count from the next start: snowctl intune restart`
            : text,
    );
}

function invalid(text: string): SnowError {
    return new SnowError('InvalidArgs', text);
}
