// SPDX-License-Identifier: GPL-2.0-or-later
// Where the files of sysupdate.d(5) are, which of the same name counts, and what is masked.

import {type Listing, type TextFile, byBytes, listAll, readFirst} from '../host/config-files.ts';
import type {Host} from '../host/host.ts';

export type {TextFile};

/** From the first that counts to the last. */
const CONFIG_DIRECTORIES = ['/etc', '/run', '/usr/local/lib', '/usr/lib'];

export interface DefinitionFile {
    /** File name without its suffix. */
    readonly name: string;
    readonly main: TextFile;
    /** In the order in which they apply. */
    readonly dropIns: readonly TextFile[];
    /** The mask that hides it; null: it is not masked. */
    readonly maskedBy: string | null;
    /** What could not be read. */
    readonly problems: readonly string[];
}

/** The files of one component. */
export interface ComponentFiles {
    /** Empty for the default component. */
    readonly name: string;
    /** sysupdate.NAME.component and its drop-ins, which may be there without each other. */
    readonly own: readonly TextFile[];
    /** What of these could not be read. */
    readonly problems: readonly string[];
    readonly features: readonly DefinitionFile[];
    readonly transfers: readonly DefinitionFile[];
}

export interface DefinitionFiles {
    /** In the order of their names, the default one first. */
    readonly components: readonly ComponentFiles[];
    readonly problems: readonly string[];
}

/** Finds and reads every definition of the machine. Never throws because of a definition. */
export async function readDefinitionFiles(host: Host): Promise<DefinitionFiles> {
    const bases = await listAll(host, CONFIG_DIRECTORIES);
    const problems: string[] = [];
    const names = new Set<string>();
    for (const {path, names: found} of bases)
        for (const name of found) {
            const component = /^sysupdate\.(.+)\.d$/.exec(name)?.[1] ?? '';
            if (name !== 'sysupdate.d' && (component === '' || component.endsWith('.component')))
                continue;
            if (name === 'sysupdate.d' || isDefinitionName(component)) names.add(component);
            else problems.push(`${path}/${name}: The name of this component is not supported`);
        }
    const components = await Promise.all(
        [...names].sort().map(name => readComponent(host, name, bases, problems)),
    );
    return {components: components.filter(component => component !== null), problems};
}

/**
 * Names of components, features and transfers that this program works with: what systemd takes,
 * without white space, quotes and other signs that mean something to a shell or on the bus.
 */
export function isDefinitionName(name: string): boolean {
    return /^[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,127}$/.test(name) && !name.includes('..');
}

async function readComponent(
    host: Host,
    name: string,
    bases: readonly Listing[],
    problems: string[],
): Promise<ComponentFiles | null> {
    const directory = name === '' ? 'sysupdate.d' : `sysupdate.${name}.d`;
    const listings = await listAll(
        host,
        bases
            .filter(({names}) => names.includes(directory))
            .map(({path}) => `${path}/${directory}`),
    );
    const ownName = `sysupdate.${name}.component`;
    const [features, transfers, ownMain, ownDropIns] = await Promise.all([
        readDefinitions(host, listings, '.feature', problems),
        readDefinitions(host, listings, '.transfer', problems),
        readFirst(host, bases, ownName),
        readDropIns(host, bases, ownName),
    ]);
    // Before systemd 257 transfers were named so.
    const legacy =
        transfers.length === 0 ? await readDefinitions(host, listings, '.conf', problems) : [];
    const isThere = features.length + transfers.length + legacy.length > 0;
    if (!isThere && (name === '' || !(await someDirectory(host, listings)))) return null;
    return {
        name,
        own: [
            ...(ownMain.file && ownMain.maskedBy === null ? [ownMain.file] : []),
            ...ownDropIns.files,
        ],
        problems: [...ownMain.problems, ...ownDropIns.problems],
        features,
        transfers: [...transfers, ...legacy],
    };
}

/** Something else may have the name of a component's directory. */
async function someDirectory(host: Host, listings: readonly Listing[]): Promise<boolean> {
    for (const {path} of listings) {
        const real = await host.files.resolve(path);
        if (real !== null && (await host.files.status(real))?.type === 'directory') return true;
    }
    return false;
}

async function readDefinitions(
    host: Host,
    listings: readonly Listing[],
    suffix: string,
    problems: string[],
): Promise<readonly DefinitionFile[]> {
    const stems = new Set<string>();
    for (const {path, names} of listings)
        for (const fileName of names) {
            if (!fileName.endsWith(suffix)) continue;
            const stem = fileName.slice(0, -suffix.length);
            if (isDefinitionName(stem)) stems.add(stem);
            else problems.push(`${path}/${JSON.stringify(fileName)}: This name is not supported`);
        }
    const files = await Promise.all(
        [...stems].sort().map(stem => readDefinition(host, listings, stem, suffix)),
    );
    return files.filter(file => file !== null);
}

async function readDefinition(
    host: Host,
    listings: readonly Listing[],
    stem: string,
    suffix: string,
): Promise<DefinitionFile | null> {
    const fileName = stem + suffix;
    const [found, dropIns] = await Promise.all([
        readFirst(host, listings, fileName),
        readDropIns(host, listings, fileName),
    ]);
    // A mask of nothing hides nothing.
    if (found.file === null) return null;
    return {
        name: stem,
        main: found.file,
        dropIns: dropIns.files,
        maskedBy: found.maskedBy,
        problems: [...found.problems, ...dropIns.problems],
    };
}

async function readDropIns(
    host: Host,
    definitions: readonly Listing[],
    fileName: string,
): Promise<{readonly files: readonly TextFile[]; readonly problems: readonly string[]}> {
    const directory = `${fileName}.d`;
    const listings = await listAll(
        host,
        definitions
            .filter(({names}) => names.includes(directory))
            .map(({path}) => `${path}/${directory}`),
    );
    const names = new Set(
        listings.flatMap(({names}) => names.filter(name => name.endsWith('.conf'))),
    );
    const found = await Promise.all(
        // Unlike a definition, a drop-in is hidden by any link of its name, even one to nowhere.
        [...names].sort(byBytes).map(name => readFirst(host, listings, name, ['mask', 'dangling'])),
    );
    return {
        files: found.flatMap(({file, maskedBy}) => (file && maskedBy === null ? [file] : [])),
        problems: found.flatMap(({problems}) => problems),
    };
}
