// SPDX-License-Identifier: GPL-2.0-or-later
import {
    type Command,
    commands,
    commandText,
    groupSummaries,
    optionsOf,
    optionText,
} from './commands.ts';
import {wrapped} from './text.ts';

const COLUMNS = 78;
const INDENT = '  ';

/** Help on everything (empty topic), on a group of commands, or on one command. */
export function helpText(topic: string): string {
    const command = commands.find(({name}) => name === topic);
    if (command) return commandHelp(command);
    const shown = commands.filter(({name}) => topic === '' || name.startsWith(`${topic} `));
    return [
        `Usage: snowctl ${topic === '' ? 'COMMAND' : topic} [OPTION...]`,
        topic === ''
            ? 'Manages the extensions, the image and the Intune container of a snow system.\n'
            : `${groupSummaries[topic] ?? ''}.\n`,
        'Commands:',
        ...columns(shown.map(each => [commandText(each), each.summary])),
        '',
        '"snowctl help COMMAND" says more on one; the manual page snowctl(1) says all.',
        '',
    ].join('\n');
}

function commandHelp(command: Command): string {
    return [
        `Usage: snowctl ${commandText(command)} [OPTION...]`,
        '',
        ...wrapped(command.details, COLUMNS),
        '',
        'Options:',
        ...columns(optionsOf(command).map(option => [optionText(option), option.summary])),
        '',
    ].join('\n');
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
    const width = Math.max(...rows.map(([left]) => left.length));
    return rows.map(([left, right]) => `${INDENT}${left.padEnd(width)}${INDENT}${right}`);
}
