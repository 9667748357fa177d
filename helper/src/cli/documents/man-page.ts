// SPDX-License-Identifier: GPL-2.0-or-later
import {
    type Command,
    commands,
    commonOptions,
    type Operand,
    type Option,
    options,
} from '../commands.ts';
import {exitCodes} from '../exit-codes.ts';
import {wrapped} from '../text.ts';

const COLUMNS = 78;

/** The manual page in mdoc(7): a template, whose lines `@NAME@` are replaced by what the tables say. */
export function manPage(template: string, version: string): string {
    const parts: Readonly<Record<string, string>> = {
        SYNOPSIS: commands.map(synopsis).join('\n'),
        COMMANDS: commands.map(commandItem).join('\n'),
        OPTIONS: options.map(optionItem).join('\n'),
        'EXIT-STATUS': exitItems(),
        'ERROR-CODES': Object.entries(exitCodes)
            .map(([code, {meaning}]) => `.It ${code}\n${escaped(meaning)}`)
            .join('\n'),
        VERSION: version,
    };
    return template.replace(/@([A-Z-]+)@/g, (whole, name: string) => parts[name] ?? whole);
}

function synopsis(command: Command): string {
    const own = options.filter(({name}) => command.options.includes(name));
    return [
        '.Nm',
        `.Cm ${command.name}`,
        ...own.map(option => `.Op ${flag(option)}`),
        ...command.operands.map(operand => `.${operandMacro(operand)}`),
    ].join('\n');
}

function commandItem(command: Command): string {
    const operands = command.operands.map(operandMacro).join(' ');
    return `.It Cm ${command.name}${operands === '' ? '' : ` ${operands}`}\n${escaped(command.details)}`;
}

function operandMacro({name, kind, isOptional, repeats}: Operand): string {
    if (kind === 'switch') return `Cm ${name.split('|').join(' | ')}`;
    const text = `Ar ${name}${repeats ? ' ...' : ''}`;
    return isOptional ? `Op ${text}` : text;
}

function optionItem(option: Option): string {
    const scope = commonOptions.includes(option.name) ? '' : `\n${takers(option)}`;
    const short = option.short ? `Fl ${option.short} , ` : '';
    return `.It ${short}${flag(option)}\n${escaped(option.details)}${scope}`;
}

function takers({name}: Option): string {
    const words = commands
        .filter(command => command.options.includes(name))
        .map(command => command.name);
    const last = words.pop() ?? '';
    const macros = words.map((word, index) => `.Cm ${word}${index < words.length - 1 ? ' ,' : ''}`);
    return [`For`, ...macros, ...(words.length > 0 ? ['and'] : []), `.Cm ${last} .`].join('\n');
}

/** `Fl -root Ns = Ns Ar DIR` */
function flag({name, value}: Option): string {
    if (!value) return `Fl -${name}`;
    const argument = value.kind === 'choice' ? `Cm ${value.name}` : `Ar ${value.name}`;
    return value.fallback
        ? `Fl -${name} Ns Op = Ns ${argument}`
        : `Fl -${name} Ns = Ns ${argument}`;
}

function exitItems(): string {
    const known = Object.values(exitCodes);
    return [
        '.It 0',
        'Success.',
        ...known.flatMap(({status, meaning}) => [`.It ${status}`, escaped(meaning)]),
    ].join('\n');
}

/** A sentence a line, as mdoc wants it, with nothing in it that roff would take for its own. */
function escaped(text: string): string {
    return text
        .split(/(?<=[.:]) (?=[A-Z])/)
        .flatMap(sentence => wrapped(sentence, COLUMNS))
        .map(line => line.replace(/\\/g, '\\e').replace(/(?<=^| )--?(?=[a-z])/g, hyphens))
        .map(line => line.replace(/^(?=[.'])/, '\\&'))
        .join('\n');
}

/** Hyphens that can be copied into a shell. */
function hyphens(text: string): string {
    return text.replace(/-/g, '\\-');
}
