// SPDX-License-Identifier: GPL-2.0-or-later
import {constants} from 'node:os';
import {isatty} from 'node:tty';

import {confirmOn} from '../cli/confirmation.ts';
import {exitCodes} from '../cli/exit-codes.ts';
import {Interrupts} from '../cli/interrupts.ts';
import {runCommandLine} from '../cli/run.ts';
import {SecretPrompt} from '../cli/secret-prompt.ts';

/** Of package.json; put in by the build. */
declare const __VERSION__: string;

const STDIN = 0;
const STDERR = 2;

async function main(): Promise<number> {
    let writeError = '';
    for (const stream of [process.stdout, process.stderr]) {
        stream.on('error', (error: NodeJS.ErrnoException) => {
            // A reader that has seen enough, as `head`, is no failure.
            if (error.code !== 'EPIPE') writeError = error.message;
        });
    }
    const interrupts = new Interrupts();
    process.on('SIGINT', () => interrupts.interrupt());
    process.on('SIGTERM', () => {
        // Nothing is left behind, nor a program that runs for us, where somebody else listens.
        if (process.listenerCount('SIGTERM') === 1) process.exit(128 + constants.signals.SIGTERM);
    });

    const hasTerminal = isatty(STDIN) && isatty(STDERR);
    const status = await runCommandLine(process.argv.slice(2), {
        version: __VERSION__,
        out: process.stdout,
        err: process.stderr,
        environment: process.env,
        interrupts,
        canAskOnTerminal: hasTerminal && process.getuid?.() !== 0,
        confirm: hasTerminal
            ? question => confirmOn(process.stdin, process.stderr, question)
            : null,
        openSecretPrompt: hasTerminal
            ? () => new SecretPrompt(process.stdin, process.stderr, () => interrupts.interrupt())
            : null,
        streams: process,
    });
    await new Promise(resolve => process.stdout.write('', resolve));
    if (writeError === '') return status;
    process.stderr.write(`snowctl: The output cannot be written: ${writeError}\n`);
    return exitCodes.Failed.status;
}

void main().then(status => process.exit(status));
