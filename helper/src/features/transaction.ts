// SPDX-License-Identifier: GPL-2.0-or-later
// How an operation that is killed at any instant leaves the old state or the new one.
//
// Before anything is changed, everything needed to change it back is written to a journal. Until
// the commit, a failure or the next start undoes all of it from there; each entry says how a thing
// was, so that undoing twice, or what was never done, does no harm. The commit is one rename: the
// journal now says what is left to be removed, and the next start finishes that. Without a journal
// there is nothing to do. All of it happens under the lock of the features.
import {dirname} from 'node:path/posix';

import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {type RestoredLink, needsRefresh, refresh} from './sysext.ts';

export const STATE_DIRECTORY = '/var/lib/snow-control';
export const JOURNAL = `${STATE_DIRECTORY}/transaction.json`;

export interface Transaction {
    readonly phase: 'undo' | 'finish';
    /** Locks.processIdentity() of the process that is at it. */
    readonly process: string;
    /** The verb: enable, disable, update, rollback. */
    readonly operation: string;
    /** Ids of the features. */
    readonly features: readonly string[];
    /** Whether systemd-sysext may have been asked to follow the links. */
    readonly merge: boolean;
    readonly undo: {
        /** Symbolic links as they were; null: not there. */
        readonly links: readonly {readonly path: string; readonly target: string | null}[];
        /** Small files as they were; null: not there. */
        readonly files: readonly {readonly path: string; readonly content: string | null}[];
        /** Images that were not there. */
        readonly images: readonly string[];
        /** Directories that were not there, the innermost first. */
        readonly directories: readonly string[];
    };
    readonly finish: {
        /** Files that nothing needs any more. */
        readonly removals: readonly string[];
    };
}

/** What an operation is going to change. */
export interface Changes {
    readonly operation: string;
    readonly features: readonly string[];
    readonly merge: boolean;
    readonly links: readonly string[];
    readonly files: readonly string[];
    readonly images: readonly string[];
}

/** Writes down how everything is that is going to be changed. */
export async function beginTransaction(host: Host, changes: Changes): Promise<Transaction> {
    const {operation, features, merge, images} = changes;
    const paths = [...changes.links, ...changes.files, ...images];
    const transaction: Transaction = {
        phase: 'undo',
        process: await host.locks.processIdentity(),
        operation,
        features,
        merge,
        undo: {
            links: await Promise.all(
                changes.links.map(async path => ({path, target: await host.files.readLink(path)})),
            ),
            files: await Promise.all(
                changes.files.map(async path => ({
                    path,
                    content: await host.files.readText(path),
                })),
            ),
            images,
            directories: await missingDirectories(host, paths),
        },
        finish: {removals: []},
    };
    await writeJournal(host, transaction);
    return transaction;
}

/** The point of no return: what was done stays. Returns what finishTransaction() is to be given. */
export async function commitTransaction(
    host: Host,
    transaction: Transaction,
    removals: readonly string[],
): Promise<Transaction> {
    const committed: Transaction = {...transaction, phase: 'finish', finish: {removals}};
    // With nothing left to do, having no journal says the same.
    if (removals.length === 0) await host.files.remove(JOURNAL);
    else await writeJournal(host, committed);
    return committed;
}

/** Removes what nothing needs any more; the next start does what this cannot. */
export async function finishTransaction(host: Host, {finish}: Transaction): Promise<void> {
    if (finish.removals.length === 0) return;
    for (const path of finish.removals) await host.files.remove(path);
    await host.files.remove(JOURNAL);
}

/**
 * Makes everything as it was before, in the reverse order.
 * Throws when it cannot; then the journal stays, and the next start tries again.
 */
