// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {expect, it} from 'vitest';

import {featureId, featurePath} from '../../../helper/src/features/object.ts';

it('every feature has a path of its own, which its id is found by', () => {
    expect(featurePath('big/podman.d-5')).toBe('Features/big_2fpodman_2ed_2d5');
    expect(featurePath('7_é')).toBe('Features/_37_5f_c3_a9');
    fc.assert(
        fc.property(fc.string({unit: 'binary'}), id => {
            const path = featurePath(id);
            expect(path).toMatch(/^Features\/[A-Za-z0-9_]+$/);
            expect(featureId(path)).toBe(id);
        }),
    );
});
