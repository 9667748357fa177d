// SPDX-License-Identifier: GPL-2.0-or-later
import type {Results} from '../../host/domain.ts';
import type {CommandAction, Context} from '../context.ts';
import {SUCCESS} from '../exit-codes.ts';
import {shortDigest} from '../image/view.ts';
import {withNotifier} from './notifier.ts';
import {type ContainerOwner, findOwner} from './owner.ts';
import {
    type ContainerRequest,
    connect,
    outcomeDocument,
    readContainer,
    runContainerJob,
} from './service.ts';
import {sessionOption} from './session.ts';

export const startContainer: CommandAction = async context => {
    const {host, settings, environment} = context;
    const owner = await findOwner(context);
    await using client = await connect(context);
    if (settings.intune.isIfConfigured) {
        const container = await readContainer(client, owner);
        if (container?.settings['autostart'] !== true || container.state === 'absent')
            return SUCCESS;
    }
    const options = sessionOption(environment, owner.uid);
    const request: ContainerRequest = {operation: 'start', method: 'Start', options};
    return await withNotifier(settings.intune.isNotifying ? host : null, 'Intune', async () => {
        const results = await runContainerJob(context, client, owner, request);
        return tell(context, owner, 'start', results, () => 'The container runs.');
    });
};

export const stopContainer: CommandAction = async context => {
    const owner = await findOwner(context);
    await using client = await connect(context);
    const request: ContainerRequest = {operation: 'stop', method: 'Stop'};
    const results = await runContainerJob(context, client, owner, request);
    return tell(context, owner, 'stop', results, () => 'The container is stopped.');
};

export const restartContainer: CommandAction = async context => {
    const owner = await findOwner(context);
    await using client = await connect(context);
    const options = sessionOption(context.environment, owner.uid);
    const request: ContainerRequest = {operation: 'restart', method: 'Restart', options};
    const results = await runContainerJob(context, client, owner, request);
    return tell(context, owner, 'restart', results, () => 'The container runs again.');
};

export const checkContainer: CommandAction = async context => {
    const owner = await findOwner(context);
    await using client = await connect(context);
    const request: ContainerRequest = {operation: 'check', method: 'Check'};
    const results = await runContainerJob(context, client, owner, request);
    return tell(context, owner, 'check', results, checkText);
};

function checkText({newer, image, digest}: Results): string {
    return newer === true
        ? `There is a newer image (${shortDigest(String(digest))}); "snowctl intune recreate" makes the container anew from it.`
        : `The newest image of ${String(image)} is ${shortDigest(String(digest))}; there is nothing to do.`;
}

/** @param results null: it is not waited for */
export function tell(
    {output}: Context,
    owner: ContainerOwner,
    operation: string,
    results: Results | null,
    sentence: (results: Results) => string,
): number {
    if (results)
        output.result(outcomeDocument(owner, operation, results), () => `${sentence(results)}\n`);
    return SUCCESS;
}
