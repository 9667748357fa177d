// SPDX-License-Identifier: GPL-2.0-or-later
import {parseArgs} from 'node:util';

import {SnowError} from '../host/error.ts';
import {
    type Command,
    type CommandName,
    commands,
    type Option,
    type OptionName,
    options,
    optionsOf,
    switchWords,
} from './commands.ts';
import {type IntuneSettings, intuneSettingsOf} from './intune/settings.ts';
import {didYouMean} from './suggestions.ts';
import {quoted} from './text.ts';

export type JsonMode = 'none' | 'document' | 'stream';

export interface Settings {
    readonly json: JsonMode;
    readonly isQuiet: boolean;
    readonly isDryRun: boolean;
    readonly isMerging: boolean;
    readonly isWaiting: boolean;
    readonly mayAskPassword: boolean;
    readonly isAutomatic: boolean;
    readonly isDownloadOnly: boolean;
    /** Whether the system is restarted afterwards. */
    readonly isApplying: boolean;
    readonly maySoftReboot: boolean;
    /** Whether nobody needs to be asked whether it is meant. */
    readonly isConfirmed: boolean;
    /** Empty: this machine. */
    readonly root: string;
    readonly intune: IntuneSettings;
}

/** What a command line asks for. */
export type Request = {readonly json: JsonMode} & (
    | {
          readonly kind: 'run';
          readonly command: Command & {readonly name: Exclude<CommandName, 'help'>};
          readonly operands: readonly string[];
          readonly settings: Settings;
      }
    /** topic: the words of a command, or the first of them. */
    | {readonly kind: 'help'; readonly topic: string}
    | {readonly kind: 'version'}
    /** For the shells: names of a kind, with the words before it. */
    | {readonly kind: 'complete'; readonly words: readonly string[]}
);

/** The hidden command that the completions call. */
export const COMPLETE = '__complete';

const optionNames = new Map<string, Option>(options.map(option => [option.name, option]));

/** Turns the words after `snowctl` into a request. Throws SnowError InvalidArgs. */
export function parseCommandLine(args: readonly string[]): Request {
    if (args[0] === COMPLETE) return {kind: 'complete', words: args.slice(1), json: 'none'};
    checkText(args);
    const {values, words} = splitOptions(args);
    const settings = settingsOf(values);
    const {json} = settings;
    if (values.has('version')) return {kind: 'version', json};
    if (values.has('help')) return {kind: 'help', topic: helpTopic(words), json};
    const {command, operands} = findCommand(words);
    if (!isRunnable(command)) return {kind: 'help', topic: helpTopic(operands), json};
    checkOptions(command, values, operands);
    checkOperands(command, operands);
    return {kind: 'run', command, operands, settings, json};
}

function isRunnable(
    command: Command,
): command is Command & {readonly name: Exclude<CommandName, 'help'>} {
    return command.name !== 'help';
}

/** How errors are to be printed, also where the rest of the command line cannot be understood. */
export function jsonModeOf(args: readonly string[]): JsonMode {
    const end = args.indexOf('--');
    const known = end < 0 ? args : args.slice(0, end);
    if (known.includes('--json=stream')) return 'stream';
    return known.includes('--json') || known.includes('--json=document') ? 'document' : 'none';
}

function checkText(args: readonly string[]): void {
    const end = args.indexOf('--');
    for (const [index, arg] of args.entries()) {
        // What goes to a program may have more lines. Node puts U+FFFD where an argument is no UTF-8.
        const isVerbatim = end >= 0 && index > end;
        if ((isVerbatim ? /\ufffd/ : /[\p{Cc}\ufffd]/u).test(arg))
            throw usage(
                `Argument ${index + 1} is not plain text (UTF-8 without control characters)`,
            );
    }
}

function splitOptions(args: readonly string[]): {
    values: ReadonlyMap<OptionName, string>;
    words: readonly string[];
} {
    const {tokens} = parseArgs({
        args: withFallbacks(args),
        options: Object.fromEntries(
            options.map(({name, short, value}) => [
                name,
                {type: value ? ('string' as const) : ('boolean' as const), ...(short && {short})},
            ]),
        ),
        strict: false,
        allowPositionals: true,
        tokens: true,
    });
    const values = new Map<OptionName, string>();
    const words: string[] = [];
    for (const token of tokens) {
        if (token.kind === 'positional') words.push(token.value);
        if (token.kind !== 'option') continue;
        const option = optionNames.get(token.name);
        if (!option) throw unknownOption(token.rawName);
        values.set(option.name, optionValue(option, token.value));
    }
    return {values, words};
}

/** `--json` to `--json=document`: parseArgs knows no value that can be left out. */
function withFallbacks(args: readonly string[]): string[] {
    const end = args.indexOf('--');
    return args.map((arg, index) => {
        if (end >= 0 && index > end) return arg;
        const fallback = arg.startsWith('--') && optionNames.get(arg.slice(2))?.value?.fallback;
        return fallback ? `${arg}=${fallback}` : arg;
    });
}

function optionValue({name, value}: Option, given: string | undefined): string {
    if (!value) {
        if (given !== undefined) throw usage(`--${name} takes no value`);
        return '';
    }
    if (!given) throw usage(`--${name} needs a value: --${name}=${value.name}`);
    if (value.choices && !value.choices.includes(given))
        throw usage(`--${name} takes ${value.choices.join(' or ')}, not ${quoted(given)}`);
    return given;
}

