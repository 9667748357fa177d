// SPDX-License-Identifier: GPL-2.0-or-later
// Programs of a container with the standard streams, or the terminal, of this process.

import type {Progress} from '../../host/domain.ts';
import {SnowError} from '../../host/error.ts';
import {GivenPipes, StreamRelay, commonTerminal} from '../../host/given-pipes.ts';
import type {CommandAction, Context} from '../context.ts';
import {PROBLEMS_FOUND} from '../exit-codes.ts';
import {JobDisplay} from '../job-display.ts';
import type {RunningJob} from '../runner.ts';
import {callersUid, findOwner} from './owner.ts';
import {connect, startContainerJob} from './service.ts';
import {sessionOption} from './session.ts';

/** What the service says when the program is about to have its streams. */
const RUNNING = 'Running';
const SIGNALS = ['SIGTERM', 'SIGHUP'] as const;

export const runInContainer: CommandAction = (context, command) => run(context, command);

export const openShell: CommandAction = context => run(context, []);

/** Returns the program's exit status. Throws SnowError. */
async function run(context: Context, command: readonly string[]): Promise<number> {
    const {environment, streams, interrupts} = context;
    const owner = await findOwner(context);
    await using pipes = await GivenPipes.create(callersUid());
    const terminal = await commonTerminal(callersUid());
    const display = terminal === null ? lineDisplay(context) : noteDisplay(context);
    await using relay =
        terminal === null ? await StreamRelay.start(pipes, streams, display.end) : null;
    if (terminal !== null) await pipes.linkTerminal(terminal);
    const tellSize = terminal === null ? () => undefined : await pipes.makeBell('resize');
    await using client = await connect(context);
    const job = await startContainerJob(client, owner, {
        operation: 'run',
        method: 'Run',
        signature: 'as',
        args: [command],
        options: {
            pipes: pipes.directory,
            ...(terminal !== null && {terminal: true}),
            ...sessionOption(environment, owner.uid),
        },
    });
    using _cancelable = interrupts.duringWhich(() => cancel(job));
    const onSignal = (): void => cancel(job);
    for (const signal of SIGNALS) process.once(signal, onSignal);
    process.on('SIGWINCH', tellSize);
    try {
        const {'exit-status': status} = await job.follow(display);
        return typeof status === 'number' ? status : PROBLEMS_FOUND;
    } catch (error) {
        if (error instanceof SnowError && error.code === 'Cancelled')
            throw new SnowError('Cancelled', 'The program was ended', {cause: error});
        throw error;
    } finally {
        await relay?.finish();
        display.end();
        for (const signal of SIGNALS) process.off(signal, onSignal);
        process.off('SIGWINCH', tellSize);
    }
}

function cancel(job: RunningJob): void {
    job.cancel().catch(() => {
        // It has ended meanwhile, or its service has.
    });
}

type EndingProgress = Progress & {end(): void};

/** A line on a terminal until there is output of the program; nothing elsewhere. */
function lineDisplay({output}: Context): EndingProgress {
    const display = new JobDisplay(output, '');
    let isOver = output.progressColumns === null;
    const end = (): void => {
        if (!isOver) display.end();
        isOver = true;
    };
    return {
        step(text) {
            if (text === RUNNING) end();
            else if (!isOver) display.step(text);
        },
        bytes: () => undefined,
        end,
    };
}

/** A line for each step before the program has the terminal. */
function noteDisplay({output}: Context): EndingProgress {
    const shown = new Set(['', RUNNING]);
    return {
        step(text) {
            if (!shown.has(text)) output.note(`${text}…`);
            shown.add(text);
        },
        bytes: () => undefined,
        end: () => undefined,
    };
}
