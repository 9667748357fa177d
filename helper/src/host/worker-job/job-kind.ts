// SPDX-License-Identifier: GPL-2.0-or-later
// Long work of a domain, in a unit of its own: it goes on when the service that asked for it is gone,
// and what it says stays in a file for the next one.

/** What a worker is asked to do, as far as every worker has it. */
export interface JobIdentity<Operation extends string> {
    /** Tells this job's reports from those of another one. */
    readonly id: string;
    readonly operation: Operation;
    /** What it is done to, for a person; or empty. */
    readonly target: string;
    /** uid of the user for whom it is done. */
    readonly startedBy: number;
}

/** Where the jobs of one worker run, one at a time, and what is said about them. */
export interface JobKind<Operation extends string> {
    /** Name of the domain, as in image.update. */
    readonly domain: string;
    /** The part of the domain whose writers exclude each other; undefined: all of it. */
    readonly scope?: string;
    /** Name of the transient unit, with `.service`. */
    readonly unit: string;
    /** Absolute path of the program. */
    readonly worker: string;
    /** The file in memory that the worker writes and the service follows. */
    readonly statePath: string;
    /** Shown by systemctl(1). */
    readonly descriptions: Readonly<Record<Operation, string>>;
    /** Seconds in which it ends what it runs and takes away what that left. */
    readonly stopTimeout: number;
    /** What is said to who starts a second one. */
    readonly busyText: string;
    /** What is said where there is no systemd to start it. */
    readonly offlineText: string;
}

export function operationsOf<Operation extends string>({
    descriptions,
}: JobKind<Operation>): readonly Operation[] {
    return Object.keys(descriptions) as Operation[];
}
