// SPDX-License-Identifier: GPL-2.0-or-later
import {afterEach, beforeEach, expect, it, vi} from 'vitest';

import {withNotifier} from '../../../../helper/src/cli/intune/notifier.ts';
import {SnowError} from '../../../../helper/src/host/error.ts';
import type {Host} from '../../../../helper/src/host/host.ts';

let calls: (readonly string[])[];
let host: Host;

beforeEach(() => {
    vi.useFakeTimers();
    calls = [];
    const run = (command: readonly string[]) => {
        calls.push(command.slice(command.indexOf('call') + 4));
        return Promise.resolve({exitCode: 0, signal: null, stdout: 'u 7\n', stderr: ''});
    };
    host = {programs: {run}} as unknown as Host;
});
afterEach(() => vi.useRealTimers());

const after = (milliseconds: number) => () =>
    new Promise<string>(resolve => setTimeout(() => resolve('done'), milliseconds));
const members = (): readonly (string | undefined)[] => calls.map(([member]) => member);

it('says nothing of what is quick', async () => {
    const starting = withNotifier(host, 'Microsoft Edge', after(900));
    await vi.advanceTimersByTimeAsync(900);
    expect(await starting).toBe('done');
    expect(calls).toEqual([]);
});

it('says what takes its time, until it is done', async () => {
    const starting = withNotifier(host, 'Microsoft Edge', after(5000));
    await vi.advanceTimersByTimeAsync(2000);
    expect(members()).toEqual(['Notify']);
    expect(calls[0]).toContain('Microsoft Edge');
    await vi.advanceTimersByTimeAsync(3000);
    expect(await starting).toBe('done');
    expect(calls[1]).toEqual(['CloseNotification', 'u', '7']);
});

it('says why it failed, in the place of what was said before, and as text', async () => {
    const starting = withNotifier(host, 'Microsoft Edge', async () => {
        await after(2000)();
        throw new SnowError('Failed', 'No <b>disk</b> & no space');
    });
    const ended = expect(starting).rejects.toMatchObject({code: 'Failed'});
    await vi.advanceTimersByTimeAsync(2000);
    await ended;
    expect(members()).toEqual(['Notify', 'Notify']);
    expect(calls[1]).toEqual(
        expect.arrayContaining([
            '7',
            'Microsoft Edge could not be started',
            'No &lt;b&gt;disk&lt;/b&gt; &amp; no space',
        ]),
    );
});

it('does without a desktop that shows it', async () => {
    const gone = {
        programs: {run: () => Promise.reject(new SnowError('NotSupported', 'No busctl'))},
    } as unknown as Host;
    const starting = withNotifier(gone, 'Microsoft Edge', after(2000));
    await vi.advanceTimersByTimeAsync(2000);
    expect(await starting).toBe('done');
});
