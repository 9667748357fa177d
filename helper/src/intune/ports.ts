// SPDX-License-Identifier: GPL-2.0-or-later
// What the operations on a container are made of; each is a module of its own, and a test gives others.

import type {Progress} from '../host/domain.ts';
import type {Host} from '../host/host.ts';
import type {Binding, ContainerRecord, Owner, SessionEnvironment, Settings} from './model.ts';

/** What is kept over a change of the root directory; its content is its module's business. */
export type Enrolment = unknown;

export interface Application {
    readonly id: string;
    readonly name: string;
    readonly icon: string;
}

/** An application and how it is started. */
export interface Launch {
    /** edge, portal, or the path or name of a program. */
    readonly application: string;
    readonly args: readonly string[];
    /** Of who started it (xdg-activation), for its window to come to the front; empty: none. */
    readonly activationToken: string;
}

/** What a program of the container is run with. */
export interface ProgramRequest {
    readonly command: readonly string[];
    /** Directory of the caller with the FIFOs. */
    readonly pipes: string;
    readonly isTerminal: boolean;
    /** uid */
    readonly caller: number;
}

/** Makes root directories; used by the worker. */
export interface MakingPorts {
    fetchRootfs(
        host: Host,
        request: {readonly reference: string; readonly destination: string},
        progress: Progress,
        signal: AbortSignal,
    ): Promise<{readonly digest: string}>;
    /** Stops and removes what a fetch that was killed left, but for the destination. */
    abandonFetch?(host: Host, destination: string): Promise<void>;
    /** The home directory of the container, below that of its user. */
    makeHome(host: Host, owner: Owner): Promise<void>;
    provision(
        host: Host,
        rootfs: string,
        record: ContainerRecord,
        access: {readonly password: string | null; readonly keep: Enrolment | null},
        progress: Progress,
        signal: AbortSignal,
    ): Promise<void>;
    /** Stops what a provisioning that was killed left. */
    abandonProvision?(host: Host, uid: number): Promise<void>;
    /** Of a root directory that nobody can change meanwhile, except from within its container. */
    readEnrolment(host: Host, rootfs: string, record: ContainerRecord): Promise<Enrolment>;
}

/** Starts and stops machines; used by both. */
export interface MachinePorts {
    startMachine(
        host: Host,
        record: ContainerRecord,
        settings: Settings,
        session: SessionEnvironment,
        progress: Progress,
        signal: AbortSignal,
    ): Promise<void>;
    stopMachine(
        host: Host,
        record: ContainerRecord,
        progress: Progress,
        signal: AbortSignal,
    ): Promise<void>;
    /** Has whoever starts it start it as the settings say. */
    rememberMachine?(host: Host, uid: number, settings: Settings): Promise<void>;
    /** Removes what is left of one that is stopped, and is to be no more. */
    forgetMachine?(host: Host, uid: number): Promise<void>;
}

/** What else the service does with them. */
export interface ServicePorts extends MachinePorts {
    newestDigest(host: Host, reference: string, signal: AbortSignal): Promise<string>;
    /** Seconds since 1970; 0: it does not run. */
    startedAt(host: Host, uid: number): Promise<number>;
    bindings(host: Host, uid: number): Promise<readonly Binding[]>;
    applications(host: Host, uid: number): Promise<readonly Application[]>;
    openApplication(
        host: Host,
        record: ContainerRecord,
        launch: Launch,
        signal: AbortSignal,
    ): Promise<void>;
    runProgram(
        host: Host,
        record: ContainerRecord,
        request: ProgramRequest,
        signal: AbortSignal,
    ): Promise<number>;
    /** A JSON document. */
    inspect(host: Host, record: ContainerRecord, signal: AbortSignal): Promise<string>;
}
