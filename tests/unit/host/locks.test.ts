// SPDX-License-Identifier: GPL-2.0-or-later
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, expect, it} from 'vitest';

import type {Host} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';

const LOCK = '/run/snow-control/test.lock';

let root: string;
let host: Host;

beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'snow-locks-'));
    host = localHost(root);
});
afterEach(() => rm(root, {recursive: true, force: true}));

it('is busy for a second one until the first has ended', async () => {
    {
        await using _lock = await host.locks.acquire(LOCK);
        await expect(host.locks.acquire(LOCK)).rejects.toMatchObject({code: 'Busy'});
    }
    await using again = await host.locks.acquire(LOCK);
    expect(again).toBeDefined();
});

it('is busy while another process holds it, and free once that was killed', async () => {
    await (await host.locks.acquire(LOCK))[Symbol.asyncDispose]();
    const other = spawn(
        'flock',
        ['--no-fork', root + LOCK, 'sh', '-c', 'echo held; exec sleep 60'],
        {
            stdio: ['ignore', 'pipe', 'inherit'],
        },
    );
    await once(other.stdout, 'data');
    await expect(host.locks.acquire(LOCK)).rejects.toMatchObject({code: 'Busy'});
    other.kill('SIGKILL');
    await once(other, 'close');
    await using lock = await host.locks.acquire(LOCK);
    expect(lock).toBeDefined();
});

it('tells a process that runs from one that ended', async () => {
    const self = await host.locks.processIdentity();
    expect(await host.locks.isProcessAlive(self)).toBe(true);
    expect(await host.locks.isProcessAlive(`${self}0`)).toBe(false);
    expect(await host.locks.isProcessAlive('4194305:1')).toBe(false);
    expect(await host.locks.isProcessAlive('nonsense')).toBe(false);
});
