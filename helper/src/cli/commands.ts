// SPDX-License-Identifier: GPL-2.0-or-later
// Every command and option of snowctl. Help, parsing, completions and the manual page are made
// from these tables.

import {
    type IntuneCommandName,
    type IntuneOptionName,
    intuneCommands,
    intuneOptions,
} from './intune/commands.ts';

/** What an operand names, so that a shell can complete it. */
export type OperandKind =
    | 'feature'
    | 'enabled'
    | 'disabled'
    | 'version'
    | 'channel'
    | 'application'
    | 'setting'
    | 'device-action'
    | 'device'
    | 'job'
    | 'command'
    | 'switch'
    /** Of a program: any text, which no shell can complete. */
    | 'argument';

export interface Operand {
    /** As shown in help: NAME. */
    readonly name: string;
    readonly kind: OperandKind;
    readonly isOptional?: true;
    /** Takes all the operands that are left. */
    readonly repeats?: true;
}

/** The words of a command; `help` is a request of its own. */
export type CommandName =
    | 'features list'
    | 'features show'
    | 'features enable'
    | 'features disable'
    | 'features update'
    | 'features check'
    | 'features rollback'
    | 'features auto'
    | 'image status'
    | 'image check'
    | 'image update'
    | 'image switch'
    | 'image rollback'
    | 'image unstage'
    | 'image channels'
    | 'image history'
    | IntuneCommandName
    | 'jobs'
    | 'cancel'
    | 'doctor'
    | 'help';

export interface Command {
    readonly name: CommandName;
    readonly operands: readonly Operand[];
    /** Options of this command beside the common ones. */
    readonly options: readonly OptionName[];
    /** One line, for help and completions. */
    readonly summary: string;
    /** What the manual page says more. */
    readonly details: string;
}

export type OptionName =
    | 'json'
    | 'quiet'
    | 'dry-run'
    | 'no-merge'
    | 'no-wait'
    | 'no-ask-password'
    | 'root'
    | 'automatic'
    | 'download-only'
    | 'apply'
    | 'soft-reboot'
    | 'yes'
    | IntuneOptionName
    | 'help'
    | 'version';

/** What the value of an option names. */
export type ValueKind = 'directory' | 'file' | 'user' | 'text' | 'choice';

export interface Option {
    readonly name: OptionName;
    readonly short?: string;
    /** The value it takes; `isOptional`: --name alone means `fallback`. */
    readonly value?: {
        readonly name: string;
        readonly kind: ValueKind;
        readonly choices?: readonly string[];
        readonly fallback?: string;
    };
    readonly summary: string;
    readonly details: string;
}

export const options: readonly Option[] = [
    {
        name: 'json',
        value: {
            name: 'stream',
            kind: 'choice',
            choices: ['document', 'stream'],
            fallback: 'document',
        },
        summary: 'Print one JSON document, or with =stream JSON lines',
        details:
            'Print exactly one JSON document on standard output and nothing else; an error is a document, too. With =stream, print one object on a line for everything that happens; the last one is the result or the error.',
    },
    {
        name: 'dry-run',
        summary: 'Say what would be done, and do nothing',
        details:
            'Say what would be done, and do nothing. Repositories and registries are asked for their versions. For extensions the service is not started; for the image it is, since it alone may look.',
    },
    {
        name: 'no-merge',
        summary: 'Leave the change to the next boot',
        details:
            'Install, link and switch, but do not make systemd merge the new version now. It becomes active at the next boot.',
    },
    {
        name: 'no-wait',
        summary: 'Start the job, print it and return',
        details: 'Start the job, print its number and return. It takes one feature at most.',
    },
    {
        name: 'no-ask-password',
        summary: 'Never ask for a password',
        details:
            'Never ask for a password: what needs one fails. Without this option the desktop asks, or snowctl does on its terminal.',
    },
    {
        name: 'root',
        value: {name: 'DIR', kind: 'directory'},
        summary: 'Work on the image tree in DIR',
        details:
            'Work on the tree of an image below this directory, without the service and its authorization. Nothing is ever merged.',
    },
    {
        name: 'automatic',
        summary: 'Update as the timer does',
        details:
            'Update as the timer does: nothing is merged before the next boot, and versions that were rolled back from are left alone.',
    },
    {
        name: 'download-only',
        summary: 'Fetch it, and leave the next boot as it is',
        details:
            'Fetch the newest image, and leave the next boot as it is. A later update stages it without a network.',
    },
    {
        name: 'apply',
        summary: 'Restart once it is staged',
        details:
            'Restart the system as soon as the new image is staged. Where there is nothing new and nothing staged, it is not restarted; nor is it after an error.',
    },
    {
        name: 'soft-reboot',
        summary: 'Restart without the firmware where that can be done',
        details:
            'Restart without the firmware and the kernel where the staged image can be started so, and as usual where it cannot. Only with --apply.',
    },
    ...intuneOptions,
    {
        name: 'yes',
        short: 'y',
        summary: 'Do not ask whether it is meant',
        details:
            'Do not ask whether it is meant. It is asked on a terminal only, and neither with --json nor with --quiet.',
    },
    {
        name: 'quiet',
        short: 'q',
        summary: 'Print errors only',
        details: 'Print no progress and no result, only errors.',
    },
    {
        name: 'help',
        short: 'h',
        summary: 'Show help, also for one command',
        details: 'Show help, also for one command.',
    },
    {
        name: 'version',
        summary: 'Show the version',
        details: 'Show the version.',
    },
];

