// SPDX-License-Identifier: GPL-2.0-or-later
import {sessionIn} from '../../intune/session-environment.ts';
import type {Context} from '../context.ts';
import {callersUid} from './owner.ts';

/**
 * The option of the service that says which session applications show up in: what of the caller's
 * environment it would take. Nothing, where the container is another user's.
 */
export function sessionOption(
    environment: Context['environment'],
    uid: number,
): {readonly session?: readonly string[]} {
    if (uid !== callersUid()) return {};
    const session = sessionIn(environment);
    return session.length === 0 ? {} : {session};
}
