// SPDX-License-Identifier: GPL-2.0-or-later
import type {Readable, Writable} from 'node:stream';

import type {Host} from '../host/host.ts';
import type {Interrupts} from './interrupts.ts';
import type {Output} from './output.ts';
import type {Settings} from './parse.ts';
import type {SecretPrompt} from './secret-prompt.ts';

/** What a command works with. */
export interface Context {
    readonly host: Host;
    readonly output: Output;
    readonly settings: Settings;
    readonly interrupts: Interrupts;
    /** Whether a password can be asked for on a terminal, and is not superfluous. */
    readonly canAskOnTerminal: boolean;
    /** Asks on the terminal whether something is meant; null: there is none. */
    readonly confirm: ((question: string) => Promise<boolean>) | null;
    /** Asks on the terminal for what nobody is to see; null: there is none. */
    readonly openSecretPrompt: (() => SecretPrompt) | null;
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly streams: Streams;
}

/** The standard streams themselves, for the programs of a container. */
export interface Streams {
    readonly stdin: Readable;
    readonly stdout: Writable;
    readonly stderr: Writable;
}

/** Does a command and returns the exit status. Throws SnowError. */
export type CommandAction = (context: Context, operands: readonly string[]) => Promise<number>;
