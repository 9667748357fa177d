// SPDX-License-Identifier: GPL-2.0-or-later
// What a domain (features, image, intune) shows to the bus. Type-only: neither side imports the other.

/** How a running operation tells what it does; shown as a Job on the bus, as a bar on the command line. */
export interface Progress {
    /** What goes on now, in a few words for a person: "Downloading podman 5.4.2". */
    step(text: string): void;
    /** Bytes of the whole operation; total 0 while unknown. */
    bytes(done: number, total: number): void;
    /** How much of the whole operation is done, 0 to 1, where that is known and its bytes are not. */
    fraction?(done: number): void;
}

/** Plain values by key, with their D-Bus signature where JavaScript cannot tell it. */
export type Results = Readonly<Record<string, string | boolean | number | readonly string[]>>;

/** Long work, ready to be started. */
export interface JobSpec {
    /** Domain and verb: features.enable. */
    readonly operation: string;
    /** What it is done to; empty for everything. */
    readonly target: string;
    /** Whether it changes the machine: one such job at a time in a domain, or in its scope there. */
    readonly isWriter: boolean;
    /** The part of the domain that it is about, where jobs of other parts are none of its business. */
    readonly scope?: string;
    /** Whether it waits for nothing: others that only read follow one another. */
    readonly isConcurrent?: boolean;
    /** Whether it goes on without the service, so that its end need not be waited for. */
    readonly outlivesService?: boolean;
    /** @param startedBy uid of the user it is done for */
    run(progress: Progress, signal: AbortSignal, startedBy: number): Promise<Results>;
}

/** Work that an earlier process of the service started, and that goes on without it. */
export interface RunningJob {
    /** Its run() follows what goes on; aborting it cancels that. */
    readonly spec: JobSpec;
    readonly startedBy: number;
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
     *
     * @param caller uid of who called
     */
    prepare(
        path: string,
        interfaceName: string,
        method: string,
        args: readonly unknown[],
        options: Readonly<Record<string, unknown>>,
        caller: number,
    ): Promise<JobSpec>;
    /**
     * Whether a user may call methods of an object at all, asked before polkit is; without it,
     * everybody may. Throws SnowError NotAuthorized.
     */
    refuseStranger?(path: string, caller: number): void;
    /** What outlived an earlier process; asked once, when the service starts, so it is quick. */
    running?(): Promise<readonly RunningJob[]>;
}

/** An OS image that is on disk, and that the next boot will start. */
export interface StagedSystem {
    /** Its os-release(5). */
    readonly release: Readonly<Record<string, string>>;
    /** Absolute path of its root directory; null: it is not mounted anywhere. */
    readonly tree: string | null;
}

/** What an OS image means for a feature that is enabled. */
export interface ExtensionOutlook {
    readonly feature: string;
    /** ready: a fitting version is on disk; missing: there is none; unknown: it cannot be said. */
    readonly state: 'ready' | 'missing' | 'unknown';
    /** The version that will be merged, or empty. */
    readonly version: string;
    /** One line for a person: "podman has no version for Debian 14", or empty. */
    readonly text: string;
}

/** How extensions follow the OS image. The features do it, the image domain asks for it. */
export interface ExtensionsOfNextBoot {
    /** What is on disk now; no network. */
    assess(system: StagedSystem): Promise<readonly ExtensionOutlook[]>;
    /**
     * Fetches what the enabled features need on that system, beside what the running one uses, and
     * sees to it that the next boot merges whichever fits. A feature that cannot be had is an
     * outlook, not an error. Throws SnowError Cancelled, Busy.
     */
    fetch(
        system: StagedSystem,
        progress: Progress,
        signal: AbortSignal,
    ): Promise<readonly ExtensionOutlook[]>;
}
