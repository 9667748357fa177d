// SPDX-License-Identifier: GPL-2.0-or-later
import {isActivationToken} from '../../intune/session-environment.ts';
import type {CommandAction, Context} from '../context.ts';
import {tell} from './machine.ts';
import {withNotifier} from './notifier.ts';
import {findOwner} from './owner.ts';
import {connect, runContainerJob} from './service.ts';
import {sessionOption} from './session.ts';

export const openApplication: CommandAction = async (context, [application = '', ...args]) => {
    const {host, settings, environment} = context;
    const notifying = settings.intune.isNotifying ? host : null;
    return await withNotifier(notifying, titleOf(application), async () => {
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
                ...tokenOption(environment),
            },
        });
        return tell(context, owner, 'open', results, () => `${application} is started.`);
    });
};

/** What a launcher gave us, for the window of what it launched; see the desktop entry specification. */
function tokenOption(
    environment: Context['environment'],
): Readonly<Record<'activation-token', string>> | undefined {
    const token = environment['XDG_ACTIVATION_TOKEN'] ?? environment['DESKTOP_STARTUP_ID'] ?? '';
    return token !== '' && isActivationToken(token) ? {'activation-token': token} : undefined;
}

/** For people. */
function titleOf(application: string): string {
    return {edge: 'Microsoft Edge', portal: 'Intune Portal'}[application] ?? application;
}
