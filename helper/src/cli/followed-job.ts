// SPDX-License-Identifier: GPL-2.0-or-later
import type {Results} from '../host/domain.ts';
import type {Context} from './context.ts';
import {JobDisplay} from './job-display.ts';
import type {RunningJob} from './runner.ts';

/** Waits for a job and shows it meanwhile; Ctrl+C cancels it. Throws the job's SnowError. */
export async function followJob(
    {output, interrupts}: Pick<Context, 'output' | 'interrupts'>,
    job: RunningJob,
    target: string,
): Promise<Results> {
    const display = new JobDisplay(output, target);
    using _cancelable = interrupts.duringWhich(() => {
        display.step('Canceling');
        job.cancel().catch((error: unknown) => {
            display.end();
            output.note(`It cannot be canceled: ${error instanceof Error ? error.message : ''}`);
        });
    });
    try {
        return await job.follow(display);
    } finally {
        display.end();
    }
}
