// SPDX-License-Identifier: GPL-2.0-or-later
// Values between the JavaScript types of the generated interfaces and those of the bus: 64-bit
// numbers are BigInt only on the bus's side.

import {Variant} from '../host/dbus.ts';
import type {Results} from '../host/domain.ts';

/** A value as the library sends it. Throws TypeError where it is not of the type. */
export function toWire(signature: string, value: unknown): unknown {
    switch (signature) {
        case 's':
        case 'o':
            return String(expectType(value, 'string')).replaceAll('\0', '');
        case 'b':
            return expectType(value, 'boolean');
        case 'd':
        case 'u':
            return finite(value);
        case 'x':
        case 't':
            return BigInt(Math.trunc(finite(value)));
        case 'as':
        case 'ao':
            return list(value).map(item => toWire('s', item));
        case '(ss)':
            return list(value).map(item => toWire('s', item));
        case 'a{sv}':
            return resultsToWire(dictionary(value));
        case 'aa{sv}':
            return list(value).map(item => resultsToWire(dictionary(item)));
        default:
            throw new TypeError(`No values of type ${signature} are sent`);
    }
}

export function toVariant(signature: string, value: unknown): Variant {
    return new Variant(signature, toWire(signature, value));
}

/** Plain values by key, as the results of a job are, as a{sv}. */
export function resultsToWire(results: Results): Record<string, Variant> {
    const entries = Object.entries(results).map(([key, value]) => [
        key,
        toVariant(resultSignature(value), value),
    ]);
    return Object.fromEntries(entries) as Record<string, Variant>;
}

function resultSignature(value: Results[string]): string {
    if (typeof value === 'string') return 's';
    if (typeof value === 'boolean') return 'b';
    if (typeof value === 'number') return Number.isInteger(value) ? 'x' : 'd';
    return 'as';
}

function expectType(value: unknown, type: 'string' | 'boolean'): string | boolean {
    if (typeof value === type) return value as string | boolean;
    throw new TypeError(`A ${typeof value} stands where a ${type} is sent`);
}

function finite(value: unknown): number {
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new TypeError(`${String(value)} stands where a number is sent`);
}

function list(value: unknown): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw new TypeError(`A ${typeof value} stands where a list is sent`);
}

function dictionary(value: unknown): Results {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
        return value as Results;
    throw new TypeError(`A ${typeof value} stands where a dictionary is sent`);
}
