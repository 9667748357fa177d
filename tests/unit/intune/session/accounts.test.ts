// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {
    type Command,
    parseAccounts,
    planAccounts,
} from '../../../../helper/src/intune/session/accounts.ts';

const passwd = `root:x:0:0:root:/root:/bin/bash
games:x:5:60:games:/usr/games:/usr/sbin/nologin
`;
const group = `root:x:0:
adm:x:4:
sudo:x:27:
video:x:44:
landscape:x:992:
`;
const ubuntu = {
    passwd: `${passwd}ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\n`,
    group: `${group}ubuntu:x:1000:\n`,
};

interface Machine {
    users: {name: string; uid: number; gid: number; home: string; groups: string[]}[];
    groups: {name: string; gid: number}[];
}

/** What the image's programs would make of it; throws where they would refuse. */
function apply(texts: {passwd: string; group: string}, commands: readonly Command[]): Machine {
    const {users, groups} = parseAccounts(texts.passwd, texts.group);
    const machine: Machine = {
        users: users.map(user => ({...user, groups: []})),
        groups: groups.map(each => ({...each})),
    };
    for (const [program, ...args] of commands) perform(machine, program, args);
    return machine;
}

function perform(machine: Machine, program: string, args: readonly string[]): void {
    const option = (name: string): string | undefined => {
        const at = args.indexOf(`--${name}`);
        return at < 0 ? undefined : args[at + 1];
    };
    const subject = args.at(-1) ?? '';
    const {users, groups} = machine;
    const uid = Number(option('uid') ?? -1);
    const gid = Number(option('gid') ?? -1);
    if (/^user/.test(program)) {
        if (users.some(user => user.uid === uid)) throw new Error(`uid ${uid} is taken`);
        if (gid >= 0 && !groups.some(each => each.gid === gid)) throw new Error(`no gid ${gid}`);
    }
    if (/^group/.test(program)) {
        if (groups.some(each => each.gid === gid)) throw new Error(`gid ${gid} is taken`);
        if (groups.some(each => each.name === option('new-name'))) throw new Error('name taken');
    }
    const names = option('groups')?.split(',') ?? [];
    const unknown = names.find(name => !groups.some(each => each.name === name));
    if (unknown !== undefined) throw new Error(`no group ${unknown}`);
    if (program === 'useradd') {
        users.push({name: subject, uid, gid, home: option('home-dir') ?? '', groups: []});
    } else if (program === 'usermod') {
        const user = users.find(({name}) => name === subject);
        if (!user) throw new Error(`no user ${subject}`);
        user.name = option('login') ?? user.name;
        if (uid >= 0) user.uid = uid;
        if (gid >= 0) user.gid = gid;
        user.home = option('home') ?? user.home;
        user.groups.push(...names);
    } else if (program === 'groupadd') {
        if (groups.some(({name}) => name === subject)) throw new Error(`${subject} is taken`);
        groups.push({name: subject, gid});
    } else if (program === 'groupmod') {
        const changed = groups.find(({name}) => name === subject);
        if (!changed) throw new Error(`no group ${subject}`);
        changed.name = option('new-name') ?? changed.name;
        if (gid >= 0) changed.gid = gid;
    }
}

const alice = {uid: 1001, gid: 1001, name: 'alice'};
const plan = (
    texts: {passwd: string; group: string},
    owner = alice,
    render: number | null = null,
) => planAccounts(parseAccounts(texts.passwd, texts.group), owner, render);

describe('planAccounts', () => {
    it.each([
        ['an image without a user', {passwd, group}],
        ['an image with a user of its own', ubuntu],
        [
            'an image that has the name with another number',
            {passwd: `${ubuntu.passwd}alice:x:1500:1500::/home/alice:/bin/sh\n`, group},
        ],
        [
            'an image that has the number with another name',
            {
                passwd: `${passwd}bob:x:1001:1001::/home/bob:/bin/sh\n`,
                group: `${group}bob:x:1001:\n`,
            },
        ],
        [
            'an image that has the name and, with another name, the number',
            {
                passwd: `${passwd}alice:x:1500:1500::/home/alice:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n`,
                group: `${group}alice:x:1500:\nbob:x:1001:\n`,
            },
        ],
        ['an image with a group of that number', {passwd, group: `${group}staff:x:1001:\n`}],
    ])('makes the user, by name and number, of %s', (_, texts) => {
        const {users} = apply(texts, plan(texts));
        const found = users.filter(({name, uid}) => name === 'alice' || uid === 1001);
        expect(found).toEqual([
            {
                name: 'alice',
                uid: 1001,
                gid: 1001,
                home: '/home/alice',
                groups: ['adm', 'sudo', 'video'],
            },
        ]);
    });

    it('gives the user’s group his name where nothing else has it', () => {
        for (const texts of [{passwd, group}, ubuntu])
            expect(apply(texts, plan(texts)).groups).toContainEqual({name: 'alice', gid: 1001});
    });

    it('has the group of a host where all users share one', () => {
        const users = {uid: 1001, gid: 100, name: 'alice'};
        const shared = {passwd, group: `${group}users:x:100:\n`};
        expect(apply(shared, plan(shared, users)).users.at(-1)).toMatchObject({gid: 100});
    });

    it('takes the user of the image as the container’s', () => {
        const {users, groups} = apply(ubuntu, plan(ubuntu));
        expect([...users, ...groups].map(({name}) => name)).not.toContain('ubuntu');
        expect(plan(ubuntu)).toContainEqual(['rm', '-rf', '--', '/home/ubuntu']);
    });

    it('gives render the host’s number, and its files, and another one to whoever had it', () => {
        const texts = {passwd, group: `${group}render:x:107:\ntaken:x:999:\n`};
        const commands = plan(texts, alice, 992);
        const {groups, users} = apply(texts, commands);
        expect(groups).toContainEqual({name: 'render', gid: 992});
        expect(groups).toContainEqual({name: 'landscape', gid: 998});
        expect(users.at(-1)?.groups).toContain('render');
        const moved = commands.filter(([program]) => program === 'find');
        expect(moved.map(command => [command[4], command[10]])).toEqual([
            ['992', '998'],
            ['107', '992'],
        ]);
    });

    it('makes render where only the host has it', () => {
        expect(apply({passwd, group}, plan({passwd, group}, alice, 105)).groups).toContainEqual({
            name: 'render',
            gid: 105,
        });
    });

    it('leaves alone what the system of the image is called', () => {
        expect(() => plan({passwd, group}, {...alice, name: 'games'})).toThrow(/user games/);
        expect(() => plan({passwd, group}, {...alice, name: 'adm'})).toThrow(/group adm/);
    });

    it('hands no name to a program that could be anything else', () => {
        const hostile = {
            passwd: `${passwd}-R/:x:1000:1000::/home/x:/bin/sh\n$(id):x:1001:1001::/:/bin/sh\nu:x:1000:1::/home/../etc:/\n`,
            group: `${group}--gid=0:x:1001:\na;b:x:1002:\n`,
        };
        const words = plan(hostile).flat().join(' ');
        expect(words).not.toMatch(/-R\/|\$\(id\)|--gid=0|a;b|\.\./);
    });
});