function unknownOption(rawName: string): SnowError {
    const hint = didYouMean(
        rawName,
        options.map(({name}) => `--${name}`),
    );
    return usage(`There is no option ${quoted(rawName)}${hint}`);
}

function settingsOf(values: ReadonlyMap<OptionName, string>): Settings {
    return {
        json: (values.get('json') as JsonMode | undefined) ?? 'none',
        isQuiet: values.has('quiet'),
        isDryRun: values.has('dry-run'),
        isMerging: !values.has('no-merge') && !values.has('automatic'),
        isWaiting: !values.has('no-wait'),
        mayAskPassword: !values.has('no-ask-password'),
        isAutomatic: values.has('automatic'),
        isDownloadOnly: values.has('download-only'),
        isApplying: values.has('apply'),
        maySoftReboot: values.has('soft-reboot'),
        isConfirmed: values.has('yes'),
        // As for systemd's tools, the root of this machine is this machine.
        root: (values.get('root') ?? '').replace(/^\/+$/, ''),
        intune: intuneSettingsOf(values),
    };
}

/** The command that the first words name, and the words that follow it. */
function findCommand(words: readonly string[]): {
    command: Command;
    operands: readonly string[];
} {
    const [first, second] = words;
    if (first === undefined) throw usage('No command is given; "snowctl help" lists them');
    const single = commands.find(({name}) => name === first);
    if (single) return {command: single, operands: words.slice(1)};

    const group = commands.filter(({name}) => name.startsWith(`${first} `));
    const verbs = group.map(({name}) => name.slice(first.length + 1));
    if (group.length === 0) {
        const firstWords = [...new Set(commands.map(({name}) => name.split(' ', 1)[0] ?? ''))];
        throw usage(`There is no command ${quoted(first)}${hintFor(first, firstWords)}`);
    }
    if (second === undefined) throw usage(`"${first}" needs one more word: ${verbs.join(', ')}`);
    const command = group[verbs.indexOf(second)];
    if (!command)
        throw usage(
            `There is no command ${quoted(`${first} ${second}`)}${didYouMean(second, verbs)}`,
        );
    return {command, operands: words.slice(2)};
}

/** A verb without its group is named in full. */
function hintFor(word: string, firstWords: readonly string[]): string {
    const full = commands.find(({name}) => name.split(' ')[1] === word);
    return full ? `; did you mean "${full.name}"?` : didYouMean(word, firstWords);
}

function helpTopic(words: readonly string[]): string {
    if (words.length === 0) return '';
    const isGroup = commands.some(({name}) => name.startsWith(`${words[0]} `));
    if (isGroup && words.length === 1) return words[0] ?? '';
    return findCommand(words).command.name;
}

const exclusions: readonly (readonly [OptionName, OptionName])[] = [
    ['channel', 'image'],
    ['password-file', 'no-password'],
    ['undo', 'channel'],
    ['undo', 'image'],
];

function checkOptions(
    command: Command,
    values: ReadonlyMap<OptionName, string>,
    operands: readonly string[],
): void {
    const [group = ''] = command.name.split(' ');
    if (values.has('root') && ['image', 'intune'].includes(group))
        throw usage(`The ${group} commands work on the running system only, and take no --root`);
    if (values.has('json') && ['intune run', 'intune shell'].includes(command.name))
        throw usage(`"${command.name}" prints what the program prints, and takes no --json`);
    const taken = optionsOf(command).map(({name}) => name);
    for (const name of values.keys()) {
        if (!taken.includes(name)) throw usage(`"${command.name}" takes no option --${name}`);
    }
    if (values.has('no-wait')) {
        if (values.has('root')) throw usage('--no-wait and --root exclude each other');
        if (values.has('dry-run')) throw usage('--no-wait and --dry-run exclude each other');
        if (command.operands[0]?.repeats && operands.length > 1)
            throw usage('--no-wait takes one name at a time');
    }
    if (values.has('apply')) {
        for (const other of ['no-wait', 'download-only'] as const)
            if (values.has(other)) throw usage(`--apply and --${other} exclude each other`);
    } else if (values.has('soft-reboot')) {
        throw usage('--soft-reboot is of use with --apply only');
    }
    for (const [one, other] of exclusions)
        if (values.has(one) && values.has(other))
            throw usage(`--${one} and --${other} exclude each other`);
    if (values.has('automatic') && operands.length > 0)
        throw usage('--automatic updates all, and takes no name');
}

function checkOperands(command: Command, operands: readonly string[]): void {
    const last = command.operands.at(-1);
    const missing = command.operands.slice(operands.length).find(({isOptional}) => !isOptional);
    if (missing) throw usage(`"${command.name}" needs ${missing.name}`);
    if (operands.length > command.operands.length && !last?.repeats)
        throw usage(
            `"${command.name}" has no use for ${quoted(operands[command.operands.length] ?? '')}`,
        );
    for (const [index, operand] of operands.entries()) {
        if ((command.operands[index] ?? last)?.kind === 'argument') continue;
        if (operand === '') throw usage(`"${command.name}" was given an empty name`);
        if (/\p{Cc}/u.test(operand))
            throw usage(`"${command.name}" was given ${quoted(operand)}, which is not plain text`);
    }
    const word = operands[0] ?? '';
    if (command.operands[0]?.kind === 'switch' && !switchWords.some(known => known === word))
        throw usage(`"${command.name}" takes ${switchWords.join(', ')}, not ${quoted(word)}`);
}

function usage(message: string): SnowError {
    return new SnowError('InvalidArgs', message);
}
