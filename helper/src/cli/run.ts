// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import {localHost} from '../host/local-host.ts';
import type {CommandName} from './commands.ts';
import type {CommandAction, Context} from './context.ts';
import {exitCodes, SUCCESS} from './exit-codes.ts';
import type {Interrupts} from './interrupts.ts';
import {Output, type Sink} from './output.ts';
import {jsonModeOf, parseCommandLine, type Request} from './parse.ts';
import {quoted} from './text.ts';

/** The process, as far as a command line has to do with it. */
export interface Surroundings extends Pick<Context, 'openSecretPrompt' | 'streams'> {
    readonly version: string;
    readonly out: Sink;
    readonly err: Sink;
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly interrupts: Interrupts;
    readonly canAskOnTerminal: boolean;
    /** Asks on the terminal; null: there is none. */
    readonly confirm: ((question: string) => Promise<boolean>) | null;
}

/** Loaded when they are asked for: some need a library that takes longer to load than all else. */
const actions: Readonly<Record<Exclude<CommandName, 'help'>, () => Promise<CommandAction>>> = {
    'features list': async () => (await import('./features-read.ts')).listFeatures,
    'features show': async () => (await import('./features-read.ts')).showFeature,
    'features enable': async () => (await import('./features-change.ts')).enableFeatures,
    'features disable': async () => (await import('./features-change.ts')).disableFeatures,
    'features update': async () => (await import('./features-change.ts')).updateFeatures,
    'features check': async () => (await import('./features-change.ts')).checkFeatures,
    'features rollback': async () => (await import('./features-change.ts')).rollBackFeature,
    'features auto': async () => (await import('./features-change.ts')).switchAutomatic,
    'image status': async () => (await import('./image/read.ts')).showStatus,
    'image check': async () => (await import('./image/change.ts')).checkImage,
    'image update': async () => (await import('./image/change.ts')).updateImage,
    'image switch': async () => (await import('./image/switch.ts')).switchImage,
    'image rollback': async () => (await import('./image/change.ts')).rollBackImage,
    'image unstage': async () => (await import('./image/change.ts')).unstageImage,
    'image channels': async () => (await import('./image/read.ts')).listChannels,
    'image history': async () => (await import('./image/read.ts')).showHistory,
    'intune init': async () => (await import('./intune/make.ts')).initContainer,
    'intune start': async () => (await import('./intune/machine.ts')).startContainer,
    'intune stop': async () => (await import('./intune/machine.ts')).stopContainer,
    'intune restart': async () => (await import('./intune/machine.ts')).restartContainer,
    'intune open': async () => (await import('./intune/open.ts')).openApplication,
    'intune shell': async () => (await import('./intune/run.ts')).openShell,
    'intune run': async () => (await import('./intune/run.ts')).runInContainer,
    'intune status': async () => (await import('./intune/read.ts')).showContainer,
    'intune check': async () => (await import('./intune/machine.ts')).checkContainer,
    'intune recreate': async () => (await import('./intune/make.ts')).recreateContainer,
    'intune destroy': async () => (await import('./intune/make.ts')).destroyContainer,
    'intune adopt': async () => (await import('./intune/make.ts')).adoptContainer,
    'intune configure': async () => (await import('./intune/configure.ts')).configureContainer,
    'intune autostart': async () => (await import('./intune/configure.ts')).switchAutostart,
    'intune devices': async () => (await import('./intune/devices.ts')).manageDevices,
    'intune sso': async () => (await import('./intune/sso.ts')).switchSingleSignOn,
    jobs: async () => (await import('./jobs.ts')).listJobs,
    cancel: async () => (await import('./jobs.ts')).cancelJob,
    doctor: async () => (await import('./doctor/doctor.ts')).runDoctor,
};

/** Does what the words after `snowctl` ask for, and returns the exit status. Never throws. */
export async function runCommandLine(
    args: readonly string[],
    surroundings: Surroundings,
): Promise<number> {
    const {interrupts} = surroundings;
    try {
        const request = parseCommandLine(args);
        return await Promise.race([perform(request, surroundings), interrupts.left]);
    } catch (error) {
        const known =
            error instanceof SnowError
                ? error
                : new SnowError(
                      'Failed',
                      `Unforeseen: ${error instanceof Error ? error.message : ''}`,
                  );
        const {out, err, environment} = surroundings;
        if (interrupts.isLeft && err.isTTY) err.write('\n');
        new Output(out, err, {json: jsonModeOf(args), isQuiet: false, environment}).error(known);
        return exitCodes[known.code].status;
    }
}

async function perform(request: Request, surroundings: Surroundings): Promise<number> {
    const {
        out,
        err,
        environment,
        interrupts,
        canAskOnTerminal,
        confirm,
        openSecretPrompt,
        streams,
        version,
    } = surroundings;
    const output = (isQuiet: boolean): Output =>
        new Output(out, err, {json: request.json, isQuiet, environment});
    switch (request.kind) {
        case 'complete': {
            const {completions} = await import('./complete.ts');
            out.write(await completions(localHost(), request.words));
            return SUCCESS;
        }
        case 'help': {
            const {helpText} = await import('./help.ts');
            const help = helpText(request.topic);
            output(false).result({help}, () => help);
            return SUCCESS;
        }
        case 'version':
            output(false).result({version}, () => `snowctl ${version}\n`);
            return SUCCESS;
        case 'run': {
            const {command, operands, settings} = request;
            const host = localHost(settings.root);
            if (settings.root !== '') await checkRoot(host.files.status('/'), settings.root);
            const context = {
                host,
                output: output(settings.isQuiet),
                settings,
                interrupts,
                canAskOnTerminal,
                confirm,
                openSecretPrompt,
                environment,
                streams,
            };
            const action = await actions[command.name]();
            return action(context, operands);
        }
    }
}

async function checkRoot(
    status: Promise<{readonly type: string} | null>,
    root: string,
): Promise<void> {
    const type = (await status)?.type;
    if (type !== 'directory' && type !== 'symlink')
        throw new SnowError('InvalidArgs', `${quoted(root)} is not a directory`);
}
