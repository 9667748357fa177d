// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import {CHANNEL_NAME} from '../../image/channels.ts';
import {parseReference} from '../../host/image-reference.ts';
import {isSameReference} from '../../image/references.ts';
import type {CommandAction, Context} from '../context.ts';
import {didYouMean} from '../suggestions.ts';
import {printable, quoted} from '../text.ts';
import {change} from './change.ts';
import {switchRequest} from './job.ts';
import {planSwitch, refuseIncapable, showPlan} from './plan.ts';
import {connect, readImageState} from './service.ts';
import type {ChannelSummary, ImageState} from './state.ts';
import {imageName} from './view.ts';

/** What a word means: a channel of the list, or a reference that none of them has. */
export type SwitchTarget =
    | {readonly kind: 'channel'; readonly channel: ChannelSummary}
    | {readonly kind: 'reference'; readonly reference: string};

export const switchImage: CommandAction = async (context, [word = '']) => {
    const {isDryRun} = context.settings;
    refuseMalformed(word);
    await using client = await connect(context);
    const state = await readImageState(client);
    const canSwitch = state.capabilities.includes('switch');
    if (isDryRun) refuseIncapable(state, 'switch');
    const target = canSwitch ? findTarget(state, word) : null;
    // What cannot be done at all the service says better, with what to do by hand.
    if (!target) return await change(context, client, switchRequest(word, CHANNEL_NAME.test(word)));

    const reference = target.kind === 'channel' ? target.channel.image : target.reference;
    if (isSameReference(state.followed, reference))
        throw new SnowError(
            'WrongState',
            `This system follows ${reference} already; its newest image: snowctl image update`,
        );
    if (isDryRun) return showPlan(context, planSwitch(state, reference));
    if (!(await isMeant(context, state, target)))
        throw new SnowError('Cancelled', 'Nothing was changed');
    return await change(
        context,
        client,
        target.kind === 'channel'
            ? switchRequest(target.channel.name, true)
            : switchRequest(reference, false),
    );
};

/** Before anybody is asked anything. Throws SnowError InvalidArgs. */
export function refuseMalformed(word: string): void {
    if (!CHANNEL_NAME.test(word)) parseReference(word);
}

/** Throws SnowError NotFound. */
export function findTarget({channels}: ImageState, word: string): SwitchTarget {
    const named = channels.find(({name}) => name === word);
    const channel = named ?? channels.find(({image}) => isSameReference(image, word));
    // What is followed and in no file is listed by its reference.
    if (channel && CHANNEL_NAME.test(channel.name)) return {kind: 'channel', channel};
    if (!CHANNEL_NAME.test(word)) return {kind: 'reference', reference: word};
    const hint = didYouMean(
        word,
        channels.map(({name}) => name),
    );
    throw new SnowError(
        'NotFound',
        `There is no channel ${quoted(word)} for this system${hint || '; "snowctl image channels" lists them'}`,
    );
}

/** Asked only where somebody reads it. */
async function isMeant(
    {output, settings, confirm}: Context,
    state: ImageState,
    target: SwitchTarget,
): Promise<boolean> {
    if (settings.isConfirmed || !output.isHuman || !confirm) return true;
    return confirm(switchQuestion(state, target));
}

/** What a switch means, and whether it is to be. */
export function switchQuestion({followed, staged}: ImageState, target: SwitchTarget): string {
    const reference = target.kind === 'channel' ? target.channel.image : target.reference;
    const title = target.kind === 'channel' ? ` (${target.channel.title})` : '';
    return [
        `This system follows ${followed || 'no image'}. From the next restart on it would follow ${reference}${title}.`,
        'Its newest image is fetched and staged now; the running system is left as it is.',
        'Enabled extensions follow it. Those that have no version for it are named once it is staged, and are missing after the restart.',
        ...(target.kind === 'reference'
            ? ['It is no channel of this system: whoever makes that image controls this machine.']
            : []),
        ...(staged ? [`${imageName(staged)}, which is staged, is discarded.`] : []),
        'Switch?',
    ]
        .map(printable)
        .join('\n');
}
