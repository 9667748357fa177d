// SPDX-License-Identifier: GPL-2.0-or-later
// The specifiers of sysupdate.d(5).

import {SnowError} from '../host/error.ts';
import type {MachineFacts} from './machine-facts.ts';

/**
 * Puts in what `%a`, `%w` and the other specifiers stand for. A percent sign before anything but a
 * letter or a digit stands for itself, as in systemd.
 *
 * Throws SnowError Failed for an unknown specifier and for one that this machine has no value for;
 * a field that os-release does not set is empty.
 */
export function expandSpecifiers(text: string, facts: MachineFacts): string {
    return text.replace(/%([A-Za-z0-9%])/g, (all, letter: string) => {
        if (letter === '%') return '%';
        const meaning = specifiers.get(letter);
        if (meaning === undefined) throw new SnowError('Failed', `Unknown specifier ${all}`);
        const value = meaning.value(facts);
        if (value === null)
            throw new SnowError('Failed', `${all} has no value here: no ${meaning.name} is known`);
        return value;
    });
}

interface Specifier {
    readonly name: string;
    readonly value: (facts: MachineFacts) => string | null;
}

function release(field: string): Specifier {
    return {
        name: 'os-release',
        value: ({osRelease}) => (osRelease === null ? null : (osRelease[field] ?? '')),
    };
}

const specifiers: ReadonlyMap<string, Specifier> = new Map<string, Specifier>([
    ['a', {name: 'architecture', value: facts => facts.architecture}],
    ['A', release('IMAGE_VERSION')],
    ['b', {name: 'boot ID', value: facts => facts.bootId}],
    ['B', release('BUILD_ID')],
    ['H', {name: 'host name', value: facts => facts.hostName}],
    ['l', {name: 'host name', value: facts => facts.hostName?.split('.')[0] ?? null}],
    ['m', {name: 'machine ID', value: facts => facts.machineId}],
    ['M', release('IMAGE_ID')],
    ['o', release('ID')],
    ['q', {name: 'host name', value: facts => facts.prettyHostName}],
    ['T', {name: 'directory', value: facts => facts.temporaryDirectory}],
    ['v', {name: 'kernel', value: facts => facts.kernelRelease}],
    ['V', {name: 'directory', value: facts => facts.largeTemporaryDirectory}],
    ['w', release('VERSION_ID')],
    ['W', release('VARIANT_ID')],
]);
