// SPDX-License-Identifier: GPL-2.0-or-later
import {ImageInterface} from '../../generated/dbus.ts';
import type {ServiceClient} from '../client.ts';
import type {Context} from '../context.ts';
import {followJob} from '../followed-job.ts';
import type {ChangeRequest} from '../runner.ts';
import {type ImageOperation, type ImageOutcome, outcomeOf} from './outcome.ts';

/** An operation on the image, as the service is asked for it. */
export interface ImageRequest {
    readonly operation: ImageOperation;
    readonly method: keyof typeof ImageInterface.methods;
    /** Channel or reference of a switch; null: it takes none. */
    readonly target: string | null;
    readonly options: ChangeRequest['options'];
}

export const checkRequest: ImageRequest = request('check', 'Check');
export const updateRequest: ImageRequest = request('update', 'Update');
/** As updateRequest, for a restart without the firmware. */
export const softUpdateRequest: ImageRequest = {
    ...request('update', 'Update'),
    options: {'soft-reboot': true},
};
export const downloadRequest: ImageRequest = {
    ...request('download', 'Update'),
    options: {'download-only': true},
};
export const rollbackRequest: ImageRequest = request('rollback', 'Rollback');
export const unstageRequest: ImageRequest = request('unstage', 'Unstage');

/** isListed: whether it is the name of a channel, and not a reference. */
export function switchRequest(target: string, isListed: boolean): ImageRequest {
    return {...request('switch', isListed ? 'Switch' : 'SwitchReference'), target};
}

function request(operation: ImageOperation, method: ImageRequest['method']): ImageRequest {
    return {operation, method, target: null, options: {}};
}

/** Has it done, shows it, and says what it warned of. Null: the job was only started. */
export async function runImageJob(
    context: Context,
    client: ServiceClient,
    {operation, method, target, options}: ImageRequest,
): Promise<ImageOutcome | null> {
    const {output, settings} = context;
    const args = target === null ? [] : [target];
    const job = await client.start({
        path: 'Image',
        interfaceName: ImageInterface.name,
        method,
        signature: 's'.repeat(args.length),
        args,
        options,
        goesOn: {operation: 'image.'},
        shownBy: 'image status',
    });
    const document = {job: job.number, operation, target: target ?? ''};
    output.event({type: 'job', ...document});
    if (!settings.isWaiting) {
        output.result(document, () => `Job ${job.number} is started.\n`);
        return null;
    }
    const outcome = outcomeOf(operation, target ?? '', await followJob(context, job, ''));
    for (const warning of outcome.warnings) output.note(`Note: ${warning}`);
    return outcome;
}
