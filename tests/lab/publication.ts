// SPDX-License-Identifier: GPL-2.0-or-later
import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {mkdir, readdir, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import type {SigningKey} from './signing.ts';

export interface ManifestOptions {
    /** None: no signature at all. */
    readonly key?: SigningKey;
    /** The signature files to write: `SHA256SUMS.gpg` binary, as snow's repository has it, by default. */
    readonly signatures?: Readonly<Partial<Record<'gpg' | 'asc', 'binary' | 'armoured'>>>;
    /** Text instead of the true manifest: truncated, hostile, huge. It is signed as it is. */
    readonly manifest?: string;
    /** More lines, after those of the files. */
    readonly extraLines?: readonly string[];
}

/** The folder of a component in a repository's directory. */
export function componentDirectory(repository: string, component: string) {
    return join(repository, 'ext', component);
}

/** Writes SHA256SUMS of all that lies in the component's folder, and its signatures. The text. */
export async function publish(
    repository: string,
    component: string,
    options: ManifestOptions = {},
): Promise<string> {
    const directory = componentDirectory(repository, component);
    await mkdir(directory, {recursive: true});
    const text = options.manifest ?? (await manifestOf(directory, options.extraLines ?? []));
    await writeFile(join(directory, 'SHA256SUMS'), text);
    for (const extension of ['gpg', 'asc'] as const) {
        const path = join(directory, `SHA256SUMS.${extension}`);
        const form = (options.signatures ?? {gpg: 'binary'})[extension];
        if (form && options.key) await writeFile(path, await options.key.sign(text, form));
        else await rm(path, {force: true});
    }
    return text;
}

async function manifestOf(directory: string, extraLines: readonly string[]): Promise<string> {
    const lines: string[] = [];
    for (const name of (await readdir(directory)).sort())
        if (!name.startsWith('SHA256SUMS'))
            lines.push(`${await sha256Of(join(directory, name))}  ${name}`);
    return [...lines, ...extraLines].map(line => `${line}\n`).join('');
}

export async function sha256Of(path: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return hash.digest('hex');
}
