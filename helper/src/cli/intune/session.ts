// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import {formatSession, parseSession} from '../../intune/session-environment.ts';
import type {Context} from '../context.ts';
import {callersUid} from './owner.ts';

const NAMES = ['DISPLAY', 'XAUTHORITY', 'WAYLAND_DISPLAY', 'LANG'];

/**
 * The option of the service that says which session applications show up in: what of the caller's
 * environment it would take. Nothing, where the container is another user's.
 */
export function sessionOption(
    environment: Context['environment'],
    uid: number,
): {readonly session?: readonly string[]} {
    if (uid !== callersUid()) return {};
    const session = NAMES.flatMap(name => acceptable(name, environment[name]));
    return session.length === 0 ? {} : {session};
}

function acceptable(name: string, value: string | undefined): readonly string[] {
    if (value === undefined) return [];
    try {
        return formatSession(parseSession([`${name}=${value}`]));
    } catch (error) {
        if (error instanceof SnowError) return [];
        throw error;
    }
}
