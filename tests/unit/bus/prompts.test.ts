// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {decodeLastElement, isObjectPath, pathsAbove} from '../../../helper/src/bus/paths.ts';
import {promptDetails} from '../../../helper/src/bus/prompts.ts';
import {featurePath} from '../../../helper/src/features/object.ts';

const FEATURE = 'org.frostyard.Snow1.Feature';

describe('a prompt', () => {
    it.each(['docker', 'code-server', '1password', 'a/b', 'x.y_z'])('names %s', feature => {
        const path = `/org/frostyard/Snow1/${featurePath(feature)}`;
        expect(promptDetails(FEATURE, 'Enable', path, [])).toEqual({
            'polkit.message':
                'Authentication is required to turn on the system extension $(feature)',
            feature,
        });
    });

    it.each(['', 'a b', 'a\nPassword:', '$(reboot)', 'ä', '\u202eevil', 'x'.repeat(500), '-f'])(
        'does not repeat %j',
        feature => {
            const path = `/org/frostyard/Snow1/${featurePath(feature)}`;
            expect(promptDetails(FEATURE, 'Enable', path, [])).toEqual({});
        },
    );

    it('is that of the action where the method says no more', () => {
        expect(promptDetails('org.frostyard.Snow1.Features', 'Check', '/x', [])).toEqual({});
        expect(promptDetails('a.b.constructor', 'name', '/x', [])).toEqual({});
    });
});

describe('a prompt about the image', () => {
    const IMAGE = 'org.frostyard.Snow1.Image';
    const PATH = '/org/frostyard/Snow1/Image';

    it('names the channel or the image that is switched to', () => {
        expect(promptDetails(IMAGE, 'Switch', PATH, ['snowfield'])).toEqual({
            'polkit.message': 'Authentication is required to switch the system to $(channel)',
            channel: 'snowfield',
        });
        const reference = 'registry.example:5000/team/snow:13@sha256:00';
        expect(promptDetails(IMAGE, 'SwitchReference', PATH, [reference])).toMatchObject({
            reference,
        });
    });

    it('says nothing of what may not stand in it', () => {
        for (const text of ['', '--option', 'a b', 'snow.\n\nReally', 'x'.repeat(300), 'ü', 7])
            for (const member of ['Switch', 'SwitchReference'])
                expect(promptDetails(IMAGE, member, PATH, [text])).toEqual({});
    });

    it('tells taking back from going back', () => {
        const one = promptDetails(IMAGE, 'Rollback', PATH, [])['polkit.message'];
        const other = promptDetails(IMAGE, 'Unstage', PATH, [])['polkit.message'];
        expect(one).toContain('go back to the previous system');
        expect(other).toContain('take back');
    });
});

describe('paths', () => {
    it('are decoded as sd_bus_path_decode(3) does', () => {
        expect(decodeLastElement('/a/_')).toBe('');
        expect(decodeLastElement('/a/_31x_2fy')).toBe('1x/y');
        expect(decodeLastElement('/a/_c3_a4')).toBe('ä');
        expect(decodeLastElement('/a/x_')).toBeNull();
        expect(decodeLastElement('/a/x_2F')).toBeNull();
    });

    it('are told from what is none', () => {
        expect(['/', '/a', '/a/b_1'].every(isObjectPath)).toBe(true);
        expect(['', 'a', '/a/', '//', '/a//b', '/a-b', '/ä'].some(isObjectPath)).toBe(false);
    });

    it('have others above them', () => {
        expect(pathsAbove('/a/b/c')).toEqual(['/a/b', '/a', '/']);
        expect(pathsAbove('/')).toEqual([]);
    });
});
