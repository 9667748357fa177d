// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rename, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import type {Host} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';

let root: string;
let host: Host;
let stop: AbortController;

beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'snow-watch-'));
    host = localHost(root);
    stop = new AbortController();
});
afterEach(async () => {
    stop.abort();
    await rm(root, {recursive: true, force: true});
});

describe('watch', () => {
    it('tells of a file that is made, replaced, written to and removed', async () => {
        const path = join(root, 'state');
        let seen = 0;
        let tell = (): void => undefined;
        const watching = (async () => {
            for await (const _ of host.files.watch('/state', stop.signal)) {
                void _;
                seen += 1;
                tell();
            }
        })();
        while (seen === 0) await sleep(10);
        const steps = [
            () => host.files.writeWhole('/state', 'one'),
            () => host.files.writeWhole('/state', 'two'),
            () => writeFile(path, 'three'),
            async () => {
                await writeFile(join(root, 'other'), 'four');
                await rename(join(root, 'other'), path);
            },
            () => rm(path),
        ];
        for (const step of steps) {
            // One change is often several events.
            await sleep(50);
            const told = new Promise<void>(resolve => (tell = resolve));
            await step();
            await told;
        }
        stop.abort();
        await watching;
    });

    it('makes one of many changes', async () => {
        let count = 0;
        for await (const _ of host.files.watch('/state', stop.signal)) {
            void _;
            count += 1;
            if (count === 1)
                for (let i = 0; i < 50; i++) await writeFile(join(root, 'state'), `${i}`);
            else if (count === 2) setTimeout(() => stop.abort(), 100);
        }
        // What came after the second one was asked for is told by a third.
        expect(count).toBeLessThan(4);
    });

    it('says nothing of other files, and ends when it is aborted', async () => {
        const changes = host.files.watch('/state', stop.signal)[Symbol.asyncIterator]();
        await changes.next();
        const next = changes.next();
        await writeFile(join(root, 'other'), '');
        setTimeout(() => stop.abort(), 50);
        expect(await next).toMatchObject({done: true});
        const aborted = host.files.watch('/state', stop.signal)[Symbol.asyncIterator]();
        expect(await aborted.next()).toMatchObject({done: true});
    });

    it('says that there is no directory', async () => {
        const changes = host.files.watch('/none/state', stop.signal)[Symbol.asyncIterator]();
        await expect(changes.next()).rejects.toMatchObject({code: 'NotFound'});
    });
});
