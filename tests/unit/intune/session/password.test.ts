// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {passwordProblem} from '../../../../helper/src/intune/session/password.ts';

describe('passwordProblem', () => {
    it.each([
        ['Ice-Floe-4711', ''],
        ['Ice-Floe-4711', 'alice'],
        ['Zwölf Bären:1"$', 'alice'],
    ])('finds nothing in %j of %j', (password, user) => {
        expect(passwordProblem(password, user)).toBeNull();
    });

    it.each([
        ['', '', 'at least 12'],
        ['Ice-Floe-47', '', 'at least 12'],
        ['Ice-Floe-four', '', 'a digit'],
        ['ice-floe-4711', '', 'upper-case'],
        ['ICE-FLOE-4711', '', 'lower-case'],
        ['IceFloe471100', '', 'neither a letter nor a digit'],
        ['Ice-Floe-Alice-4711', 'alice', 'name'],
        ['Ice-Floe-4711\nroot:x', '', 'control characters'],
        ['Ice-Floe-4711\0', '', 'control characters'],
        [`Ice-Floe-4711${'x'.repeat(300)}`, '', '256 bytes'],
    ])('names what is wrong with %j of %j', (password, user, text) => {
        expect(passwordProblem(password, user)).toContain(text);
    });

    it('never says the password', () => {
        expect(passwordProblem('Sesame-Sesame')).not.toContain('Sesame');
    });
});
