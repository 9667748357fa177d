// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';

/** A component of one feature and one transfer, as snosi writes them. */
export interface Component {
    readonly name: string;
    /** Of the repository, as `Repository.url` says it; the files are at `URL/ext/NAME/`. */
    readonly url: string;
    readonly description?: string;
    readonly enabled?: boolean;
    /** Where the definitions lie: the vendor's, by default. */
    readonly below?: '/usr/lib' | '/usr/local/lib' | '/run' | '/etc';
    /** More lines for a section, or others in place of the usual ones. */
    readonly feature?: Readonly<Record<string, string>>;
    readonly transfer?: Readonly<Record<string, string>>;
    readonly source?: Readonly<Record<string, string>>;
    readonly target?: Readonly<Record<string, string>>;
}

/** The definitions of these components by their path; for `Guest.boot({files})` or `writeTree`. */
export function definitionFiles(...components: readonly Component[]): Record<string, string> {
    return Object.assign({}, ...components.map(filesOf)) as Record<string, string>;
}

function filesOf(component: Component): Record<string, string> {
    const {name, url, below = '/usr/lib'} = component;
    const patterns = ['.raw.zst', '.raw.xz', '.raw.gz', '.raw']
        .map(ending => `${name}_@v_%w_%a${ending}`)
        .join(' \\\n             ');
    const directory = `${below}/sysupdate.${name}.d`;
    return {
        [`${directory}/${name}.feature`]: section('Feature', {
            Description: component.description ?? `The ${name} extension`,
            Documentation: 'https://frostyard.org',
            Enabled: String(component.enabled ?? false),
            ...component.feature,
        }),
        [`${directory}/${name}.transfer`]: [
            section('Transfer', {Features: name, Verify: 'true', ...component.transfer}),
            section('Source', {
                Type: 'url-file',
                Path: `${url}/ext/${name}/`,
                MatchPattern: patterns,
                ...component.source,
            }),
            section('Target', {
                Type: 'regular-file',
                Path: '/var/lib/extensions.d/',
                MatchPattern: patterns,
                CurrentSymlink: `${name}.raw`,
                ...component.target,
            }),
        ].join('\n'),
    };
}

function section(title: string, values: Readonly<Record<string, string>>) {
    const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`);
    return `[${title}]\n${lines.join('')}`;
}

/** What an offline root of Debian 13 needs for specifiers and compatibility checks. */
export const osReleaseFiles = {
    '/usr/lib/os-release': 'ID=debian\nVERSION_ID=13\nPRETTY_NAME="Debian GNU/Linux 13"\n',
    '/etc/machine-id': '0123456789abcdef0123456789abcdef\n',
} as const;

/** Writes files below a root directory, as `writeTree(root, {...osReleaseFiles, ...definitionFiles(c)})`. */
export async function writeTree(root: string, files: Readonly<Record<string, string | Buffer>>) {
    for (const [path, content] of Object.entries(files)) {
        const target = join(root, path);
        await mkdir(dirname(target), {recursive: true});
        await writeFile(target, content);
    }
}
