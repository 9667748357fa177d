// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import type {CommandAction} from '../context.ts';
import {tell} from './machine.ts';
import {Notifier} from './notifier.ts';
import {findOwner} from './owner.ts';
import {connect, runContainerJob} from './service.ts';
import {sessionOption} from './session.ts';

export const openApplication: CommandAction = async (context, [application = '', ...args]) => {
    const {host, settings, environment} = context;
    await using notifier = settings.intune.isNotifying ? new Notifier(host) : null;
    notifier?.expectSlow(titleOf(application));
    try {
        const owner = await findOwner(context);
        await using client = await connect(context);
        const results = await runContainerJob(context, client, owner, {
            operation: 'open',
            method: 'Open',
            signature: 's',
            args: [application],
            options: {
                ...(args.length > 0 && {arguments: args}),
                ...sessionOption(environment, owner.uid),
            },
        });
        return tell(context, owner, 'open', results, () => `${application} is started.`);
    } catch (error) {
        if (error instanceof SnowError && error.code !== 'Cancelled')
            await notifier?.fail(titleOf(application), error.message);
        throw error;
    }
};

/** For people. */
function titleOf(application: string): string {
    return {edge: 'Microsoft Edge', portal: 'Intune Portal'}[application] ?? application;
}
