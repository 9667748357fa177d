// SPDX-License-Identifier: GPL-2.0-or-later
// What a driver does. Each has a folder: pure builders of commands, importers of what the programs
// print, and a driver that runs the one and reads the other.

import type {Progress, StagedSystem} from '../host/domain.ts';
import type {Host} from '../host/host.ts';
import type {Capability, CheckResult, DriverName, ImageStatus} from './model.ts';

/** A program that a driver would run, for --dry-run, or runs. */
export type Command = readonly [string, ...string[]];

/** What a change needs. */
export interface Work {
    readonly host: Host;
    readonly progress: Progress;
    readonly signal: AbortSignal;
    /** What the machine was before. */
    readonly before: ImageStatus;
    /** Whether a restart without the firmware is to be prepared, where the image can do with that. */
    readonly maySoftReboot: boolean;
    /** One line for a person that does not stop the work. */
    warn(text: string): void;
}

/**
 * The programs that change an OS image, behind one interface.
 *
 * status() is called by the sandboxed service: what needs more rights runs through
 * host.systemd.runUnit(). All others are called in a unit of their own, as root without a sandbox,
 * and host.programs serves them. They are not trusted with their own success: who calls them reads
 * the status again and compares. An abort ends the program that runs, and leaves a bootable system.
 *
 * All throw SnowError: NotSupported, NotFound, Network, VerificationFailed, NoSpace, Busy, Cancelled,
 * WrongState, Failed; texts are one line.
 */
export interface ImageDriver {
    readonly name: DriverName;
    /** Units that change the image by themselves (timers' services of the image): never beside ours. */
    readonly otherUnits: readonly string[];
    /** Whether this driver manages the running system. Files only: quick. */
    detect(host: Host): Promise<boolean>;
    status(host: Host): Promise<ImageStatus>;
    /** Why it cannot do something that status() leaves out, and what to do by hand, in one line. */
    explain?(capability: Capability): string;
    /** The os-release of the staged image, and its tree where it is mounted; null: it cannot be read. */
    stagedSystem(host: Host, status: ImageStatus): Promise<StagedSystem | null>;
    check(work: Work): Promise<CheckResult>;
    /** Stages the newest image, or what was downloaded before. */
    update(work: Work): Promise<void>;
    /** Fetches the newest image without staging it. */
    download(work: Work): Promise<void>;
    /** Stages an image that matched the grammar of references, and follows it. */
    switchTo(work: Work, reference: string): Promise<void>;
    rollback(work: Work): Promise<void>;
    /** Has the next boot start the booted image. */
    unstage(work: Work): Promise<void>;
    /** What is left behind by work that was stopped or killed is taken away. */
    cleanUp(host: Host): Promise<void>;
}
