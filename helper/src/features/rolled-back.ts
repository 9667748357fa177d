// SPDX-License-Identifier: GPL-2.0-or-later
// The versions that somebody went back from: automatic updates leave them alone, until the feature
// is updated by hand.
import type {Host} from '../host/host.ts';
import {STATE_DIRECTORY} from './transaction.ts';

export const ROLLED_BACK = `${STATE_DIRECTORY}/rolled-back.json`;

/** Versions by the id of the feature. */
export type RolledBack = Readonly<Record<string, readonly string[]>>;

export async function readRolledBack(host: Host): Promise<RolledBack> {
    const text = await host.files.readText(ROLLED_BACK);
    if (text === null) return {};
    try {
        const value: unknown = JSON.parse(text);
        if (typeof value !== 'object' || value === null) return {};
        return Object.fromEntries(
            Object.entries(value).map(([id, versions]) => [
                id,
                Array.isArray(versions) ? versions.filter(item => typeof item === 'string') : [],
            ]),
        );
    } catch {
        // Somebody's edit; without the file an update installs what it would anyway.
        return {};
    }
}

export function withRolledBack(all: RolledBack, id: string, version: string): RolledBack {
    return {...all, [id]: [...new Set([...(all[id] ?? []), version])]};
}

export function withoutRolledBack(all: RolledBack, ids: readonly string[]): RolledBack {
    return Object.fromEntries(Object.entries(all).filter(([id]) => !ids.includes(id)));
}

/** What is to be written to get from one to the other. */
export function rolledBackChange(
    before: RolledBack,
    after: RolledBack,
): readonly {readonly path: string; readonly content: string}[] {
    const content = `${JSON.stringify(after, null, 2)}\n`;
    if (content === `${JSON.stringify(before, null, 2)}\n`) return [];
    return [{path: ROLLED_BACK, content}];
}
