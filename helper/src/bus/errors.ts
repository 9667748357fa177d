// SPDX-License-Identifier: GPL-2.0-or-later
import {BusError} from '../host/dbus.ts';
import {SnowError} from '../host/error.ts';
import {logError} from './journal.ts';

const MAX_LENGTH = 512;

/** The standard errors of the D-Bus specification that we answer with. */
export function standardError(
    name:
        | 'LimitsExceeded'
        | 'PropertyReadOnly'
        | 'UnknownInterface'
        | 'UnknownMethod'
        | 'UnknownObject'
        | 'UnknownProperty',
    text: string,
): BusError {
    return new BusError(`org.freedesktop.DBus.Error.${name}`, text);
}

/** Name on the bus and one line. */
export type ErrorPair = readonly [name: string, text: string];

/** What a caller is told of an error: of one that nobody foresaw only that the journal has it. */
export function errorPair(error: unknown, doing: string): ErrorPair {
    if (error instanceof SnowError)
        return [`org.frostyard.Snow1.Error.${error.code}`, oneLine(error.message)];
    if (error instanceof BusError) return [error.errorName, oneLine(error.message)];
    logError(doing, error);
    return ['org.frostyard.Snow1.Error.Failed', `${doing} failed; the journal of snowd says why`];
}

/** Bounded, as it may quote what the caller sent. */
function oneLine(text: string): string {
    const line = text.replace(/\s+/g, ' ').trim();
    return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line;
}
