// SPDX-License-Identifier: GPL-2.0-or-later

/** How an operation tells what it does; the bus shows it as a Job, the command line as a bar. */
export interface Progress {
    /** What goes on now, in a few words for a person: "Downloading podman 5.4.2". */
    step(text: string): void;
    /** Bytes of the whole operation; total 0 while unknown. */
    bytes(done: number, total: number): void;
}

/** What every operation returns; the results of the Job's Finished signal. */
export interface OperationResult {
    readonly features: readonly string[];
    readonly version: string;
    readonly merged: boolean;
    readonly warnings: readonly string[];
}
