// SPDX-License-Identifier: GPL-2.0-or-later
import {type Command, commands, groupSummaries, operandText} from '../commands.ts';

/** A word that may come next, and what it does. */
export type Choice = readonly [word: string, summary: string];

/** First words of commands that have two. */
export function groups(): readonly string[] {
    const found = commands.filter(({name}) => name.includes(' ')).map(({name}) => words(name)[0]);
    return [...new Set(found)];
}

/** Words that can come first. */
export function firstWords(): readonly Choice[] {
    const single = commands.filter(({name}) => !name.includes(' '));
    return [
        ...groups().map(group => [group, groupSummaries[group] ?? ''] as const),
        ...single.map(({name, summary}) => [name, summary] as const),
    ];
}

/** Words that can follow the first word of a group. */
export function verbsOf(group: string): readonly Choice[] {
    return commandsOf(group).map(({name, summary}) => [words(name)[1], summary] as const);
}

export function commandsOf(group: string): readonly Command[] {
    return commands.filter(({name}) => name.startsWith(`${group} `));
}

/** Commands of one word, but for help. */
export function singleCommands(): readonly Command[] {
    return commands.filter(({name}) => !name.includes(' ') && name !== 'help');
}

/** What a command takes, for people: `NAME [VERSION]`. */
export function operandsText(command: Command): string {
    return command.operands.map(operandText).join(' ');
}

function words(name: string): readonly [string, string] {
    const [first = '', second = ''] = name.split(' ');
    return [first, second];
}
