// SPDX-License-Identifier: GPL-2.0-or-later
// Command lines of bootc(8) and of the tools of containers beside it.

import {compareVersions} from '../../host/versions.ts';
import type {Command} from '../driver.ts';

/** Snow's script that stages the newest image. */
export const STAGE_SCRIPT = '/usr/libexec/bootc-update-stage';

export const stageCommand: Command = [STAGE_SCRIPT];

export const statusCommand: Command = ['bootc', 'status', '--format=json', '--format-version=1'];

export const versionCommand: Command = ['bootc', '--version'];

/** Asks for metadata only; on an ostree store. On a composefs one it may well stage what it finds. */
export const checkCommand: Command = ['bootc', 'upgrade', '--check'];

/** Stages what was downloaded before, without a network. */
export function applyDownloadedCommand({maySoftReboot}: StageOptions): Command {
    return ['bootc', 'upgrade', '--from-downloaded', '--quiet', ...softReboot(maySoftReboot)];
}

/** Asked again, it takes back what it did the first time. Discards what is staged. */
export const rollbackCommand: Command = ['bootc', 'rollback'];

/** Of an ostree store, the staged deployment comes first; see ostree(1). */
export const undeployStagedCommand: Command = ['ostree', 'admin', 'undeploy', '0'];

const FIRST_WITH_PROGRESS = '1.1.4';
const FIRST_WITH_SOFT_REBOOT = '1.7.0';
/** What follows a program puts the number of the pipe in its place. */
export const PROGRESS_OPTION = '--progress-fd={progress-fd}';

/** Whether that version can tell its progress on a pipe. */
export function tellsProgress(version: string | null): boolean {
    return version !== null && compareVersions(version, FIRST_WITH_PROGRESS) >= 0;
}

/** Whether that version knows of soft reboots. */
export function knowsSoftReboot(version: string | null): boolean {
    return version !== null && compareVersions(version, FIRST_WITH_SOFT_REBOOT) >= 0;
}

export interface StageOptions {
    /** Sets up the next root of a soft reboot where the image can do with that. */
    readonly maySoftReboot: boolean;
}

export interface FetchOptions {
    readonly hasProgress: boolean;
}

export function upgradeCommand({
    hasProgress,
    isDownloadOnly,
    maySoftReboot,
}: FetchOptions & StageOptions & {readonly isDownloadOnly: boolean}): Command {
    return [
        'bootc',
        'upgrade',
        '--quiet',
        ...(isDownloadOnly ? ['--download-only'] : []),
        ...softReboot(maySoftReboot),
        ...(hasProgress ? [PROGRESS_OPTION] : []),
    ];
}

function softReboot(isWanted: boolean): readonly string[] {
    return isWanted ? ['--soft-reboot=auto'] : [];
}

/** Has bootc fetch an image that it refuses unless a policy says who has to have signed it. */
export function switchCommand(reference: string, {hasProgress}: FetchOptions): Command {
    return [
        'bootc',
        'switch',
        '--quiet',
        '--enforce-container-sigpolicy',
        ...(hasProgress ? [PROGRESS_OPTION] : []),
        reference,
    ];
}

/** Has bootc take an image that podman fetched. */
export function switchToPulledCommand(reference: string, {hasProgress}: FetchOptions): Command {
    return [
        'bootc',
        'switch',
        '--quiet',
        '--transport=containers-storage',
        ...(hasProgress ? [PROGRESS_OPTION] : []),
        reference,
    ];
}

/** Refuses what /etc/containers/policy.json does not allow. */
export function pullCommand(reference: string): Command {
    return ['podman', 'pull', reference];
}

/** Takes away images that lost their name to a newer one. */
export const pruneCommand: Command = ['podman', 'image', 'prune', '--force'];

/** Prints the directory. */
export function mountImageCommand(reference: string): Command {
    return ['podman', 'image', 'mount', reference];
}

export function unmountImageCommand(reference: string): Command {
    return ['podman', 'image', 'unmount', reference];
}

export interface InspectOptions {
    /** auth.json of containers-auth.json(5); null: where skopeo looks by itself. */
    readonly authFile: string | null;
    /** The manifest as the registry has it, and nothing else. */
    readonly isRaw?: boolean;
}

/** @param location of containers-transports(5): docker://ghcr.io/frostyard/snow:latest */
export function inspectCommand(
    location: string,
    {authFile, isRaw = false}: InspectOptions,
): Command {
    return [
        'skopeo',
        'inspect',
        ...(isRaw ? ['--raw'] : ['--no-tags']),
        ...(authFile === null ? [] : [`--authfile=${authFile}`]),
        location,
    ];
}
