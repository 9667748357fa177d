// SPDX-License-Identifier: GPL-2.0-or-later
// What is the container's in directories of its user, who may put there what they like.

import {basename, dirname} from 'node:path/posix';

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {OpenedDirectory} from '../host/opened-directory.ts';
import type {Owner} from './model.ts';

/** Of the user's home directory; the home directory in the container. */
export const HOME = 'Intune';

/** Removed with the container, below HOME; everything else there is the user's. */
export const ENROLMENT: readonly string[] = [
    '.config/intune',
    '.local/share/intune',
    '.local/share/intune-portal',
    '.local/share/keyrings',
    '.local/state/microsoft-identity-broker',
    '.cache/intune-portal',
];

/** Where intuneme keeps what it made, below the user's home directory. */
export const INTUNEME = '.local/share/intuneme';

/**
 * A directory below a user's home directory; null: it is not there. What is above the home directory
 * is the administrator's, who may have put links there.
 */
export async function openBelowHome(
    host: Host,
    {home}: Owner,
    path: string,
): Promise<OpenedDirectory | null> {
    const above = await host.files.resolve(dirname(home));
    return above === null
        ? null
        : OpenedDirectory.open(`${host.root}${above}/${basename(home)}/${path}`);
}

/** Makes the container's home directory, with no more rights than its user has. */
export async function makeHome(host: Host, owner: Owner): Promise<void> {
    await using home = await openBelowHome(host, owner, '');
    if (!home) throw new SnowError('NotFound', `There is no home directory ${owner.home}`);
    if ((await home.owner()) !== owner.uid)
        throw new SnowError('WrongState', `${home.path} is not ${owner.name}’s`);
    await home.makeDirectory(HOME, 0o700, owner);
}

/**
 * Removes the enrolment from the container's home directory, with no more rights than its user has.
 * Returns what could not be removed, as one line each.
 */
export async function removeEnrolment(host: Host, owner: Owner): Promise<readonly string[]> {
    const warnings: string[] = [];
    for (const path of ENROLMENT) {
        try {
            await removeBelowHome(host, owner, path);
        } catch (error) {
            if (!(error instanceof SnowError)) throw error;
            warnings.push(error.message);
        }
    }
    return warnings;
}

async function removeBelowHome(host: Host, owner: Owner, path: string): Promise<void> {
    await using parent = await openBelowHome(host, owner, `${HOME}/${dirname(path)}`);
    if (!parent) return;
    if ((await parent.owner()) !== owner.uid)
        throw new SnowError('WrongState', `${parent.path} is not ${owner.name}’s`);
    await parent.removeTree(basename(path), owner);
}