/** Options that every command takes. */
export const commonOptions: readonly OptionName[] = ['json', 'quiet', 'help', 'version'];

/** Options of a command that starts a job. */
const jobOptions: readonly OptionName[] = [
    'dry-run',
    'no-merge',
    'no-wait',
    'no-ask-password',
    'root',
];
const jobOptionsWithoutMerge = jobOptions.filter(name => name !== 'no-merge');

/** Options of a command that changes the OS image. */
const imageOptions: readonly OptionName[] = ['dry-run', 'no-wait', 'no-ask-password'];

/** What the commands of two words are about, by the first one. */
export const groupSummaries: Readonly<Record<string, string>> = {
    features: 'Manage system extensions',
    image: 'Update, switch and roll back the system image',
    intune: 'Make, start and use the container for Microsoft Intune',
};

export const commands: readonly Command[] = [
    {
        name: 'features list',
        operands: [],
        options: ['root'],
        summary: 'List the extensions and their states',
        details:
            'List the extensions: whether each is enabled and merged, its version, and a newer one where the last check found it.',
    },
    {
        name: 'features show',
        operands: [{name: 'NAME', kind: 'feature'}],
        options: ['root'],
        summary: 'Show all about an extension',
        details:
            'Show all about one extension: its versions on disk, its sources, and what is wrong with it.',
    },
    {
        name: 'features enable',
        operands: [{name: 'NAME', kind: 'disabled', repeats: true}],
        options: jobOptions,
        summary: 'Download, verify, install, merge and turn on',
        details:
            'Download, verify, install and merge the newest version of each extension, and then turn it on. All names are checked before the first one is started; after a failure, those that follow are not started.',
    },
    {
        name: 'features disable',
        operands: [{name: 'NAME', kind: 'enabled', repeats: true}],
        options: jobOptionsWithoutMerge,
        summary: 'Unmerge, remove and turn off',
        details:
            'Unmerge each extension, remove its images unless another extension needs them, and turn it off.',
    },
    {
        name: 'features update',
        operands: [{name: 'NAME', kind: 'enabled', isOptional: true, repeats: true}],
        options: [...jobOptions, 'automatic'],
        summary: 'Update the enabled extensions, or those named',
        details:
            'Update all enabled extensions, or only those named, to their newest signed version. An older version is never installed.',
    },
    {
        name: 'features check',
        operands: [],
        options: ['no-wait', 'no-ask-password', 'root'],
        summary: 'Ask the repositories for newer versions',
        details: 'Ask all repositories for their newest versions, and list what can be updated.',
    },
    {
        name: 'features rollback',
        operands: [
            {name: 'NAME', kind: 'enabled'},
            {name: 'VERSION', kind: 'version', isOptional: true},
        ],
        options: jobOptions,
        summary: 'Go back to a version that is still on disk',
        details:
            'Go back to a version that is still on disk: the one named, or else the newest that is older than the installed one.',
    },
    {
        name: 'features auto',
        operands: [{name: 'on|off|status', kind: 'switch'}],
        options: ['no-ask-password', 'root'],
        summary: 'Turn automatic updates on or off',
        details:
            'Turn the timer on or off that updates the enabled extensions, or say which it is. What it updates becomes active at the next boot.',
    },
    {
        name: 'image status',
        operands: [],
        options: [],
        summary: 'Show what runs, and what a restart would start',
        details:
            'Show which image is followed, what of it runs, is staged, downloaded or available, and what the next restart would start, with the extensions that would be missing then.',
    },
    {
        name: 'image check',
        operands: [],
        options: ['no-wait', 'no-ask-password'],
        summary: 'Ask for a newer image',
        details:
            'Ask the registry or update server for a newer image. What it finds is said and does not change the exit status.',
    },
    {
        name: 'image update',
        operands: [],
        options: ['download-only', 'apply', 'soft-reboot', ...imageOptions],
        summary: 'Stage the newest image for the next boot',
        details:
            'Stage the newest image for the next boot, the one that was downloaded before, if there is one, and fetch the extensions that fit it. The running system is left as it is. An image that was rolled back from is not staged again.',
    },
    {
        name: 'image switch',
        operands: [{name: 'CHANNEL|REFERENCE', kind: 'channel'}],
        options: ['yes', ...imageOptions],
        summary: 'Follow another image from the next boot on',
        details:
            'Stage another image, and follow it from then on: that of a channel by its name, or any by its full reference, as ghcr.io/frostyard/snow:latest. Extensions follow it; those that have no version for it are named once it is staged.',
    },
    {
        name: 'image rollback',
        operands: [],
        options: imageOptions,
        summary: 'Start the image before this one at the next boot',
        details:
            'Have the next boot start the image that ran before this one. What is staged is discarded.',
    },
    {
        name: 'image unstage',
        operands: [],
        options: imageOptions,
        summary: 'Start the running image again at the next boot',
        details:
            'Have the next boot start the running image again: take back a staged update, a switch, or a rollback that waits for the restart.',
    },
    {
        name: 'image channels',
        operands: [],
        options: [],
        summary: 'List the images to switch to',
        details:
            'List the channels that this machine can be switched to. The one that is followed is marked.',
    },
    {
        name: 'image history',
        operands: [],
        options: [],
        summary: 'List what was done to the image',
        details:
            'List what was done to the image, the newest first: by which user, from which version to which, and how it ended.',
    },
    ...intuneCommands,
    {
        name: 'jobs',
        operands: [],
        options: [],
        summary: 'List the jobs of the service',
        details:
            'List the jobs that run, and those that ended since the service was started. A change of the image or of a container goes on without the service, and is listed all the same.',
    },
    {
        name: 'cancel',
        operands: [{name: 'JOB', kind: 'job'}],
        options: ['no-ask-password'],
        summary: 'Cancel a job',
        details: 'Cancel a job by its number. Only the user who started it and root may.',
    },
    {
        name: 'doctor',
        operands: [],
        options: ['root'],
        summary: 'Find out what is wrong and what to do about it',
        details:
            'Look for what is wrong with the extensions, the system image, the container for Intune and Snow Control itself, and say what to do about it.',
    },
    {
        name: 'help',
        operands: [{name: 'COMMAND', kind: 'command', isOptional: true, repeats: true}],
        options: [],
        summary: 'Show help, also for one command',
        details: 'Show help, also for one command.',
    },
];

/** Words that an operand of kind `switch` takes. */
export const switchWords = ['on', 'off', 'status'] as const;

/** NAME..., [VERSION] and so on. */
export function operandText({name, isOptional, repeats}: Operand): string {
    const text = repeats ? `${name}...` : name;
    return isOptional ? `[${text}]` : text;
}

/** `features enable NAME...` */
export function commandText(command: Command): string {
    return [command.name, ...command.operands.map(operandText)].join(' ');
}

/** `-q, --quiet` or `--root=DIR` */
export function optionText({name, short, value}: Option): string {
    const long = `--${name}${valueText(value)}`;
    return short ? `-${short}, ${long}` : long;
}

function valueText(value: Option['value']): string {
    if (!value) return '';
    return value.fallback ? `[=${value.name}]` : `=${value.name}`;
}

/** Options that a command takes, in the order of the table. */
export function optionsOf(command: Command): readonly Option[] {
    return options.filter(
        ({name}) => commonOptions.includes(name) || command.options.includes(name),
    );
}
