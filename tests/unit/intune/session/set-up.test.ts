// SPDX-License-Identifier: GPL-2.0-or-later
import {execFileSync} from 'node:child_process';

import {describe, expect, it} from 'vitest';

import {containerHostName, setUpScript} from '../../../../helper/src/intune/session/set-up.ts';

const owner = {uid: 1001, gid: 1002, name: 'alice', home: '/home/alice'};

describe('setUpScript', () => {
    it('is understood by a shell word by word', () => {
        const words = ["it's", '$HOME', '`id`', 'a b', '*', '\\', '"'];
        const script = setUpScript({
            owner,
            accounts: [['printf', '%s|', ...words]],
            hostName: 'x',
            machineId: '0'.repeat(32),
        });
        const printed = execFileSync('sh', ['-c', script.split('\n')[0] ?? ''], {encoding: 'utf8'});
        expect(printed).toBe(words.map(word => `${word}|`).join(''));
        execFileSync('sh', ['-n', '-c', script]);
    });

    it('says which container it is', () => {
        const machineId = 'a'.repeat(32);
        const script = setUpScript({owner, accounts: [], hostName: 'penguinLXC', machineId});
        expect(script).toContain("'penguinLXC\n' >'/etc/hostname'");
        expect(script).toContain(`'${machineId}\n' >'/etc/machine-id'`);
        expect(script).toContain("'chown' '1001:1002' '--' '/home/alice'");
        expect(script).toContain('multi-user.target.wants/snow-intune-session@1001.service');
    });
});

describe('containerHostName', () => {
    it.each([
        ['penguin\n', 'penguinLXC'],
        ['penguin.example.org', 'penguinLXC'],
        ['-x-', 'x-LXC'],
        ['(none)', 'noneLXC'],
        ['', 'snowLXC'],
        ['x'.repeat(64), `${'x'.repeat(60)}LXC`],
    ])('makes %j %j', (host, name) => {
        expect(containerHostName(host)).toBe(name);
    });
});
