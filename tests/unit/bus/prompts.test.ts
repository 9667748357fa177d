// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {decodeLastElement, isObjectPath, pathsAbove} from '../../../helper/src/bus/paths.ts';
import {promptDetails} from '../../../helper/src/bus/prompts.ts';
import {featurePath} from '../../../helper/src/features/object.ts';

const FEATURE = 'org.frostyard.Snow1.Feature';

describe('a prompt', () => {
    it.each(['docker', 'code-server', '1password', 'a/b', 'x.y_z'])('names %s', feature => {
        const path = `/org/frostyard/Snow1/${featurePath(feature)}`;
        expect(promptDetails(FEATURE, 'Enable', path)).toEqual({
            'polkit.message':
                'Authentication is required to turn on the system extension $(feature)',
            feature,
        });
    });

    it.each(['', 'a b', 'a\nPassword:', '$(reboot)', 'ä', '\u202eevil', 'x'.repeat(500), '-f'])(
        'does not repeat %j',
        feature => {
            const path = `/org/frostyard/Snow1/${featurePath(feature)}`;
            expect(promptDetails(FEATURE, 'Enable', path)).toEqual({});
        },
    );

    it('is that of the action where the method says no more', () => {
        expect(promptDetails('org.frostyard.Snow1.Features', 'Check', '/x')).toEqual({});
        expect(promptDetails('a.b.constructor', 'name', '/x')).toEqual({});
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