export async function undoTransaction(host: Host, transaction: Transaction): Promise<void> {
    const {files, links, images, directories} = transaction.undo;
    for (const {path, content} of files) {
        if ((await host.files.readText(path)) === content) continue;
        if (content === null) await host.files.remove(path);
        else await host.files.writeWhole(path, content);
    }
    const restored: RestoredLink[] = [];
    for (const {path, target} of links) {
        const wasTarget = await host.files.readLink(path);
        const wasImage = wasTarget === null ? null : await host.files.resolve(path);
        if (wasTarget !== target) {
            if (target === null) await host.files.remove(path);
            else await host.files.linkWhole(path, target);
        }
        restored.push({path, wasImage, isChanged: wasTarget !== target});
    }
    if (transaction.merge && (await needsRefresh(host, restored))) await refresh(host);
    for (const path of images) await host.files.remove(path);
    for (const path of touchedDirectories(transaction)) await host.files.removePending(path);
    for (const path of directories) await host.files.removeEmptyDirectory(path);
    await host.files.remove(JOURNAL);
}

/** Cleans up after an operation that was killed; returns it, or null. The lock must be held. */
export async function recoverTransaction(host: Host): Promise<Transaction | null> {
    await host.files.removePending(STATE_DIRECTORY);
    const transaction = await readTransaction(host);
    if (transaction?.phase === 'undo') await undoTransaction(host, transaction);
    else if (transaction) await finishTransaction(host, transaction);
    return transaction;
}

/** The operation whose process was killed before its end; null: there is none. */
export async function readInterrupted(host: Host): Promise<Transaction | null> {
    const transaction = await readTransaction(host);
    if (!transaction || (await host.locks.isProcessAlive(transaction.process))) return null;
    return transaction;
}

async function readTransaction(host: Host): Promise<Transaction | null> {
    const text = await host.files.readText(JOURNAL);
    if (text === null) return null;
    const transaction = parseTransaction(text);
    if (transaction) return transaction;
    throw new SnowError(
        'WrongState',
        `${JOURNAL} is malformed: compare what it names with the links in /var/lib/extensions, then remove it`,
    );
}

async function writeJournal(host: Host, transaction: Transaction): Promise<void> {
    await host.files.writeWhole(JOURNAL, `${JSON.stringify(transaction, null, 2)}\n`);
}

function touchedDirectories({undo}: Transaction): readonly string[] {
    const paths = [...undo.links.map(l => l.path), ...undo.files.map(f => f.path), ...undo.images];
    return [...new Set(paths.map(path => dirname(path)))];
}

async function missingDirectories(
    host: Host,
    paths: readonly string[],
): Promise<readonly string[]> {
    const missing = new Set<string>();
    for (const path of paths) {
        for (let at = dirname(path); at !== '/'; at = dirname(at)) {
            if (at === STATE_DIRECTORY || missing.has(at) || (await host.files.resolve(at))) break;
            missing.add(at);
        }
    }
    return [...missing].sort((a, b) => b.length - a.length);
}

function parseTransaction(text: string): Transaction | null {
    try {
        const value: unknown = JSON.parse(text);
        return isTransaction(value) ? value : null;
    } catch {
        // Not JSON.
        return null;
    }
}

function isTransaction(value: unknown): value is Transaction {
    if (!isRecord(value) || !isRecord(value['undo']) || !isRecord(value['finish'])) return false;
    const {undo, finish} = value;
    return (
        (value['phase'] === 'undo' || value['phase'] === 'finish') &&
        typeof value['process'] === 'string' &&
        typeof value['operation'] === 'string' &&
        typeof value['merge'] === 'boolean' &&
        isListOf(value['features'], item => typeof item === 'string') &&
        isListOf(undo['links'], item => isEntry(item, 'target')) &&
        isListOf(undo['files'], item => isEntry(item, 'content')) &&
        isListOf(undo['images'], isPath) &&
        isListOf(undo['directories'], isPath) &&
        isListOf(finish['removals'], isPath)
    );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
    return Array.isArray(value) && value.every(isItem);
}

function isPath(value: unknown): boolean {
    return typeof value === 'string' && value.startsWith('/') && !value.includes('\0');
}

function isEntry(value: unknown, key: string): boolean {
    if (!isRecord(value) || !isPath(value['path'])) return false;
    return value[key] === null || typeof value[key] === 'string';
}
