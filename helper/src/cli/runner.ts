// SPDX-License-Identifier: GPL-2.0-or-later
import type {Progress, Results} from '../host/domain.ts';

/** A method of the service that starts a job. */
export interface ChangeRequest {
    /** Below /org/frostyard/Snow1: `Features/docker`. */
    readonly path: string;
    readonly interfaceName: string;
    readonly method: string;
    /** Arguments before the options, with their D-Bus signature. */
    readonly signature: string;
    readonly args: readonly unknown[];
    readonly options: Readonly<Record<string, OptionValue>>;
    /** How its job, which goes on without the service, is found again; without it, it does not. */
    readonly goesOn?: {
        /** Beginning of its operation. */
        readonly operation: string;
        /** What it is done to; without it, anything. */
        readonly target?: string;
    };
    /** The command of snowctl that shows what there is; `features list`. */
    readonly shownBy?: string;
}

export type OptionValue = boolean | string | readonly string[];

export interface RunningJob {
    /** Number of the job on the bus; null for one that runs in this process. */
    readonly number: string | null;
    /** Waits for the end. Throws the job's SnowError. */
    follow(progress: Progress): Promise<Results>;
    cancel(): Promise<void>;
}

/** Who does the work: the service, or this process for an image tree. */
export interface Runner extends AsyncDisposable {
    /** Throws SnowError. */
    start(request: ChangeRequest): Promise<RunningJob>;
}
