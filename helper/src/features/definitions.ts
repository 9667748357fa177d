// SPDX-License-Identifier: GPL-2.0-or-later
// Everything that the definition files of a machine say: sysupdate.d(5), sysupdate.features(5),
// sysupdate.components(5).

import type {StagedSystem} from '../host/domain.ts';
import type {Files, Host} from '../host/host.ts';
import {type ComponentFiles, readDefinitionFiles} from './definition-files.ts';
import {firstOf, readComponent, readFeature} from './feature-definition.ts';
import {type MachineFacts, readMachineFacts} from './machine-facts.ts';
import type {Component, Definitions, Feature, Transfer} from './model.ts';
import {type TransferDefinition, readTransfer} from './transfer-definition.ts';

/**
 * Reads the definitions. What is wrong with one is a problem of the features that it belongs to,
 * and leaves the others alone; throws only when a directory cannot be read.
 *
 * @param system the definitions as they are read there: its own vendor's files, where it has a tree,
 * beside the administrator's of this machine, and specifiers that stand for what they will stand for
 */
export async function loadDefinitions(host: Host, system?: StagedSystem): Promise<Definitions> {
    const [{components, problems}, facts] = await Promise.all([
        readDefinitionFiles(await withFilesOf(host, system?.tree ?? null)),
        readMachineFacts(host, system?.release),
    ]);
    const scopes = components.map(files => readScope(files, facts));
    return {
        components: scopes.map(({component}) => component),
        features: withIds(scopes.flatMap(({features}) => features)),
        transfers: scopes.flatMap(({transfers}) => transfers),
        problems: [...problems, ...scopes.flatMap(scope => scope.problems)],
    };
}

/**
 * Whether a transfer is to be fetched while these features of its component are on. A name that no
 * feature has is off.
 */
export function isTransferActive(transfer: Transfer, enabledNames: ReadonlySet<string>): boolean {
    return (
        transfer.requisiteFeatures.every(name => enabledNames.has(name)) &&
        (transfer.features.length === 0 || transfer.features.some(name => enabledNames.has(name)))
    );
}

/** The transfers that the switch of a feature has a part in. */
export function transfersOfFeature(
    {transfers}: Definitions,
    {name, component}: Feature,
): readonly Transfer[] {
    return transfers.filter(
        transfer =>
            transfer.component === component &&
            (transfer.features.includes(name) || transfer.requisiteFeatures.includes(name)),
    );
}

/**
 * The machine, with what the vendor of another system ships in the place of its own; a tree that is
 * not there any more says nothing of that.
 */
async function withFilesOf(host: Host, tree: string | null): Promise<Host> {
    const isThere =
        tree !== null && (await host.files.resolve(`${tree}/usr/lib/os-release`)) !== null;
    return isThere ? withVendorFiles(host, tree) : host;
}

function withVendorFiles(host: Host, tree: string): Host {
    const there = (path: string): string =>
        path.startsWith('/usr/lib/') || path === '/usr/lib' ? tree + path : path;
    const {files} = host;
    const read: Pick<Files, 'readBytes' | 'readText' | 'list' | 'status' | 'resolve' | 'readLink'> =
        {
            readBytes: (path, ...rest) => files.readBytes(there(path), ...rest),
            readText: (path, ...rest) => files.readText(there(path), ...rest),
            list: path => files.list(there(path)),
            status: path => files.status(there(path)),
            resolve: path => files.resolve(there(path)),
            readLink: path => files.readLink(there(path)),
        };
    return {...host, files: {...files, ...read}};
}

/** One component with all that is in it. */
interface Scope {
    readonly component: Component;
    readonly features: readonly Omit<Feature, 'id'>[];
    readonly transfers: readonly Transfer[];
    readonly problems: readonly string[];
}

function readScope(files: ComponentFiles, facts: MachineFacts): Scope {
    const component = readComponent(files, facts);
    const features = files.features.map(file => readFeature(files.name, file, facts));
    const found = files.transfers
        .filter(({maskedBy}) => maskedBy === null)
        .map(file => readTransfer(files.name, file, facts));
    const names = new Set(features.map(({name}) => name));
    const broken = found
        .filter(definition => definition.kind === 'broken')
        .map(definition => ({...definition, features: concerned(definition, names)}));
    return {
        component,
        features: features.map(feature => ({
            ...feature,
            problem:
                feature.problem ||
                firstOf(
                    broken
                        .filter(definition => definition.features.includes(feature.name))
                        .map(({problem}) => problem),
                ) ||
                problemOf(component),
        })),
        transfers: found.flatMap(definition =>
            definition.kind === 'transfer' ? [definition.transfer] : [],
        ),
        problems: broken.flatMap(definition =>
            definition.features.length === 0 ? [definition.problem] : [],
        ),
    };
}

/** Of a transfer that cannot be read whole: the features it names, else the only one it can be of. */
function concerned(
    {features}: Extract<TransferDefinition, {kind: 'broken'}>,
    names: ReadonlySet<string>,
): readonly string[] {
    const named = features.filter(name => names.has(name));
    return named.length === 0 && names.size === 1 ? [...names] : named;
}

function problemOf({name, enabled, enabledBy, problem}: Component): string {
    if (problem !== '') return problem;
    return enabled ? '' : `The component ${name} is turned off by ${enabledBy}`;
}

/** A plain name where it is unique; else it is the default component's, and others carry their component's. */
function withIds(features: readonly Omit<Feature, 'id'>[]): readonly Feature[] {
    const counts = new Map<string, number>();
    for (const {name} of features) counts.set(name, (counts.get(name) ?? 0) + 1);
    return features.map(feature => {
        const {name, component} = feature;
        const isPlain = component === '' || counts.get(name) === 1;
        return {id: isPlain ? name : `${component}/${name}`, ...feature};
    });
}
