// SPDX-License-Identifier: GPL-2.0-or-later
// What a shell offers after Tab, and the manual page, as they are installed.
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {definitionFiles} from '../lab/definitions.ts';
import {Guest} from '../lab/guest.ts';
import {installedSystem} from '../lab/installation.ts';

const url = 'http://127.0.0.1:1';
let guest: Guest;

beforeAll(async () => {
    guest = await Guest.boot('desktop', {
        name: 'completions',
        install: await installedSystem(),
        files: definitionFiles({name: 'podman', url}, {name: 'jq', url, enabled: true}),
    });
});
afterAll(() => guest?.kill());

/** Types into an interactive shell, each text once it shows what comes before. */
async function typed(
    shell: readonly string[],
    steps: readonly (readonly [before: RegExp, text: string])[],
    shows: RegExp,
) {
    const terminal = guest.startTerminal(shell, {user: 'alice', timeout: 60_000});
    let from = 0;
    for (const [before, text] of steps) {
        await terminal.waitFor(before, {from});
        from = terminal.text.length;
        terminal.type(text);
    }
    await terminal.waitFor(shows, {from});
    // Ctrl-U takes back what is typed.
    terminal.type('\u0015exit\n');
    await terminal.exit;
}

describe('bash', () => {
    const offered = async (...words: string[]) => {
        const script = `
            source /usr/share/bash-completion/bash_completion
            source /usr/share/bash-completion/completions/snowctl
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _snowctl 2>/dev/null
            printf '%s\\n' "\${COMPREPLY[@]}"`;
        const out = await guest.check(['bash', '-c', script, 'bash', 'snowctl', ...words], {
            user: 'alice',
        });
        return out.split('\n').filter(Boolean);
    };

    test('offers the commands', async () => {
        expect(await offered('')).toEqual(
            expect.arrayContaining(['features', 'image', 'jobs', 'doctor']),
        );
        expect(await offered('features', 'en')).toEqual(['enable']);
        expect(await offered('image', 'un')).toEqual(['unstage']);
    });

    test('offers the features that are off to enable, and those that are on to disable', async () => {
        expect(await offered('features', 'enable', '')).toEqual(['podman']);
        expect(await offered('features', 'disable', '')).toEqual(['jq']);
        expect((await offered('features', 'show', '')).sort()).toEqual(['jq', 'podman']);
    });

    test('offers the channels that are for this machine', async () => {
        await guest.check(['touch', '/run/nbc-booted']);
        expect((await offered('image', 'switch', '')).sort()).toEqual([
            'cayo',
            'cayoloaded',
            'snow',
            'snowloaded',
        ]);
        await guest.check(['rm', '/run/nbc-booted']);
    });

    test('completes a line that somebody types', async () => {
        await typed(
            ['bash', '--norc', '-i'],
            [
                [/\$ $/, 'source /usr/share/bash-completion/bash_completion\n'],
                [/\$ $/, 'snowctl feat\t'],
                [/features/, 'ena\t'],
                [/enable/, 'pod\t'],
            ],
            /podman/,
        );
    });
});

test('zsh completes a line that somebody types', async () => {
    await typed(
        ['zsh', '-f', '-i'],
        [
            [/vm% /, 'PS1="> "; autoload -U compinit; compinit -u\n'],
            [/\n[^]*> /, 'snowctl feat\t'],
            [/features/, 'ena\t'],
            [/enable/, 'pod\t'],
        ],
        /podman/,
    );
});

test('fish offers commands and features', async () => {
    const offered = async (line: string) => {
        const out = await guest.check(['fish', '-c', `complete --do-complete '${line}'`], {
            user: 'alice',
        });
        return out
            .split('\n')
            .filter(Boolean)
            .map(entry => entry.split('\t')[0]);
    };
    expect(await offered('snowctl ')).toEqual(
        expect.arrayContaining(['features', 'jobs', 'doctor']),
    );
    expect(await offered('snowctl features dis')).toEqual(['disable']);
    expect(await offered('snowctl features enable ')).toContain('podman');
    expect(await offered('snowctl features enable ')).not.toContain('jq');
});

test('the manual page is found and names every command', async () => {
    const page = await guest.check(['sh', '-c', 'MANWIDTH=100 man snowctl | col -b'], {
        user: 'alice',
    });
    for (const words of ['features enable', 'features rollback', 'EXIT STATUS', '--json', 'doctor'])
        expect(page).toContain(words);
});
