// SPDX-License-Identifier: GPL-2.0-or-later
import type {ExtensionsOfNextBoot, Progress} from '../host/domain.ts';
import type {Host} from '../host/host.ts';
import type {ImageDriver} from './driver.ts';
import {type ImageStatus, nextDeployment} from './model.ts';
import {readNextSystem, recordNextSystem} from './next-system.ts';

export interface NextExtensions {
    /** Features that the next boot will merge. */
    readonly ready: readonly string[];
    /** A line for each that it will not, for a person. */
    readonly warnings: readonly string[];
}

export interface FollowParts {
    readonly host: Host;
    readonly driver: ImageDriver;
    readonly extensions: ExtensionsOfNextBoot;
    readonly progress: Progress;
    readonly signal: AbortSignal;
}

const nothing: NextExtensions = {ready: [], warnings: []};

/** Looks into the image of the next boot, and keeps what those need who may not. */
export async function lookAhead(
    {host, driver}: Pick<FollowParts, 'host' | 'driver'>,
    status: ImageStatus,
): Promise<void> {
    const next = nextDeployment(status);
    await recordNextSystem(host, next, next && (await driver.stagedSystem(host, status)));
}

/** Fetches the extensions that fit the image of the next boot. Throws what the port throws. */
export async function fetchNextExtensions(
    {host, extensions, progress, signal}: FollowParts,
    status: ImageStatus,
): Promise<NextExtensions> {
    const next = nextDeployment(status);
    if (!next) return nothing;
    const system = await readNextSystem(host, next);
    if (!system) {
        const text =
            'The new image cannot be looked into: whether the extensions fit it shows after the restart';
        return {...nothing, warnings: [text]};
    }
    progress.step('Fetching extensions for the new image');
    const outlooks = await extensions.fetch(system, progress, signal);
    return {
        ready: outlooks.flatMap(({state, feature}) => (state === 'ready' ? [feature] : [])),
        warnings: outlooks.flatMap(({state, text, feature}) =>
            state === 'missing' ? [text || `${feature} has no version for the new image`] : [],
        ),
    };
}

/**
 * Has the extensions follow an image that another program staged. Nothing is done for one that was
 * followed before. Throws SnowError.
 */
export async function followStaged(
    parts: FollowParts,
    journal: {info(text: string): void; notice(text: string): void},
): Promise<void> {
    const status = await parts.driver.status(parts.host);
    const next = nextDeployment(status);
    if (next && (await readNextSystem(parts.host, next).catch(() => null))) return;
    await lookAhead(parts, status);
    if (!next) return;
    const {ready, warnings} = await fetchNextExtensions(parts, status);
    const version = next.version ?? next.image;
    if (ready.length > 0) journal.info(`Ready for ${version}: ${ready.join(', ')}`);
    for (const warning of warnings) journal.notice(warning);
}
