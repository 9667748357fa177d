// SPDX-License-Identifier: GPL-2.0-or-later
import {
    type Command,
    commonOptions,
    type Option,
    options,
    type OptionName,
    switchWords,
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

/** No command takes as many words. */
const MANY = 99;

/** Completion for fish(1). */
export function fishCompletion(): string {
    const all = [...groups().flatMap(commandsOf), ...singleCommands()];
    return `# SPDX-License-Identifier: GPL-2.0-or-later
# Made from snowctl's table of commands.

# The words before the cursor, without options.
function __snowctl_words
    set -l is_value 0
    for word in (commandline -opc)[2..-1]
        if test $is_value = 1
            set is_value 0
            continue
        end
        switch $word
            case ${options
                .filter(({value}) => value && !value.fallback)
                .map(({name}) => `--${name}`)
                .join(' ')}
                set is_value 1
            case '-*'
            case '*'
                printf '%s\\n' $word
        end
    end
end

# Whether the words are those of a command, and then from MIN to MAX more.
function __snowctl_after --argument-names min max
    set -l command $argv[3..-1]
    set -l words (__snowctl_words)
    set -l more (math (count $words) - (count $command))
    test $more -ge $min -a $more -le $max; or return 1
    for i in (seq (count $command))
        test "$words[$i]" = "$command[$i]"; or return 1
    end
end

function __snowctl_versions
    set -l words (__snowctl_words)
    snowctl ${COMPLETE} version $words[-1] 2>/dev/null
end

complete -c snowctl -f
${options
    .filter(({name}) => commonOptions.includes(name))
    .map(option => optionLine(option, null))
    .join('\n')}
${options
    .filter(({name}) => !commonOptions.includes(name))
    .map(option => optionLine(option, all.filter(takes(option.name))))
    .join('\n')}

${choiceLines('__snowctl_after 0 0', firstWords())}
${groups()
    .map(group => choiceLines(`__snowctl_after 0 0 ${group}`, verbsOf(group)))
    .join('\n')}
${choiceLines('__snowctl_after 0 0 help', firstWords())}
${groups()
    .map(group => choiceLines(`__snowctl_after 0 0 help ${group}`, verbsOf(group)))
    .join('\n')}

${all.flatMap(operandLines).join('\n')}
`;
}

function takes(name: OptionName) {
    return (command: Command): boolean => command.options.includes(name);
}

/** For some commands, or for all (null). */
function optionLine(
    {name, short, value, summary}: Option,
    takers: readonly Command[] | null,
): string {
    const conditions = takers?.map(command => `__snowctl_after 0 ${MANY} ${command.name}`);
    return [
        'complete -c snowctl',
        ...(conditions ? [`-n '${conditions.join('; or ')}'`] : []),
        ...(short ? [`-s ${short}`] : []),
        `-l ${name}`,
        ...(value && !value.fallback ? valueParts(value) : []),
        `-d '${quoted(summary)}'`,
        ...(value?.choices && value.fallback
            ? [
                  // fish knows no value that can be left out: these are options of their own.
                  `\ncomplete -c snowctl -a '--${name}=${value.choices.at(-1)}' -n 'string match -q -- "--${name}=*" (commandline -ct)'`,
              ]
            : []),
    ].join(' ');
}

function valueParts({kind, choices}: NonNullable<Option['value']>): readonly string[] {
    if (choices) return ['-x', `-a '${choices.join(' ')}'`];
    switch (kind) {
        case 'directory':
            return ['-x', "-a '(__fish_complete_directories)'"];
        case 'file':
            return ['-r', '-F'];
        case 'user':
            return ['-x', "-a '(__fish_complete_users)'"];
        default:
            return ['-x'];
    }
}

function operandLines(command: Command): readonly string[] {
    return command.operands.flatMap(({kind, repeats}, index) => {
        if (kind === 'argument') return [];
        const condition = `__snowctl_after ${index} ${repeats ? MANY : index} ${command.name}`;
        if (kind === 'switch')
            return choiceLines(
                condition,
                switchWords.map(word => [word, '']),
            );
        const names =
            kind === 'version' ? '__snowctl_versions' : `snowctl ${COMPLETE} ${kind} 2>/dev/null`;
        return `complete -c snowctl -n '${condition}' -a '(${names})'`;
    });
}

function choiceLines(condition: string, choices: readonly Choice[]): string {
    return choices
        .map(
            ([word, summary]) =>
                `complete -c snowctl -n '${condition}' -a ${word}${summary === '' ? '' : ` -d '${quoted(summary)}'`}`,
        )
        .join('\n');
}

function quoted(text: string): string {
    return text.replace(/[\\']/g, '\\$&');
}
