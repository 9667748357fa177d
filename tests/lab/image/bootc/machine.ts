// SPDX-License-Identifier: GPL-2.0-or-later
// The deployments of a system of the stand-in, on its disk.

import {createHash} from 'node:crypto';
import {
    existsSync,
    mkdirSync,
    readFileSync,
    renameSync,
    rmSync,
    utimesSync,
    writeFileSync,
} from 'node:fs';
import {dirname} from 'node:path';

import {
    BOOTED,
    CONFIGURATION,
    FAULTS,
    type Fault,
    type Faults,
    STATE,
    type StandInConfiguration,
} from './configuration.ts';
import type {SourceImage} from './source.ts';

export interface ImageSpec {
    readonly image: string;
    readonly transport: string;
    readonly signature?: string;
}

export interface StandInDeployment {
    readonly spec: ImageSpec;
    readonly digest: string;
    readonly version: string | null;
    readonly timestamp: string | null;
    readonly osRelease: string;
    readonly canSoftReboot: boolean;
    /** Of the ostree commit, or of the composefs image. */
    readonly checksum: string;
    readonly serial: number;
}

export interface State {
    readonly booted: StandInDeployment;
    readonly staged: StandInDeployment | null;
    /** Of what is staged: it stays so at the next boot. */
    readonly isDownloadOnly: boolean;
    readonly rollback: StandInDeployment | null;
    readonly isRollbackQueued: boolean;
    /** Metadata of the last check. */
    readonly cachedUpdate: SourceImage | null;
}

/** What a composefs store says of its staged deployment; without it, there is none. */
const COMPOSEFS_STAGED = '/run/composefs/staged-deployment';

export function readConfiguration(): StandInConfiguration {
    return JSON.parse(readFileSync(CONFIGURATION, 'utf8')) as StandInConfiguration;
}

export function faultOf(verb: string): Fault | null {
    if (!existsSync(FAULTS)) return null;
    return (JSON.parse(readFileSync(FAULTS, 'utf8')) as Faults)[verb] ?? null;
}

/** The state now; after a reboot, what was staged is booted. */
export function readState(configuration: StandInConfiguration): State {
    let state = JSON.parse(readFileSync(STATE, 'utf8')) as State;
    if (!existsSync(BOOTED)) {
        state = afterReboot(state);
        writeState(configuration, state);
        writeWhole(BOOTED, '');
    } else if (
        configuration.store === 'composefs' &&
        state.staged &&
        !existsSync(COMPOSEFS_STAGED)
    ) {
        state = {...state, staged: null, isDownloadOnly: false};
    }
    return state;
}

function afterReboot(state: State): State {
    const base = {...state, staged: null, isDownloadOnly: false, isRollbackQueued: false};
    // What is staged comes before a rollback that was asked for earlier.
    if (state.staged && !state.isDownloadOnly)
        return {...base, booted: state.staged, rollback: state.booted, cachedUpdate: null};
    if (state.isRollbackQueued && state.rollback)
        return {...base, booted: state.rollback, rollback: state.booted, cachedUpdate: null};
    return base;
}

export function writeState({store}: StandInConfiguration, state: State): void {
    const {staged, isDownloadOnly} = state;
    if (store === 'ostree') {
        for (const deployment of [state.booted, staged, state.rollback])
            if (deployment) layDeployment(deployment);
        const wanted = [state.booted, staged, state.rollback].map(one => one && directoryOf(one));
        for (const old of deploymentDirectories())
            if (!wanted.includes(old)) rmSync(old, {recursive: true, force: true});
    }
    writeWhole(STATE, `${JSON.stringify(state, null, 4)}\n`);
    if (store === 'composefs') {
        if (staged)
            writeWhole(
                COMPOSEFS_STAGED,
                JSON.stringify({depl_id: staged.checksum, finalization_locked: isDownloadOnly}),
            );
        else rmSync(COMPOSEFS_STAGED, {force: true});
    }
    touch(store);
}

const KNOWN_DIRECTORIES = '/var/lib/snow-stand-in/ostree';

function deploymentDirectories(): readonly string[] {
    if (!existsSync(KNOWN_DIRECTORIES)) return [];
    return readFileSync(KNOWN_DIRECTORIES, 'utf8').split('\n').filter(Boolean);
}

export function directoryOf({checksum, serial}: StandInDeployment): string {
    return `/ostree/deploy/default/deploy/${checksum}.${serial}`;
}

function layDeployment(deployment: StandInDeployment): void {
    const directory = directoryOf(deployment);
    writeWhole(`${directory}/usr/lib/os-release`, deployment.osRelease);
    writeWhole(KNOWN_DIRECTORIES, [...new Set([...deploymentDirectories(), directory])].join('\n'));
}

/** As bootc does on each change, for whoever watches. */
function touch(store: StandInConfiguration['store']): void {
    const directory = store === 'composefs' ? '/sysroot/composefs' : '/ostree/bootc';
    mkdirSync(directory, {recursive: true});
    const now = new Date();
    utimesSync(directory, now, now);
}

export function deploymentOf(spec: ImageSpec, image: SourceImage): StandInDeployment {
    const {digest, version, timestamp, osRelease, canSoftReboot} = image;
    return {
        spec,
        digest,
        version,
        timestamp,
        osRelease,
        canSoftReboot,
        checksum: createHash('sha256').update(digest).digest('hex'),
        serial: 0,
    };
}

export function writeWhole(path: string, text: string): void {
    mkdirSync(dirname(path), {recursive: true});
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, text);
    renameSync(temporary, path);
}
