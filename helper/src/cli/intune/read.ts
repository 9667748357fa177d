// SPDX-License-Identifier: GPL-2.0-or-later
// What is only shown.

import {SnowError} from '../../host/error.ts';
import {type ServiceClient, connectToService} from '../client.ts';
import type {CommandAction} from '../context.ts';
import {SUCCESS} from '../exit-codes.ts';
import {type Inspection, failedInspection, parseInspection} from './inspection.ts';
import {type ContainerOwner, findOwner} from './owner.ts';
import {readContainer, startContainerJob} from './service.ts';
import {type ContainerSummary, containerSummary} from './state.ts';
import {statusDocument, statusText} from './view.ts';

export const showContainer: CommandAction = async context => {
    const {output} = context;
    const owner = await findOwner(context);
    // Nobody is asked for a password to be shown something.
    const asking = {mayAskPassword: false, hasTerminal: false, startsService: true};
    await using client = await connectToService(asking);
    const container = (await readContainer(client, owner)) ?? containerSummary({});
    const inspection = await inspectContainer(client, owner, container);
    const now = Math.floor(Date.now() / 1000);
    output.result(statusDocument(owner.uid, container, inspection, now), () =>
        statusText(container, inspection, now, output.style),
    );
    return SUCCESS;
};

/** Looks into it. Null: it does not run, or the caller may not look. Throws no SnowError. */
export async function inspectContainer(
    client: ServiceClient,
    owner: ContainerOwner,
    {state}: ContainerSummary,
): Promise<Inspection | null> {
    if (state !== 'running') return null;
    try {
        const job = await startContainerJob(client, owner, {
            operation: 'inspect',
            method: 'Inspect',
        });
        const {report} = await job.follow({step: () => undefined, bytes: () => undefined});
        return parseInspection(String(report));
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        if (error.code === 'NotAuthorized' || error.code === 'WrongState') return null;
        return failedInspection(error.message);
    }
}
