// SPDX-License-Identifier: GPL-2.0-or-later
// What a domain (features, image, intune) shows to the bus. Type-only: neither side imports the other.

/** How a running operation tells what it does; shown as a Job on the bus, as a bar on the command line. */
export interface Progress {
    /** What goes on now, in a few words for a person: "Downloading podman 5.4.2". */
    step(text: string): void;
    /** Bytes of the whole operation; total 0 while unknown. */
    bytes(done: number, total: number): void;
}

/** Plain values by key, with their D-Bus signature where JavaScript cannot tell it. */
export type Results = Readonly<Record<string, string | boolean | number | readonly string[]>>;

/** Long work, ready to be started. */
export interface JobSpec {
    /** Domain and verb: features.enable. */
    readonly operation: string;
    /** What it is done to; empty for everything. */
    readonly target: string;
    /** Whether it changes the machine: one such job at a time in a domain. */
    readonly isWriter: boolean;
    run(progress: Progress, signal: AbortSignal): Promise<Results>;
}

/** Properties by interface name, in the JavaScript types of the generated `*Properties`. */
export type ObjectSnapshot = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface Domain {
    readonly name: string;
    /** Object paths below /org/frostyard/Snow1 ("Features", "Features/podman", escaped) read from the machine now. */
    snapshot(): Promise<ReadonlyMap<string, ObjectSnapshot>>;
    /**
     * Checks the arguments of a method and returns the work; the path is one of snapshot()'s.
     * Throws SnowError: NotFound, InvalidArgs, NotSupported.
     */
    prepare(
        path: string,
        interfaceName: string,
        method: string,
        args: readonly unknown[],
        options: Readonly<Record<string, unknown>>,
    ): Promise<JobSpec>;
}
