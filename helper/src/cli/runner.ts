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
    readonly options: Readonly<Record<string, boolean>>;
}

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
