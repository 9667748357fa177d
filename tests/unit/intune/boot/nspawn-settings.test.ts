// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {nspawnSettings, unitDropIn} from '../../../../helper/src/intune/boot/nspawn-settings.ts';
import {record, settings} from './container.ts';

describe('nspawnSettings', () => {
    it('gives the container users of its own, and what is bound by its mapping', () => {
        const text = nspawnSettings(record, [
            {
                source: '/run/s/home',
                target: '/home/alice',
                mapping: 'owneridmap',
                isReadOnly: false,
            },
            {source: '/run/s/dri', target: '/dev/dri', mapping: 'none', isReadOnly: true},
        ]);
        expect(text).toContain('PrivateUsers=1073741824:65536\n');
        expect(text).toContain('Bind=/run/s/home:/home/alice:owneridmap\n');
        expect(text).toContain('BindReadOnly=/run/s/dri:/dev/dri\n');
        expect(text).toMatch(/^DropCapability=.*CAP_MKNOD.*CAP_SYS_PTRACE/m);
    });

    it.each(['/dev/../etc/shadow', '/a:/b', '/a\nBind=/', '/a b', 'relative', '/%h', '/'])(
        'refuses %j as a path',
        path => {
            for (const bind of [
                {source: path, target: '/t'},
                {source: '/s', target: path},
            ])
                expect(() =>
                    nspawnSettings(record, [{...bind, mapping: 'none', isReadOnly: false}]),
                ).toThrow(RangeError);
        },
    );
});

describe('unitDropIn', () => {
    it('allows the devices that are named after it took away all others', () => {
        const lines = unitDropIn(1001, settings, ['/dev/char/226:128']).split('\n');
        expect(lines.indexOf('DeviceAllow=')).toBeGreaterThan(0);
        expect(lines.indexOf('DeviceAllow=/dev/char/226:128 rwm')).toBeGreaterThan(
            lines.indexOf('DeviceAllow='),
        );
    });

    it('has the limits that are set, and no others', () => {
        const text = unitDropIn(1001, {...settings, memoryMax: '4G'}, []);
        expect(text).toContain('MemoryMax=4G\n');
        expect(text).not.toMatch(/CPUQuota|TasksMax/);
    });
});
