// SPDX-License-Identifier: GPL-2.0-or-later
import {
    type Command,
    commonOptions,
    type Operand,
    type Option,
    options,
    optionsOf,
    switchWords,
    type ValueKind,
} from '../commands.ts';
import {COMPLETE} from '../parse.ts';
import {
    type Choice,
    commandsOf,
    firstWords,
    groups,
    singleCommands,
    verbsOf,
} from './command-words.ts';

const common = options.filter(({name}) => commonOptions.includes(name));

/** Completion for zsh(1). */
export function zshCompletion(): string {
    return `#compdef snowctl
# SPDX-License-Identifier: GPL-2.0-or-later
# Made from snowctl's table of commands.

# Offers what snowctl names, with its description.
_snowctl_names() {
    local -a names
    local name description
    while IFS=$'\\t' read -r name description; do
        names+=("\${name//:/\\\\:}\${description:+:$description}")
    done < <(snowctl ${COMPLETE} "$@" 2>/dev/null)
    _describe -t names name names
}

${groups().map(groupFunction).join('\n')}
_snowctl() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C ${common.map(optionSpec).join(' ')} \\
        ${choiceSpec('1', 'command', firstWords())} \\
        '*::argument:->arguments' && return
    case $line[1] in
${groups()
    .map(group => `        ${group}) _snowctl_${group} ;;`)
    .join('\n')}
${singleCommands().map(commandCase).join('\n')}
        help)
            _arguments \\
                ${choiceSpec('1', 'command', firstWords())} \\
                ${choiceSpec('2', 'command', groups().flatMap(verbsOf))}
            ;;
    esac
}

_snowctl "$@"
`;
}

function groupFunction(group: string): string {
    return `_snowctl_${group}() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C ${common.map(optionSpec).join(' ')} \\
        ${choiceSpec('1', 'command', verbsOf(group))} \\
        '*::argument:->arguments' && return
    case $line[1] in
${commandsOf(group).map(commandCase).join('\n')}
    esac
}
`;
}

function commandCase(command: Command): string {
    const specs = [
        ...optionsOf(command).map(optionSpec),
        ...command.operands.map((operand, index) => operandSpec(operand, index + 1)),
    ];
    const word = command.name.split(' ').at(-1) ?? '';
    return `        ${word})
            _arguments \\
                ${specs.join(' \\\n                ')}
            ;;`;
}

/** What zsh itself knows. */
const valueActions: Readonly<Record<ValueKind, string>> = {
    directory: '_files -/',
    file: '_files',
    user: '_users',
    text: ' ',
    choice: ' ',
};

function optionSpec({name, short, value, summary}: Option): string {
    const text = `[${escaped(summary)}]`;
    if (!value) {
        return short
            ? `'(-${short} --${name})'{-${short},--${name}}'${text}'`
            : `'--${name}${text}'`;
    }
    const action = value.choices ? `(${value.choices.join(' ')})` : valueActions[value.kind];
    // `=-::` takes a value only after the equals sign, or none.
    const taking = value.fallback ? '=-' : '=';
    const colon = value.fallback ? '::' : ':';
    return `'--${name}${taking}${text}${colon}${value.name}:${action}'`;
}

function operandSpec({name, kind, isOptional, repeats}: Operand, position: number): string {
    const place = repeats ? '*' : `${position}`;
    const colon = isOptional && !repeats ? '::' : ':';
    if (kind === 'switch') return `'${place}${colon}word:(${switchWords.join(' ')})'`;
    if (kind === 'argument') return `'${place}${colon}${name}: '`;
    const action = kind === 'version' ? 'version "$line[1]"' : kind;
    return `'${place}${colon}${name}:{_snowctl_names ${action}}'`;
}

function choiceSpec(place: string, what: string, choices: readonly Choice[]): string {
    const words = choices.map(([word, summary]) => `${word}\\:"${escaped(summary)}"`);
    return `'${place}:${what}:((${words.join(' ')}))'`;
}

function escaped(text: string): string {
    return text.replace(/[[\]:\\]/g, '\\$&').replace(/'/g, "'\\''");
}
