// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile} from 'node:fs/promises';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {openSafely} from '../../../helper/src/host/safe-open.ts';

const owner = process.getuid?.() ?? 0;
let directory: string;

beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'safe-open-'));
});
afterEach(() => rm(directory, {recursive: true}));

describe('openSafely', () => {
    it('still means the file that it looked at when a link was put in its place', async () => {
        const path = join(directory, 'cookie');
        await writeFile(path, 'mine');
        await using opened = await openSafely(path, {type: 'file', owner});
        await rename(path, `${path}.old`);
        await symlink('/etc/shadow', path);
        expect(await readFile(opened?.descriptorPath ?? '', 'utf8')).toBe('mine');
    });

    it('refuses a link, and a directory on the way that is one', async () => {
        await mkdir(join(directory, 'real'));
        await writeFile(join(directory, 'real/file'), '');
        await symlink('/etc/shadow', join(directory, 'shadow'));
        await symlink('real', join(directory, 'link'));
        for (const path of ['shadow', 'link/file'])
            await expect(
                openSafely(join(directory, path), {type: 'file', owner}),
            ).rejects.toMatchObject({code: 'WrongState'});
    });

    it('refuses paths that lead up again, or that are relative', async () => {
        for (const path of [`${directory}/..`, `${directory}/../etc/passwd`, 'etc/passwd'])
            await expect(openSafely(path, {type: 'file', owner})).rejects.toMatchObject({
                code: 'InvalidArgs',
            });
    });

    it('takes a socket of its owner, and of nobody else', async () => {
        const path = join(directory, 'wayland-0');
        const server = createServer();
        await new Promise<void>(resolve => server.listen(path, resolve));
        try {
            await using opened = await openSafely(path, {type: 'socket', owner});
            expect(opened?.path).toBe(path);
            await expect(
                openSafely(path, {type: 'socket', owner: owner + 1}),
            ).rejects.toMatchObject({code: 'NotAuthorized'});
            await expect(openSafely(path, {type: 'file', owner})).rejects.toMatchObject({
                code: 'WrongState',
            });
        } finally {
            server.close();
        }
    });

    it('finds nothing where there is nothing', async () => {
        expect(await openSafely(join(directory, 'no/file'), {type: 'file', owner})).toBeNull();
        expect(await openSafely(join(directory, 'file'), {type: 'file', owner})).toBeNull();
    });
});
