// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import type {SessionEnvironment} from './model.ts';

/** What each variable may be; what it names is looked at by who uses it. */
const grammars: Readonly<Record<string, RegExp>> = {
    DISPLAY: /^:\d{1,5}(\.\d{1,3})?$/,
    XAUTHORITY: /^\/[\x21-\x7e]{1,1023}$/,
    WAYLAND_DISPLAY: /^[A-Za-z0-9/][A-Za-z0-9_./-]{0,106}$/,
    LANG: /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/,
};

/** Whether it may be a token of xdg-activation or of startup notification; an empty one is none. */
export function isActivationToken(text: string): boolean {
    return /^[\x20-\x7e]{0,256}$/.test(text);
}

/** From NAME=VALUE each. Throws SnowError InvalidArgs. */
export function parseSession(variables: readonly string[]): SessionEnvironment {
    const session: Record<string, string> = {};
    for (const variable of variables) {
        const end = variable.indexOf('=');
        const name = variable.slice(0, Math.max(end, 0));
        const value = variable.slice(end + 1);
        const grammar = Object.hasOwn(grammars, name) ? grammars[name] : undefined;
        if (!grammar)
            throw new SnowError(
                'InvalidArgs',
                `session takes ${Object.keys(grammars).join(', ')} as NAME=VALUE`,
            );
        if (!grammar.test(value))
            throw new SnowError(
                'InvalidArgs',
                `session has a value of ${name} that it cannot have`,
            );
        session[name] = value;
    }
    return session;
}

export function formatSession(session: SessionEnvironment): readonly string[] {
    return Object.entries(session).map(([name, value]) => `${name}=${value}`);
}

/** What of an environment says which session applications show up in, NAME=VALUE each. */
export function sessionIn(
    environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
    return Object.entries(grammars).flatMap(([name, grammar]) => {
        const value = environment[name] ?? '';
        return grammar.test(value) ? [`${name}=${value}`] : [];
    });
}
