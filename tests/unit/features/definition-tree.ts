// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

import {loadDefinitions} from '../../../helper/src/features/definitions.ts';
import type {Definitions, Feature, Transfer} from '../../../helper/src/features/model.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';

/** An offline tree of Debian 13 to put definitions in. */
export class DefinitionTree implements AsyncDisposable {
    readonly root: string;

    private constructor(root: string) {
        this.root = root;
    }

    static async create(): Promise<DefinitionTree> {
        const tree = new DefinitionTree(await mkdtemp(join(tmpdir(), 'snow-definitions-')));
        await tree.write(
            '/usr/lib/os-release',
            'ID=debian\nVERSION_ID="13"\nIMAGE_VERSION=20250601120000\n',
        );
        return tree;
    }

    async write(path: string, content: string | Uint8Array): Promise<void> {
        await mkdir(dirname(join(this.root, path)), {recursive: true});
        await writeFile(join(this.root, path), content);
    }

    async link(path: string, target: string): Promise<void> {
        await mkdir(dirname(join(this.root, path)), {recursive: true});
        await symlink(target, join(this.root, path));
    }

    async directory(path: string): Promise<void> {
        await mkdir(join(this.root, path), {recursive: true});
    }

    load(): Promise<Definitions> {
        return loadDefinitions(localHost(this.root));
    }

    async feature(id: string): Promise<Feature> {
        const {features} = await this.load();
        const found = features.find(feature => feature.id === id);
        if (!found) throw new Error(`No ${id} among ${features.map(({id}) => id).join(' ')}`);
        return found;
    }

    async transfer(name: string): Promise<Transfer> {
        const definitions = await this.load();
        const found = definitions.transfers.find(transfer => transfer.name === name);
        if (!found) throw new Error(`No transfer ${name}: ${JSON.stringify(definitions)}`);
        return found;
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await rm(this.root, {recursive: true, force: true});
    }
}

export interface TransferText {
    readonly transfer?: string;
    readonly source?: string;
    readonly target?: string;
}

/** A transfer of a system extension; the settings given come after its own. */
export function transferText(
    name: string,
    {transfer = '', source = '', target = ''}: TransferText = {},
): string {
    return `[Transfer]
Features=${name}
${transfer}
[Source]
Type=url-file
Path=https://repository.example.org/ext/${name}/
MatchPattern=${name}_@v_%w_%a.raw.zst \\
             ${name}_@v_%w_%a.raw.xz \\
             ${name}_@v_%w_%a.raw
${source}
[Target]
Type=regular-file
Path=/var/lib/extensions.d/
MatchPattern=${name}_@v_%w_%a.raw.zst \\
             ${name}_@v_%w_%a.raw.xz \\
             ${name}_@v_%w_%a.raw
${target}
`;
}
