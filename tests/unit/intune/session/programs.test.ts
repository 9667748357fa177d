// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {applicationTable, programOf} from '../../../../helper/src/intune/session/applications.ts';
import {commandInside} from '../../../../helper/src/intune/session/inside.ts';

const record = {
    owner: {uid: 1001, gid: 1001, name: 'alice', home: '/home/alice'},
    uidBase: 0x4000_0000,
    channel: 'stable',
    image: '',
    digest: '',
    created: 0,
} as const;

describe('programOf', () => {
    it('knows the program of every application', () => {
        for (const {id} of applicationTable) expect(programOf(id)).not.toBe(id);
    });

    it.each(['gnome-text-editor', '/usr/bin/a b', 'g++'])('takes %j', program => {
        expect(programOf(program)).toBe(program);
    });

    it.each(['', '-x', 'a b', '../x', 'a/b', '/', '//x', '/a\n', '--machine=.host', 'x;y'])(
        'refuses %j',
        program => {
            expect(() => programOf(program)).toThrow(/no application/);
        },
    );
});

describe('commandInside', () => {
    it('has all of a program behind what ends the options', () => {
        const command = ['--machine=.host', '$HOME', '%h'] as const;
        const words = commandInside(record, {command, unit: 'x', streams: 'pipe'});
        expect(words.slice(words.indexOf('--') + 1)).toEqual(command);
        expect(words).toContain('--machine=intune-u1001');
        expect(words).toContain('--property=User=alice');
        expect(words).toContain('--expand-environment=no');
    });
});
