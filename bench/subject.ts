// SPDX-License-Identifier: GPL-2.0-or-later
import {link, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {execa} from 'execa';

import {definitionFiles} from '../tests/lab/definitions.ts';
import {serveInGuest} from '../tests/lab/guest-repository.ts';
import {Guest} from '../tests/lab/guest.ts';
import {makeImage} from '../tests/lab/images.ts';
import {installedSystem} from '../tests/lab/installation.ts';
import {publish} from '../tests/lab/publication.ts';
import type {Repository} from '../tests/lab/repository.ts';
import {makeKey} from '../tests/lab/signing.ts';
import type {TreeName} from '../tests/lab/trees.ts';
import {VERSION, largeImages} from './images.ts';

const PORT = 8000;

/** Components beside the two with large images. */
export const small = Array.from({length: 28}, (_, n) => `small${String(n + 1).padStart(2, '0')}`);
export const components = ['big', 'huge', ...small];

/** A repository on the host: 30 components, signed. */
export interface Publication extends AsyncDisposable {
    readonly directory: string;
    readonly keyring: Buffer;
}

export async function publishComponents(): Promise<Publication> {
    const images = await largeImages();
    const directory = await mkdtemp(join(tmpdir(), 'bench-'));
    await using key = await makeKey();
    for (const name of components) {
        const folder = join(directory, 'ext', name);
        await mkdir(folder, {recursive: true});
        const file = `${name}_${VERSION}.raw.zst`;
        if (small.includes(name)) {
            const [made = ''] = await makeImage(folder, {
                name,
                version: VERSION,
                release: {ID: '_any'},
            });
            await execa('mv', [made, join(folder, file)]);
        } else {
            const from = join(images, name, file);
            await link(from, join(folder, file)).catch(() => execa('cp', [from, folder]));
        }
        await publish(directory, name, {key});
    }
    return {
        directory,
        keyring: await key.exportKeyring('binary'),
        [Symbol.asyncDispose]: () => rm(directory, {recursive: true, force: true}),
    };
}

/** A guest with Snow Control, 30 components and their repository. */
export interface Subject extends AsyncDisposable {
    readonly guest: Guest;
    readonly repository: Repository;
    /** Ends snowd, so that the next call starts it. */
    stopService(): Promise<void>;
    /** Seconds that snowd says its last job took. */
    lastJob(): Promise<number>;
    /** Takes away all images, and writes all that is to be written. */
    reset(): Promise<void>;
}

export async function bootSubject(tree: TreeName, published: Publication): Promise<Subject> {
    const url = `http://127.0.0.1:${PORT}`;
    const definitions = components.map(name => ({
        name,
        url,
        // Not of one version of Debian only: the guests are not the same.
        source: {MatchPattern: `${name}_@v.raw.zst`},
        target: {MatchPattern: `${name}_@v.raw`},
    }));
    const guest = await Guest.boot(tree, {
        name: `bench-${tree}`,
        install: await installedSystem(),
        files: {
            ...definitionFiles(...definitions),
            '/etc/systemd/import-pubring.gpg': published.keyring,
            '/etc/systemd/import-pubring.pgp': published.keyring,
        },
    });
    const repository = await serveInGuest(guest, {directory: published.directory, port: PORT});
    const stopService = async () => {
        await guest.check(['systemctl', 'stop', 'snowd.service']);
    };
    return {
        guest,
        repository,
        stopService,
        async lastJob() {
            const log = await guest.journal('snowd.service');
            return Number([...log.matchAll(/: done in ([\d.]+) s/g)].at(-1)?.[1]);
        },
        async reset() {
            await stopService();
            await guest.check(`systemd-sysext unmerge
                rm -rf /var/lib/extensions.d /var/lib/extensions/* /etc/sysupdate.*.d /var/lib/snow-control
                sync -f /var/lib; sync /var/lib`);
        },
        async [Symbol.asyncDispose]() {
            await repository.close();
            await guest.kill();
        },
    };
}
