// SPDX-License-Identifier: GPL-2.0-or-later
// What is made from the tables at build time; nothing of this is in snowctl itself.

import {bashCompletion} from './bash-completion.ts';
import {fishCompletion} from './fish-completion.ts';
import {manPage} from './man-page.ts';
import {zshCompletion} from './zsh-completion.ts';

/** Content by path below dist/. */
export function documents(manTemplate: string, version: string): Readonly<Record<string, string>> {
    return {
        'completions/snowctl.bash': bashCompletion(),
        'completions/_snowctl': zshCompletion(),
        'completions/snowctl.fish': fishCompletion(),
        'man/snowctl.1': manPage(manTemplate, version),
    };
}
