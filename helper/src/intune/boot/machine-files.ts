// SPDX-License-Identifier: GPL-2.0-or-later
// What the service and the program that prepares a container's start leave each other, in
// runtimeDirectory(), which is root's.

import {type ErrorCode, SnowError, errorCodes} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {array, boolean, importJson, line, map, object, oneOf, string} from '../../host/importer.ts';
import {type Binding, type SessionEnvironment, runtimeDirectory} from '../model.ts';
import {formatSession, parseSession} from '../session-environment.ts';

function path(uid: number, name: 'session.json' | 'bindings.json' | 'problem.json'): string {
    return `${runtimeDirectory(uid)}/${name}`;
}

export async function writeSession(
    host: Host,
    uid: number,
    session: SessionEnvironment,
): Promise<void> {
    const text = JSON.stringify({session: formatSession(session)});
    await host.files.writeWhole(path(uid, 'session.json'), text, 0o600);
}

/** Empty: nobody said with which session the container is started. */
export async function readSession(host: Host, uid: number): Promise<SessionEnvironment> {
    const file = path(uid, 'session.json');
    const text = await host.files.readText(file);
    return text === null ? {} : importJson(file, text, sessionDocument).session;
}

const sessionDocument = object({session: map(array(string), parseSession)});

export async function writeBindings(
    host: Host,
    uid: number,
    bindings: readonly Binding[],
): Promise<void> {
    await host.files.writeWhole(path(uid, 'bindings.json'), JSON.stringify({bindings}), 0o600);
}

export async function readBindings(host: Host, uid: number): Promise<readonly Binding[]> {
    const file = path(uid, 'bindings.json');
    const text = await host.files.readText(file);
    return text === null ? [] : importJson(file, text, bindingsDocument).bindings;
}

const bindingsDocument = object({
    bindings: array(object({kind: string, source: line, target: line, isPresent: boolean})),
});

/** Why a start cannot be prepared. */
export async function writeProblem(host: Host, uid: number, error: SnowError): Promise<void> {
    const text = JSON.stringify({code: error.code, message: error.message});
    await host.files.writeWhole(path(uid, 'problem.json'), text, 0o600);
}

export async function readProblem(host: Host, uid: number): Promise<SnowError | null> {
    const file = path(uid, 'problem.json');
    const text = await host.files.readText(file);
    if (text === null) return null;
    const {code, message} = importJson(file, text, problemDocument);
    return new SnowError(code, message);
}

const problemDocument = object({code: oneOf<ErrorCode>(...errorCodes), message: string});

export async function forgetProblem(host: Host, uid: number): Promise<void> {
    await host.files.remove(path(uid, 'problem.json'));
}

export async function forgetBindings(host: Host, uid: number): Promise<void> {
    await host.files.remove(path(uid, 'bindings.json'));
}

export async function forgetSession(host: Host, uid: number): Promise<void> {
    await host.files.remove(path(uid, 'session.json'));
}
