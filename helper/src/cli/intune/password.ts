// SPDX-License-Identifier: GPL-2.0-or-later
// The password of a container's user, which is never an argument or a variable.

import {SnowError} from '../../host/error.ts';
import {readFirstLine} from '../../host/first-line.ts';
import {readAccount} from '../../host/passwd.ts';
import {passwordProblem} from '../../intune/session/password.ts';
import type {Context} from '../context.ts';
import type {SecretPrompt} from '../secret-prompt.ts';

/** How often somebody may try. */
const ATTEMPTS = 3;

/**
 * Asks for it, or reads it from where the command line says. Null: there is to be none.
 *
 * @param uid of the user, who has the same name in the container
 * @throws SnowError InvalidArgs, NotFound
 */
export async function obtainPassword(context: Context, uid: number): Promise<string | null> {
    const {settings, openSecretPrompt} = context;
    const {passwordFile, isWithoutPassword} = settings.intune;
    if (isWithoutPassword) return null;
    if (passwordFile === '' && !openSecretPrompt) return null;
    const user = (await readAccount(context.host, uid))?.name ?? '';
    if (passwordFile === '' && openSecretPrompt) {
        using prompt = openSecretPrompt();
        return await askPassword(context, prompt, user);
    }
    const password = await readFirstLine(
        passwordFile === '-' ? context.streams.stdin : passwordFile,
    );
    const problem = passwordProblem(password, user);
    if (problem !== null) throw new SnowError('InvalidArgs', problem);
    return password;
}

async function askPassword({output}: Context, prompt: SecretPrompt, user: string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
        const password = await prompt.ask('New password for the container: ');
        const problem =
            passwordProblem(password, user) ??
            ((await prompt.ask('The same password again: ')) === password
                ? null
                : 'The two passwords are not the same');
        if (problem === null) return password;
        if (attempt === ATTEMPTS) throw new SnowError('InvalidArgs', problem);
        output.note(`${problem}.`);
    }
}
