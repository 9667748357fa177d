// SPDX-License-Identifier: GPL-2.0-or-later
// How the users and groups of an image become those of a container: its user is to have the name and the
// numbers that the host's has, and `render` the number that it has there. What an image says of itself
// is not to be trusted: names that are not of the usual kind count as not there.

import {SnowError} from '../../host/error.ts';
import type {Owner} from '../model.ts';

interface User {
    readonly name: string;
    readonly uid: number;
    readonly gid: number;
    readonly home: string;
}

interface Group {
    readonly name: string;
    readonly gid: number;
}

export interface Accounts {
    readonly users: readonly User[];
    readonly groups: readonly Group[];
}

/** A program of the image and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** Groups of the user, as far as the image has them. */
const SUPPLEMENTARY = ['adm', 'sudo', 'video', 'audio', 'plugdev', 'render'];
/** Ids below are the system's. */
const FIRST_ID = 1000;
/** What useradd(8) of the image gave its own user, which is nobody's here. */
const IMAGE_USER = 1000;
const LAST_ID = 59_999;
const FIRST_SYSTEM_ID = 100;

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;

/**
 * Gives files of a group to another one, and leaves their modes as they are: a change of the group
 * takes away the bits of setuid and setgid.
 */
const REGROUP =
    'gid=$1; shift; for file; do mode=$(stat -c %a -- "$file"); chgrp -h -- "$gid" "$file"; ' +
    '[ -h "$file" ] || chmod -- "$mode" "$file"; done';

/** Reads passwd(5) and group(5). */
export function parseAccounts(passwd: string, group: string): Accounts {
    const users = fieldsOf(passwd).flatMap(([name = '', , uid = '', gid = '', , home = '']) =>
        NAME.test(name) && isId(uid) && isId(gid)
            ? [{name, uid: Number(uid), gid: Number(gid), home}]
            : [],
    );
    const groups = fieldsOf(group).flatMap(([name = '', , gid = '']) =>
        NAME.test(name) && isId(gid) ? [{name, gid: Number(gid)}] : [],
    );
    return {users, groups};
}

/**
 * The commands that make a container's user of what an image has, in their order.
 *
 * @param renderGid of the host; null: it has no such group
 *
 * Throws SnowError NotSupported where the name is one of the image's own.
 */
export function planAccounts(
    accounts: Accounts,
    {uid, gid, name}: Pick<Owner, 'uid' | 'gid' | 'name'>,
    renderGid: number | null,
): readonly Command[] {
    const groups = new GroupPlan(accounts.groups, gid);
    if (renderGid !== null) groups.giveRender(renderGid);

    const {users} = accounts;
    const named = users.find(user => user.name === name);
    const holder = users.find(user => user.uid === uid);
    if (named && named.uid < FIRST_ID) throw taken('user', name);
    const commands: Command[] = [];
    if (named && holder && named !== holder) {
        const free = freeId(new Set(users.map(user => user.uid)), FIRST_ID, LAST_ID);
        commands.push(['usermod', '--uid', `${free}`, '--', holder.name]);
    }
    const existing = named ?? holder ?? users.find(user => user.uid === IMAGE_USER);
    groups.givePrimary(name, existing);
    commands.push(...groups.commands);

    const home = `/home/${name}`;
    const attributes = ['--gid', `${gid}`, '--shell', '/bin/bash'];
    if (existing) {
        const changes = [
            ...(existing.name === name ? [] : ['--login', name]),
            ...(existing.uid === uid ? [] : ['--uid', `${uid}`]),
            ...['--home', home, ...attributes],
        ];
        commands.push(['usermod', ...changes, '--', existing.name]);
        if (existing.home !== home && /^\/home\/[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(existing.home))
            commands.push(['rm', '-rf', '--', existing.home]);
    } else {
        const numbers = ['--uid', `${uid}`, ...attributes];
        const options = ['--no-log-init', '--no-create-home', '--home-dir', home];
        commands.push(['useradd', ...options, ...numbers, '--', name]);
    }
    const member = SUPPLEMENTARY.filter(group => groups.has(group));
    if (member.length > 0)
        commands.push(['usermod', '--append', '--groups', member.join(','), '--', name]);
    return commands;
}

/** The groups as they are after the commands. */
class GroupPlan {
    readonly commands: Command[] = [];
    readonly #wanted: number;
    #groups: readonly Group[];

    /** @param wanted number that no group is moved to */
    constructor(groups: readonly Group[], wanted: number) {
        this.#groups = groups;
        this.#wanted = wanted;
    }

    has(name: string): boolean {
        return this.#named(name) !== undefined;
    }

    giveRender(gid: number): void {
        const holder = this.#holder(gid);
        if (holder?.name === 'render') return;
        if (holder) this.#move(holder, this.#freeSystemId(gid));
        const render = this.#named('render');
        if (render) this.#move(render, gid);
        else this.#add('render', gid, ['--system']);
    }

    /** By its number; its name is the user's where nothing else has it. */
    givePrimary(name: string, user: User | undefined): void {
        const gid = this.#wanted;
        const holder = this.#holder(gid);
        const named = this.#named(name);
        const own = this.#groups.find(
            group => group.gid === user?.gid && group.name === user.name && group.gid >= FIRST_ID,
        );
        if (holder) {
            if (holder === own && !named) this.#rename(holder, name);
        } else if (named) {
            if (named.gid < FIRST_ID) throw taken('group', name);
            this.#move(named, gid);
        } else if (own) {
            this.#move(own, gid);
            this.#rename({...own, gid}, name);
        } else {
            this.#add(name, gid, []);
        }
    }

    #add(name: string, gid: number, options: readonly string[]): void {
        this.commands.push(['groupadd', ...options, '--gid', `${gid}`, '--', name]);
        this.#groups = [...this.#groups, {name, gid}];
    }

    #rename(group: Group, name: string): void {
        if (group.name === name) return;
        this.commands.push(['groupmod', '--new-name', name, '--', group.name]);
        this.#replace(group.name, {name, gid: group.gid});
    }

    /** With its files. */
    #move(group: Group, gid: number): void {
        const found = ['find', '/', '-xdev', '-gid', `${group.gid}`] as const;
        this.commands.push(
            [...found, '-exec', 'sh', '-c', REGROUP, 'sh', `${gid}`, '{}', '+'],
            ['groupmod', '--gid', `${gid}`, '--', group.name],
        );
        this.#replace(group.name, {name: group.name, gid});
    }

    #replace(name: string, by: Group): void {
        this.#groups = this.#groups.map(group => (group.name === name ? by : group));
    }

    #freeSystemId(except: number): number {
        const ids = [...this.#groups.map(({gid}) => gid), except, this.#wanted];
        return freeId(new Set(ids), FIRST_SYSTEM_ID, FIRST_ID - 1);
    }

    #named(name: string): Group | undefined {
        return this.#groups.find(group => group.name === name);
    }

    #holder(gid: number): Group | undefined {
        return this.#groups.find(group => group.gid === gid);
    }
}

/** The highest that is free. */
function freeId(used: ReadonlySet<number>, first: number, last: number): number {
    for (let id = last; id >= first; id--) if (!used.has(id)) return id;
    throw new SnowError('VerificationFailed', 'The image uses every id there is');
}

function taken(kind: 'user' | 'group', name: string): SnowError {
    return new SnowError('NotSupported', `The image has a ${kind} ${name} of its own`);
}

function fieldsOf(text: string): readonly (readonly string[])[] {
    return text.split('\n').map(line => line.split(':'));
}

function isId(text: string): boolean {
    return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32;
}
