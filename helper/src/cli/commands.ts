// SPDX-License-Identifier: GPL-2.0-or-later
// Every command and option of snowctl. Help, parsing, completions and the manual page are made
// from these tables.

/** What an operand names, so that a shell can complete it. */
export type OperandKind =
    'feature' | 'enabled' | 'disabled' | 'version' | 'job' | 'command' | 'switch';

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
    | 'help'
    | 'version';

export interface Option {
    readonly name: OptionName;
    readonly short?: string;
    /** The value it takes; `isOptional`: --name alone means `fallback`. */
    readonly value?: {
        readonly name: string;
        readonly kind: 'directory' | 'choice';
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
            'Say what would be done, and do nothing. The repositories are asked for their versions; the service is not started.',
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
        name: 'jobs',
        operands: [],
        options: [],
        summary: 'List the jobs of the service',
        details: 'List the jobs that run, and those that ended since the service was started.',
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
            'Look for what is wrong with the extensions and with Snow Control itself, and say what to do about it.',
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
