// SPDX-License-Identifier: GPL-2.0-or-later
import {
    mkdtemp,
    mkdir,
    readFile,
    readdir,
    readlink,
    rm,
    symlink,
    writeFile,
} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import type {Host} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';

let root: string;
let host: Host;

beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'snow-files-'));
    host = localHost(root);
});
afterEach(() => rm(root, {recursive: true, force: true}));

describe('reading below a root', () => {
    it('says null or nothing of what is not there', async () => {
        expect(await host.files.readText('/etc/none')).toBeNull();
        expect(await host.files.readBytes('/etc/none')).toBeNull();
        expect(await host.files.list('/etc/none')).toEqual([]);
        expect(await host.files.status('/etc/none')).toBeNull();
        expect(await host.files.readLink('/etc/none')).toBeNull();
        expect(await host.files.resolve('/etc/none')).toBeNull();
        expect(await host.files.openRead('/etc/none')).toBeNull();
    });

    it('resolves absolute links inside of the root', async () => {
        await mkdir(join(root, 'usr/lib'), {recursive: true});
        await mkdir(join(root, 'etc'));
        await writeFile(join(root, 'usr/lib/os-release'), 'ID=tree\n');
        await symlink('/usr/lib/os-release', join(root, 'etc/os-release'));
        expect(await host.files.readText('/etc/os-release')).toBe('ID=tree\n');
        expect(await host.files.resolve('/etc/os-release')).toBe('/usr/lib/os-release');
    });

    it('never leaves the root, however many .. a link has', async () => {
        await writeFile(join(root, 'passwd'), 'inside');
        await symlink('../../../../../../../../passwd', join(root, 'link'));
        expect(await host.files.readText('/link')).toBe('inside');
        expect(await host.files.readText('/../../passwd')).toBe('inside');
    });

    it('gives up on links that go in circles', async () => {
        await symlink('/b', join(root, 'a'));
        await symlink('/a', join(root, 'b'));
        await expect(host.files.readText('/a')).rejects.toThrow(/too many levels/);
    });

    it('refuses what is larger than asked for, and paths that are not absolute', async () => {
        await writeFile(join(root, 'large'), 'x'.repeat(11));
        await expect(host.files.readText('/large', 10)).rejects.toMatchObject({code: 'Failed'});
        await expect(host.files.readText('large')).rejects.toMatchObject({code: 'InvalidArgs'});
    });

    it('lists in byte order', async () => {
        for (const name of ['b', 'B', 'ä', 'a']) await writeFile(join(root, name), '');
        expect(await host.files.list('/')).toEqual(['B', 'a', 'b', 'ä']);
    });
});

describe('writing', () => {
    it('replaces a file whole and leaves no temporary one', async () => {
        await host.files.writeWhole('/etc/a/switch', 'one');
        await host.files.writeWhole('/etc/a/switch', 'two', 0o600);
        expect(await readFile(join(root, 'etc/a/switch'), 'utf8')).toBe('two');
        expect((await host.files.status('/etc/a/switch'))?.mode).toBe(0o600);
        expect(await readdir(join(root, 'etc/a'))).toEqual(['switch']);
    });

    it('does not write through a symbolic link', async () => {
        await writeFile(join(root, 'victim'), 'untouched');
        await symlink('victim', join(root, 'link'));
        await host.files.writeWhole('/link', 'new');
        expect(await readFile(join(root, 'victim'), 'utf8')).toBe('untouched');
        expect(await readFile(join(root, 'link'), 'utf8')).toBe('new');
    });

    it('replaces a symbolic link in one step', async () => {
        await host.files.linkWhole('/x/link', '../one');
        await host.files.linkWhole('/x/link', '../two');
        expect(await readlink(join(root, 'x/link'))).toBe('../two');
        expect(await readdir(join(root, 'x'))).toEqual(['link']);
    });

    it('shows a pending file under its name only after the commit', async () => {
        const pending = await host.files.createPending('/images/one.raw');
        expect(await readdir(join(root, 'images'))).toEqual([
            pending.path.slice('/images/'.length),
        ]);
        await pending.sync({mode: 0o640, mtime: 1000});
        await pending.commit();
        await pending.discard();
        expect(await readdir(join(root, 'images'))).toEqual(['one.raw']);
        expect(await host.files.status('/images/one.raw')).toMatchObject({
            mode: 0o640,
            mtime: 1000,
        });
    });

    it('takes a discarded file away, and those of killed processes', async () => {
        const pending = await host.files.createPending('/images/one.raw');
        await pending.discard();
        expect(await readdir(join(root, 'images'))).toEqual([]);

        await writeFile(join(root, 'images/.#snow-control.one.raw.0123456789abcdef'), 'half');
        await writeFile(join(root, 'images/.#sysupdateone.raw0123456789abcdef'), 'of another');
        await host.files.removePending('/images');
        expect(await readdir(join(root, 'images'))).toEqual(['.#sysupdateone.raw0123456789abcdef']);
    });

    it('removes a directory only while it is empty', async () => {
        await host.files.writeWhole('/d/file', '');
        await host.files.removeEmptyDirectory('/d');
        expect(await host.files.list('/d')).toEqual(['file']);
        await host.files.remove('/d/file');
        await host.files.remove('/d/file');
        await host.files.removeEmptyDirectory('/d');
        expect(await host.files.status('/d')).toBeNull();
    });

    it('keeps scratch files only as long as they are used', async () => {
        let path = '';
        {
            await using scratch = await host.files.createScratch();
            path = await scratch.write('one', Buffer.from('x'));
            expect(await readFile(path, 'utf8')).toBe('x');
        }
        await expect(readFile(path)).rejects.toThrow(/ENOENT/);
    });
});
