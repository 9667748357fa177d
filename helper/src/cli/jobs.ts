// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import {connectToService, type JobState} from './client.ts';
import type {CommandAction, Context} from './context.ts';
import {SUCCESS} from './exit-codes.ts';
import {quoted} from './text.ts';
import {table} from './table.ts';

export const listJobs: CommandAction = async context => {
    await using service = await connect(context);
    const jobs = await service.listJobs(await doesJobGoOn(context));
    const {output} = context;
    output.result({jobs}, () =>
        jobs.length === 0
            ? 'There are no jobs.\n'
            : table(
                  ['JOB', 'STATE', 'OPERATION', 'TARGET', 'PROGRESS', 'STEP'],
                  jobs.map(jobRow),
                  output.style,
              ),
    );
    return SUCCESS;
};

export const cancelJob: CommandAction = async (context, [word = '']) => {
    const number = /^(?:\/org\/frostyard\/Snow1\/Jobs\/)?(\d{1,10})$/.exec(word)?.[1];
    if (number === undefined)
        throw new SnowError('InvalidArgs', `${quoted(word)} is not the number of a job`);
    await using service = await connect(context);
    await service.cancelJob(number, await doesJobGoOn(context));
    context.output.result({canceled: number}, () => `Job ${number} is canceled.\n`);
    return SUCCESS;
};

/** Whether a job goes on without the service, which finds it again when it is started. */
async function doesJobGoOn({host}: Context): Promise<boolean> {
    const {readGoingOn} = await import('./going-on.ts');
    return readGoingOn(host);
}

function connect({settings, canAskOnTerminal}: Context) {
    const {mayAskPassword} = settings;
    return connectToService({mayAskPassword, hasTerminal: canAskOnTerminal});
}

function jobRow({number, state, operation, target, progress, step, error}: JobState) {
    const percent = progress < 0 ? '-' : `${Math.floor(progress * 100)}%`;
    return [number, state, operation, target || '-', percent, error?.message ?? step];
}
