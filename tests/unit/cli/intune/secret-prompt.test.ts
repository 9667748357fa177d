// SPDX-License-Identifier: GPL-2.0-or-later
import {PassThrough} from 'node:stream';

import {expect, it, vi} from 'vitest';

import {SecretPrompt} from '../../../../helper/src/cli/secret-prompt.ts';

function terminal() {
    const modes: boolean[] = [];
    const shown: string[] = [];
    const input = Object.assign(new PassThrough(), {
        setRawMode: (isRaw: boolean) => modes.push(isRaw),
    });
    const interrupt = vi.fn();
    const prompt = new SecretPrompt(input, {write: (text: string) => shown.push(text)}, interrupt);
    return {input, modes, shown, interrupt, prompt};
}

it('takes a line, shows none of it, and gives the terminal back', async () => {
    const {input, modes, shown, prompt} = terminal();
    const line = prompt.ask('Password: ');
    expect(modes).toEqual([true]);
    input.write('geheim');
    input.write('nis\r');
    expect(await line).toBe('geheimnis');
    expect(shown).toEqual(['Password: ', '\n']);
    prompt[Symbol.dispose]();
    expect(modes).toEqual([true, false]);
});

it('keeps what was typed ahead for the next question', async () => {
    const {input, prompt} = terminal();
    input.write('one\ntwo\n');
    expect(await prompt.ask('1: ')).toBe('one');
    expect(await prompt.ask('2: ')).toBe('two');
});

it('can be corrected', async () => {
    const {input, prompt} = terminal();
    input.write('wrong\u0015righd\u007f\bht\u0004');
    expect(await prompt.ask('1: ')).toBe('right');
});

it('removes a character at a time, whatever its length', async () => {
    const {input, prompt} = terminal();
    input.write('a😀\u007fb\r');
    expect(await prompt.ask('1: ')).toBe('ab');
});

it('is interrupted by Ctrl+C, which the terminal makes no signal of', async () => {
    const {input, interrupt, prompt} = terminal();
    void prompt.ask('1: ');
    input.write('\u0003');
    await expect.poll(() => interrupt.mock.calls.length).toBe(1);
});

it('takes the end for the end of the line', async () => {
    const {input, prompt} = terminal();
    input.end('half');
    expect(await prompt.ask('1: ')).toBe('half');
});
