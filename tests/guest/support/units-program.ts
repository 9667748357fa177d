// SPDX-License-Identifier: GPL-2.0-or-later
// Calls what host/systemd.ts offers, in a guest: a JSON line of method, arguments and the milliseconds
// after which to abort comes in, a line with the result or the error goes out.
import {createInterface} from 'node:readline';

import {SnowError} from '../../../helper/src/host/error.ts';
import type {
    ProgramOptions,
    StartUnitOptions,
    UnitProperties,
} from '../../../helper/src/host/host.ts';
import {localSystemd} from '../../../helper/src/host/systemd.ts';

type Command = readonly [string, ...string[]];

export type Call = {readonly id: number; readonly abortAfter?: number} & (
    | {
          readonly method: 'runUnit';
          readonly args: readonly [
              string,
              Command,
              (Omit<ProgramOptions, 'signal'> & {properties?: UnitProperties})?,
          ];
      }
    | {readonly method: 'startUnit'; readonly args: readonly [string, Command, StartUnitOptions]}
    | {
          readonly method: 'waitForUnit' | 'stopUnit' | 'activeState';
          readonly args: readonly [string];
      }
);

export interface Answer {
    readonly id: number;
    readonly result?: unknown;
    /** Code of a SnowError, or `!` for any other error. */
    readonly error?: string;
    readonly message?: string;
}

const systemd = localSystemd();

function perform(call: Call, signal: AbortSignal): Promise<unknown> {
    switch (call.method) {
        case 'runUnit': {
            const [name, command, options] = call.args;
            return systemd.runUnit(name, command, {...options, signal});
        }
        case 'startUnit':
            return systemd.startUnit(...call.args);
        case 'waitForUnit':
            return systemd.waitForUnit(call.args[0], signal);
        case 'stopUnit':
            return systemd.stopUnit(call.args[0]);
        case 'activeState':
            return systemd.activeState(call.args[0]);
    }
}

async function answer(call: Call): Promise<void> {
    const controller = new AbortController();
    if (call.abortAfter !== undefined) setTimeout(() => controller.abort(), call.abortAfter);
    const tell = (outcome: object): void => {
        process.stdout.write(`${JSON.stringify({id: call.id, ...outcome})}\n`);
    };
    try {
        tell({result: (await perform(call, controller.signal)) ?? null});
    } catch (error) {
        tell({
            error: error instanceof SnowError ? error.code : '!',
            message: error instanceof Error ? error.message : String(error),
        });
    }
}

createInterface(process.stdin)
    .on('line', line => void answer(JSON.parse(line) as Call))
    .on('close', () => process.exit());
