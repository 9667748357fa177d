// SPDX-License-Identifier: GPL-2.0-or-later
// Images in a registry, which bootc writes as deployments of ostree or composefs.

import {SnowError} from '../../host/error.ts';
import type {Host, ProgramResult} from '../../host/host.ts';
import {parseReference} from '../../host/image-reference.ts';
import type {Command, ImageDriver, Work} from '../driver.ts';
import {check} from './check.ts';
import {
    type FetchOptions,
    PROGRESS_OPTION,
    type StageOptions,
    applyDownloadedCommand,
    knowsSoftReboot,
    pruneCommand,
    pullCommand,
    rollbackCommand,
    stageCommand,
    switchCommand,
    switchToPulledCommand,
    tellsProgress,
    undeployStagedCommand,
    upgradeCommand,
} from './commands.ts';
import {refuseFailure} from './failures.ts';
import {hasStageScript, isBooted, isComposefs, readBootcHost, readVersion} from './machine.ts';
import {PullProgress} from './progress.ts';
import {readStagedSystem, unmountImage} from './staged.ts';
import {PULLED, imageStatusOf} from './status.ts';

/**
 * What a composefs store says of its staged deployment. bootc writes it as the last thing when it
 * stages, and without it takes what was staged for the rest of an update that was interrupted.
 */
const COMPOSEFS_STAGED = '/run/composefs/staged-deployment';

/** Milliseconds that what writes the boot menu may take. */
const TIMEOUT = 300_000;

export const bootcDriver: ImageDriver = {
    name: 'bootc',
    otherUnits: ['bootc-update-stage.service', 'bootc-fetch-apply-updates.service'],
    detect: isBooted,
    async status(host) {
        const [found, isThere] = await Promise.all([readBootcHost(host), hasStageScript(host)]);
        return imageStatusOf(found, {hasStageScript: isThere});
    },
    explain: capability =>
        capability === 'download-only'
            ? 'bootc of this system cannot fetch an image without staging it: snowctl image update'
            : 'bootc of this system cannot do that',
    stagedSystem: readStagedSystem,
    check,
    update,
    download,
    switchTo,
    async rollback(work) {
        await run(work.host, rollbackCommand, work.signal);
    },
    unstage,
    cleanUp: unmountImage,
};

async function update(work: Work): Promise<void> {
    const {host, before, progress, signal} = work;
    if (before.downloaded) {
        progress.step('Staging the image that was downloaded');
        const {maySoftReboot} = await stageOptions(work);
        await run(host, applyDownloadedCommand({maySoftReboot}), signal);
        return;
    }
    if (await hasStageScript(host)) {
        await stageByScript(work);
        return;
    }
    await pullFollowed(work);
    const options = await stageOptions(work);
    await follow(work, upgradeCommand({...options, isDownloadOnly: false}));
}

async function download(work: Work): Promise<void> {
    await pullFollowed(work);
    const options = await fetchOptions(work);
    await follow(work, upgradeCommand({...options, isDownloadOnly: true, maySoftReboot: false}));
}

/** bootc looks for the images of podman nowhere else: they have to be there first. */
async function pullFollowed(work: Work): Promise<void> {
    const {followed, booted, staged} = work.before;
    if ((staged ?? booted)?.transport === PULLED) await pull(work, followed);
}

async function switchTo(work: Work, reference: string): Promise<void> {
    const {host, before} = work;
    const {transport} = before.staged ?? before.booted ?? {transport: null};
    const isPulled =
        transport === PULLED || ((await isComposefs(host)) && (await hasStageScript(host)));
    if (isPulled) await pull(work, reference);
    const options = await fetchOptions(work);
    const command = isPulled ? switchToPulledCommand : switchCommand;
    const {stdout} = await follow(work, command(reference, options));
    if (isPulled) await prune(host);
    if (/^Image specification is unchanged/m.test(stdout))
        throw new SnowError('WrongState', `This system follows ${reference} already`);
}

async function unstage({host, signal}: Work): Promise<void> {
    if ((await readBootcHost(host)).status.staged) await discardStaged(host, signal);
    // What is staged comes before a rollback, which may have been asked for earlier.
    const {status, spec} = await readBootcHost(host);
    if (status.rollbackQueued ?? spec.bootOrder === 'rollback')
        await run(host, rollbackCommand, signal);
}

async function discardStaged(host: Host, signal: AbortSignal): Promise<void> {
    if (await isComposefs(host)) {
        await host.files.remove(COMPOSEFS_STAGED);
        return;
    }
    if (!(await host.programs.isInstalled('ostree')))
        throw new SnowError(
            'NotSupported',
            'bootc cannot take back what is staged, and ostree is not installed: restart, and then snowctl image rollback',
        );
    await run(host, undeployStagedCommand, signal);
}

/** What snow's script says is for a journal; what counts is how it ends. */
async function stageByScript(work: Work): Promise<void> {
    const {progress} = work;
    progress.step('Downloading the newest image');
    await follow(work, stageCommand, line => {
        if (line.startsWith('Staging update:'))
            progress.step('Staging the image for the next restart');
    });
}

/** Has podman fetch an image, which sees to it that who signed it is trusted. */
async function pull(work: Work, image: string): Promise<void> {
    parseReference(image);
    work.progress.step('Downloading the image');
    await prune(work.host);
    await follow(work, pullCommand(image));
}

/** As snow's script does, so that there is room for the image. Best effort. */
async function prune({programs}: Host): Promise<void> {
    await programs.run(pruneCommand);
}

async function fetchOptions({host, signal}: Work): Promise<FetchOptions> {
    return {hasProgress: tellsProgress(await readVersion(host, signal))};
}

async function stageOptions({
    host,
    signal,
    maySoftReboot,
}: Work): Promise<FetchOptions & StageOptions> {
    const version = await readVersion(host, signal);
    return {
        hasProgress: tellsProgress(version),
        maySoftReboot: maySoftReboot && knowsSoftReboot(version),
    };
}

/** Runs what takes long. Throws SnowError. */
async function follow(
    {host, progress, signal}: Work,
    command: Command,
    onStdout: (line: string) => void = () => undefined,
): Promise<ProgramResult> {
    const pullProgress = new PullProgress(progress);
    if (command[0] === 'bootc') progress.step('Fetching and staging the image');
    const result = await host.programs.follow(command, {
        signal,
        progressPipe: command.includes(PROGRESS_OPTION),
        onLine(line, from) {
            if (from === 'progress') pullProgress.take(line);
            if (from === 'stdout') onStdout(line);
        },
    });
    refuseFailure(nameOf(command), result);
    return result;
}

async function run({programs}: Host, command: Command, signal: AbortSignal): Promise<void> {
    const result = await programs.run(command, {signal, timeout: TIMEOUT});
    refuseFailure(nameOf(command), result);
}

function nameOf([program]: Command): string {
    return program.slice(program.lastIndexOf('/') + 1);
}
