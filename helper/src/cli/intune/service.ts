// SPDX-License-Identifier: GPL-2.0-or-later
import {IntuneInterface} from '../../generated/dbus.ts';
import type {Results} from '../../host/domain.ts';
import {SnowError} from '../../host/error.ts';
import {machineName} from '../../intune/model.ts';
import {type ServiceClient, connectToService} from '../client.ts';
import type {Context} from '../context.ts';
import {followJob} from '../followed-job.ts';
import type {ChangeRequest, RunningJob} from '../runner.ts';
import type {ContainerOwner} from './owner.ts';
import {type ContainerSummary, containerSummary} from './state.ts';

/** What the service is asked to do with a container. */
export interface ContainerRequest {
    /** Of the operation on the bus: `init`. */
    readonly operation: string;
    readonly method: keyof typeof IntuneInterface.methods;
    /** Arguments before the options, with their D-Bus signature. */
    readonly signature?: string;
    readonly args?: readonly unknown[];
    readonly options?: ChangeRequest['options'];
    /** Whether its worker goes on without the service. */
    readonly goesOn?: true;
}

/** Has the service started, too: everything here needs it. Throws SnowError. */
export function connect({settings, canAskOnTerminal}: Context): Promise<ServiceClient> {
    const {mayAskPassword} = settings;
    return connectToService({mayAskPassword, hasTerminal: canAskOnTerminal, startsService: true});
}

function containerPath({uid}: ContainerOwner): string {
    return `Intune/u${uid}`;
}

/** Null: nobody is logged in who could have one. Throws SnowError. */
export async function readContainer(
    client: ServiceClient,
    owner: ContainerOwner,
): Promise<ContainerSummary | null> {
    try {
        const properties = await client.readProperties(containerPath(owner), IntuneInterface.name);
        return containerSummary(properties);
    } catch (error) {
        if (error instanceof SnowError && error.code === 'NotFound') return null;
        throw error;
    }
}

/** Has it begun. Throws SnowError. */
export async function startContainerJob(
    client: ServiceClient,
    owner: ContainerOwner,
    request: ContainerRequest,
): Promise<RunningJob> {
    const {operation, method, signature = '', args = [], options = {}, goesOn} = request;
    const target = machineName(owner.uid);
    try {
        return await client.start({
            path: containerPath(owner),
            interfaceName: IntuneInterface.name,
            method,
            signature,
            args,
            options,
            shownBy: 'intune status',
            ...(goesOn && {goesOn: {operation: `intune.${operation}`, target}}),
        });
    } catch (error) {
        if (error instanceof SnowError && error.code === 'NotFound')
            throw new SnowError(
                'NotFound',
                `${owner.label} has no container and is not logged in`,
                {cause: error},
            );
        throw error;
    }
}

/** Has it done, shows it, and says what it warned of. Null: the job was only started. */
export async function runContainerJob(
    context: Context,
    client: ServiceClient,
    owner: ContainerOwner,
    request: ContainerRequest,
): Promise<Results | null> {
    const {output, settings} = context;
    const job = await startContainerJob(client, owner, request);
    const {operation} = request;
    const document = {job: job.number, operation, uid: owner.uid};
    output.event({type: 'job', ...document});
    if (!settings.isWaiting) {
        output.result(document, () => `Job ${job.number} is started.\n`);
        return null;
    }
    const results = await followJob(context, job, '');
    const {warnings} = results;
    if (Array.isArray(warnings)) for (const warning of warnings) output.note(`Note: ${warning}`);
    return results;
}

/** What JSON says of its end. */
export function outcomeDocument(
    {uid}: ContainerOwner,
    operation: string,
    results: Results,
): Readonly<Record<string, unknown>> {
    const entries = Object.entries(results).map(([key, value]) => [camelCase(key), value]);
    return {operation, uid, ...Object.fromEntries(entries)};
}

function camelCase(key: string): string {
    return key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
