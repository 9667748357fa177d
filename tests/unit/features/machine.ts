// SPDX-License-Identifier: GPL-2.0-or-later
// A machine for the tests of the features: a temporary tree, a repository, and a systemd-sysext
// that does to the tree what the real one does to /usr, as far as one can read it there.
import {createHash} from 'node:crypto';
import {cp, lstat, mkdir, mkdtemp, readFile, readdir, readlink, rm} from 'node:fs/promises';
import {writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import type {Progress} from '../../../helper/src/host/domain.ts';
import type {Host, Systemd} from '../../../helper/src/host/host.ts';
import {httpLimits, localHttp} from '../../../helper/src/host/http.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {type Component, definitionFiles, osReleaseFiles, writeTree} from '../../lab/definitions.ts';
import {type FakeImage, makeImage} from '../../lab/images.ts';
import {type ManifestOptions, componentDirectory, publish} from '../../lab/publication.ts';
import {type Repository, serveRepository} from '../../lab/repository.ts';
import {type SigningKey, makeKey} from '../../lab/signing.ts';
import {type SysextManner, noUnits, readMergedImages, refreshTree} from './sysext-tree.ts';

/** What systemd-sysext does. */
export interface SysextFaults extends SysextManner {
    /** Fails with these words, and changes nothing. */
    error?: string;
}

export interface Machine {
    readonly root: string;
    /** A running system; offline() for the tree alone. */
    readonly host: Host;
    readonly repository: Repository;
    readonly directory: string;
    readonly key: SigningKey;
    readonly sysext: SysextFaults;
    /** How often systemd-sysext was asked to refresh. */
    readonly refreshes: () => number;
    offline(): Host;
    /** Another process on the same machine. */
    another(): Host;
    define(...components: readonly Omit<Component, 'url'>[]): Promise<void>;
    /** Makes images and publishes a manifest signed by the machine's key. */
    offer(images: readonly FakeImage[], options?: ManifestOptions): Promise<void>;
    write(files: Readonly<Record<string, string | Buffer>>): Promise<void>;
    read(path: string): Promise<string | null>;
    /** Names in a directory, none where there is no such. */
    list(path: string): Promise<readonly string[]>;
    link(path: string): Promise<string | null>;
    /** What systemd-sysext has merged: the image by the name of the extension. */
    merged(): Promise<Readonly<Record<string, string>>>;
    /** Everything in the tree but the cache and what is empty of our own. */
    snapshot(): Promise<Readonly<Record<string, string>>>;
    dispose(): Promise<void>;
}

export const quiet: Progress = {step: () => undefined, bytes: () => undefined};
export const unstopped = new AbortController().signal;

export async function makeMachine(): Promise<Machine> {
    const root = await mkdtemp(join(tmpdir(), 'snow-machine-'));
    const directory = await mkdtemp(join(tmpdir(), 'snow-repository-'));
    const [repository, key] = await Promise.all([serveRepository({directory}), makeKey()]);
    const sysext: SysextFaults = {ignored: new Set(), tellsOrigin: false};
    let refreshes = 0;
    const systemd = fakeSystemd(root, sysext, () => refreshes++);
    const hosts: Host[] = [];
    const makeHost = (parts: Partial<Host>): Host => {
        const http = localHttp({
            ...httpLimits,
            connect: 500,
            headers: 500,
            stall: 500,
            whole: 2000,
        });
        const host = {...localHost(root), http, ...parts};
        hosts.push(host);
        return host;
    };
    const path = (below: string): string => join(root, below);
    const write: Machine['write'] = files => writeTree(root, files);
    await write({
        ...osReleaseFiles,
        '/etc/systemd/import-pubring.gpg': await key.exportKeyring('binary'),
    });
    await mkdir(path('/etc'), {recursive: true});
    await writeFile(path('/etc/os-release'), osReleaseFiles['/usr/lib/os-release']);
    return {
        root,
        host: makeHost({systemd}),
        repository,
        directory,
        key,
        sysext,
        refreshes: () => refreshes,
        offline: () => makeHost({systemd: null}),
        another: () => makeHost({systemd}),
        async define(...components) {
            await write(definitionFiles(...components.map(c => ({...c, url: repository.url}))));
        },
        async offer(images, options = {}) {
            for (const image of images)
                await makeImage(componentDirectory(directory, image.name), image);
            for (const name of new Set(images.map(image => image.name)))
                await publish(directory, name, {key, ...options});
        },
        write,
        read: below => readFile(path(below), 'utf8').catch(() => null),
        list: async below => (await readdir(path(below)).catch(() => [])).sort(),
        link: below => readlink(path(below)).catch(() => null),
        merged: () => readMergedImages(root),
        snapshot: () => snapshot(root),
        async dispose() {
            await Promise.all(hosts.map(host => host.http.close()));
            await repository.close();
            await key.dispose();
            await rm(root, {recursive: true, force: true});
            await rm(directory, {recursive: true, force: true});
        },
    };
}

function fakeSystemd(root: string, faults: SysextFaults, count: () => void): Systemd {
    return {
        async runUnit(_name, command) {
            const result = {exitCode: 0, signal: null, stdout: '', stderr: ''};
            if (command[0] !== 'systemd-sysext') return localHost(root).programs.run(command);
            count();
            if (faults.error !== undefined)
                return {...result, exitCode: 1, stderr: `${faults.error}\n`};
            await refreshTree(root, faults);
            return result;
        },
        ...noUnits,
    };
}

const ignoredPaths = [
    '/var/cache',
    '/run',
    '/var/lib/snow-control',
    '/usr/.systemd-sysext',
    '/sys',
];

export async function snapshot(root: string): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {};
    const visit = async (below: string): Promise<void> => {
        for (const name of (await readdir(join(root, below))).sort()) {
            const path = `${below}/${name}`;
            // Ours: what may stay there is looked at below.
            if (ignoredPaths.includes(path)) continue;
            const status = await lstat(join(root, path));
            if (status.isDirectory()) {
                if (path !== '/var' && path !== '/var/lib') found[path] = 'directory';
                await visit(path);
            } else if (status.isSymbolicLink()) {
                found[path] = `link to ${await readlink(join(root, path))}`;
            } else {
                const hash = createHash('sha256').update(await readFile(join(root, path)));
                found[path] = `${(status.mode & 0o7777).toString(8)} ${hash.digest('hex')}`;
            }
        }
    };
    await visit('');
    for (const name of await readdir(join(root, 'var/lib/snow-control')).catch(() => []))
        if (name !== 'rolled-back.json') found[`/var/lib/snow-control/${name}`] = 'left over';
    found['merged'] = JSON.stringify(await readMergedImages(root));
    return found;
}

/** A copy of a tree, links and all. */
export async function copyTree(from: string): Promise<string> {
    const to = await mkdtemp(join(tmpdir(), 'snow-copy-'));
    await cp(from, to, {recursive: true, verbatimSymlinks: true, preserveTimestamps: true});
    return to;
}
