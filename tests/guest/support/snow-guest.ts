// SPDX-License-Identifier: GPL-2.0-or-later
import {cp, link, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {type Component, definitionFiles} from '../../lab/definitions.ts';
import {SUFFIX, builtExtensions} from '../../lab/extensions.ts';
import {serveInGuest} from '../../lab/guest-repository.ts';
import {Guest, type GuestOptions, type RunOptions, type RunResult} from '../../lab/guest.ts';
import {installedSystem} from '../../lab/installation.ts';
import {type ManifestOptions, componentDirectory, publish} from '../../lab/publication.ts';
import type {Repository} from '../../lab/repository.ts';
import {type SigningKey, makeKey} from '../../lab/signing.ts';
import type {TreeName} from '../../lab/trees.ts';

/** A guest has a network of its own, so the port may always be the same. */
const PORT = 8080;
export const REPOSITORY = `http://127.0.0.1:${PORT}`;

export interface SnowGuestOptions extends Pick<GuestOptions, 'files' | 'name'> {
    /** Their definitions lie below /usr/lib, as the vendor ships them. */
    readonly components: readonly Omit<Component, 'url'>[];
}

/** What an image is called on disk. */
export function imageName(name: string, version: string): string {
    return `${name}_${version}_${SUFFIX}.raw`;
}

/** What `snowctl features list` says of one feature. */
export interface FeatureSummary {
    readonly id: string;
    readonly enabled: boolean;
    readonly merged: boolean;
    readonly installed: string;
    readonly active: string;
    readonly newest: string;
    readonly updateAvailable: boolean;
    readonly versions: readonly string[];
    readonly problem: string;
}

/** What `snowctl jobs` says of one. */
export interface Job {
    readonly number: string;
    readonly state: string;
    readonly bytesDone: number;
}

/** A guest with Snow Control, an extension repository on its loopback, and the key that it is signed with. */
export class SnowGuest implements AsyncDisposable {
    private constructor(
        readonly guest: Guest,
        readonly key: SigningKey,
        /** What the repository serves, on the host. */
        readonly directory: string,
        public repository: Repository,
    ) {}

    static async boot(tree: TreeName, {components, ...options}: SnowGuestOptions) {
        const key = await makeKey();
        const directory = await mkdtemp(join(tmpdir(), 'repository-'));
        await mkdir(join(directory, 'ext'));
        const guest = await Guest.boot(tree, {
            ...options,
            install: await installedSystem(),
            files: {
                ...definitionFiles(...components.map(each => ({...each, url: REPOSITORY}))),
                '/etc/systemd/import-pubring.pgp': await key.exportKeyring('binary'),
                ...options.files,
            },
        });
        try {
            // snow's images have it enabled, Debian has not
            await guest.check(['systemctl', '--quiet', 'enable', 'systemd-sysext.service']);
            const repository = await serveInGuest(guest, {directory, port: PORT});
            return new SnowGuest(guest, key, directory, repository);
        } catch (error) {
            await guest.kill();
            throw error;
        }
    }

    /** As root, without a terminal. */
    snowctl(line: string, options?: RunOptions): Promise<RunResult> {
        return this.guest.run(['snowctl', ...line.split(' ')], options);
    }

    /** Its standard output; throws when it fails. */
    ok(line: string, options?: RunOptions): Promise<string> {
        return this.guest.check(['snowctl', ...line.split(' ')], options);
    }

    async features(): Promise<ReadonlyMap<string, FeatureSummary>> {
        const text = await this.ok('features list --json');
        const {features} = JSON.parse(text) as {features: readonly FeatureSummary[]};
        return new Map(features.map(feature => [feature.id, feature]));
    }

    async jobs(): Promise<readonly Job[]> {
        const {jobs} = JSON.parse(await this.ok('jobs --json')) as {jobs: readonly Job[]};
        return jobs;
    }

    async feature(id: string): Promise<FeatureSummary> {
        const found = (await this.features()).get(id);
        if (!found) throw new Error(`there is no feature ${id}`);
        return found;
    }

    /** Makes the repository offer exactly these versions of an extension that mkosi made. */
    async offer(
        name: string,
        versions: readonly string[],
        {endings = ['.zst'], ...options}: ManifestOptions & {endings?: readonly string[]} = {},
    ) {
        const images = await builtExtensions();
        const target = componentDirectory(this.directory, name);
        await rm(target, {recursive: true, force: true});
        await mkdir(target, {recursive: true});
        for (const version of versions) {
            for (const ending of endings) {
                const file = `${imageName(name, version)}${ending}`;
                const [from, to] = [join(images, name, file), join(target, file)];
                await link(from, to).catch(() => cp(from, to));
            }
        }
        await this.publish(name, options);
    }

    /** All features off, and nothing of them left. */
    async disableAll() {
        const {stdout} = await this.guest.run(
            'grep -l Enabled=true /etc/sysupdate.*.d/*.feature.d/00-updex.conf',
        );
        const names = [...stdout.matchAll(/\/([^/]+)\.feature\.d\//g)].map(([, name]) => name);
        if (names.length > 0) await this.ok(`features disable ${names.join(' ')}`);
    }

    /** Writes and signs the list of what lies in the component's folder. */
    publish(name: string, options: ManifestOptions = {}) {
        return publish(this.directory, name, {key: this.key, ...options});
    }

    /** Names of what is merged into /usr, as systemd-sysext says it. */
    async merged(): Promise<readonly string[]> {
        const text = await this.guest.check(['systemd-sysext', 'status', '--json=short']);
        const status = JSON.parse(text) as {hierarchy: string; extensions: string | string[]}[];
        const usr = status.find(({hierarchy}) => hierarchy === '/usr');
        return Array.isArray(usr?.extensions) ? usr.extensions : [];
    }

    /** The lines that tell everything that an operation may change, and nothing that it need not leave alone. */
    async snapshot(): Promise<string> {
        const files = await this.guest.check(SNAPSHOT);
        return `${files}merged: ${(await this.merged()).join(' ')}\n`;
    }

    /** Starts the repository again, after it was closed. */
    async serve() {
        this.repository = await serveInGuest(this.guest, {directory: this.directory, port: PORT});
    }

    /** Reboots, and serves the repository in the network that is new then. */
    async reboot() {
        await this.repository.close();
        await this.guest.reboot();
        await this.serve();
    }

    async [Symbol.asyncDispose]() {
        await this.repository.close();
        await this.guest.kill();
        await this.key.dispose();
        await rm(this.directory, {recursive: true, force: true});
    }
}

/** The lock's file stays, and the cache is one. Small files by their content, images by their size. */
export const SNAPSHOT = `
for directory in /etc/sysupdate* /etc/systemd/system /var/lib/extensions /var/lib/extensions.d \\
    /var/lib/snow-control /run/snow-control; do
    [ -e "$directory" ] || continue
    find "$directory" ! -path /run/snow-control/features.lock ! -path /run/snow-control \\
        ! -path /var/lib/snow-control '(' -type d -printf '%p %y %m\\n' -o -printf '%p %y %m %s %l\\n' ')'
    find "$directory" -type f -size -8M ! -path /run/snow-control/features.lock -exec sha256sum {} +
done | sort
`;
