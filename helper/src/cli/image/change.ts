// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import type {ServiceClient} from '../client.ts';
import type {CommandAction, Context} from '../context.ts';
import {exitCodes, SUCCESS} from '../exit-codes.ts';
import {
    type ImageRequest,
    checkRequest,
    downloadRequest,
    rollbackRequest,
    runImageJob,
    softUpdateRequest,
    unstageRequest,
    updateRequest,
} from './job.ts';
import {type ImageOutcome, outcomeText} from './outcome.ts';
import {planRollback, planUnstage, planUpdate, refuseIncapable, showPlan} from './plan.ts';
import {type RestartKind, restart} from './restart.ts';
import {connect, readImageState} from './service.ts';
import {type ImageState, nextImage} from './state.ts';
import {imageName} from './view.ts';

export const checkImage: CommandAction = async context => {
    await using client = await connect(context);
    return await change(context, client, checkRequest);
};

export const updateImage: CommandAction = async context => {
    const {isDryRun, isDownloadOnly, isApplying, maySoftReboot} = context.settings;
    await using client = await connect(context);
    if (isDryRun) return await planFromCheck(context, client);
    const outcome = await runImageJob(
        context,
        client,
        isDownloadOnly ? downloadRequest : maySoftReboot ? softUpdateRequest : updateRequest,
    );
    if (!outcome) return SUCCESS;
    return isApplying ? await apply(context, client, outcome) : tell(context, outcome);
};

export const rollBackImage: CommandAction = async context => {
    const {output, settings} = context;
    await using client = await connect(context);
    const state = await readImageState(client);
    // What cannot be done at all the service says better, with what to do by hand.
    if (settings.isDryRun) refuseIncapable(state, 'rollback');
    if (state.booted && !state.rollback && state.capabilities.includes('rollback'))
        throw new SnowError('WrongState', 'There is no earlier image to go back to');
    if (settings.isDryRun) return showPlan(context, planRollback(state));
    if (state.staged && state.capabilities.includes('rollback'))
        output.note(`${imageName(state.staged)}, which is staged, is discarded.`);
    return await change(context, client, rollbackRequest);
};

export const unstageImage: CommandAction = async context => {
    const {settings} = context;
    await using client = await connect(context);
    const state = await readImageState(client);
    if (settings.isDryRun) refuseIncapable(state, 'unstage');
    if (state.booted && !nextImage(state))
        throw new SnowError('WrongState', 'The next restart starts the running image already');
    if (settings.isDryRun) return showPlan(context, planUnstage(state));
    return await change(context, client, unstageRequest);
};

/** Has it done, and says how it ended. */
export async function change(
    context: Context,
    client: ServiceClient,
    request: ImageRequest,
): Promise<number> {
    const outcome = await runImageJob(context, client, request);
    return outcome ? tell(context, outcome) : SUCCESS;
}

function tell({output}: Context, outcome: ImageOutcome): number {
    output.result(outcome, () => `${outcomeText(outcome)}\n`);
    return SUCCESS;
}

/** The source is asked, and nothing else is done. */
async function planFromCheck(context: Context, client: ServiceClient): Promise<number> {
    const {settings} = context;
    const before = await readImageState(client);
    refuseIncapable(before, settings.isDownloadOnly ? 'download-only' : 'update');
    const found = await runImageJob(context, client, checkRequest);
    const state: ImageState = await readImageState(client);
    // It is waited for: --no-wait and --dry-run exclude each other.
    return found ? showPlan(context, planUpdate(state, found, settings)) : SUCCESS;
}

/** Restarts if there is something to restart for. */
async function apply(
    {output, settings}: Context,
    client: ServiceClient,
    outcome: ImageOutcome,
): Promise<number> {
    const text = outcomeText(outcome);
    const isStaged = outcome.outcome === 'staged' || (await readImageState(client)).staged !== null;
    if (!isStaged) {
        output.result({...outcome, restart: null}, () => `${text} It is not restarted.\n`);
        return SUCCESS;
    }
    const kind: RestartKind = outcome.softReboot ? 'soft-reboot' : 'reboot';
    try {
        await restart(client, kind, settings.mayAskPassword);
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        // What is staged stays, and so it is told.
        output.error(error, {...outcome, restart: null}, () => `${text}\n`);
        return exitCodes[error.code].status;
    }
    output.result({...outcome, restart: kind}, () => `${text} The system restarts now.\n`);
    return SUCCESS;
}
