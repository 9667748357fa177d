// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, test} from 'vitest';

import {parseReference} from '../../../../helper/src/host/image-reference.ts';
import {needsNothing} from '../../../../helper/src/intune/image/policy.ts';

const anything = [{type: 'insecureAcceptAnything'}];
const signed = [{type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/key'}];
const reject = [{type: 'reject'}];

function accepts(policy: unknown, reference = 'ghcr.io/frostyard/ubuntu-intune:latest'): boolean {
    return needsNothing(JSON.stringify(policy), parseReference(reference));
}

describe('the policy of the host', () => {
    test('is its default where it says nothing of a registry', () => {
        expect(accepts({default: anything})).toBe(true);
        expect(accepts({default: reject})).toBe(false);
        expect(accepts({default: anything, transports: {atomic: {'': reject}}})).toBe(true);
    });

    test('counts by what is most particular', () => {
        const within = (scopes: Record<string, unknown>, reference?: string) =>
            accepts({default: reject, transports: {docker: scopes}}, reference);
        expect(within({'ghcr.io/frostyard': anything})).toBe(true);
        expect(
            within({'ghcr.io/frostyard': anything, 'ghcr.io/frostyard/ubuntu-intune': signed}),
        ).toBe(false);
        expect(
            within({'ghcr.io': signed, 'ghcr.io/frostyard/ubuntu-intune:latest': anything}),
        ).toBe(true);
        expect(within({'ghcr.io/frostyard/ubuntu-intune:insiders': anything})).toBe(false);
        expect(within({'ghcr.io/frosty': anything})).toBe(false);
        expect(within({'': anything})).toBe(true);
        expect(within({'*.example.com': anything}, 'a.b.example.com/x')).toBe(true);
        expect(within({'*.example.com': anything}, 'example.com/x')).toBe(false);
        expect(
            within({'*.example.com': anything, '*.b.example.com': reject}, 'a.b.example.com/x'),
        ).toBe(false);
    });

    test('has every requirement hold', () => {
        expect(accepts({default: [...anything, ...signed]})).toBe(false);
        expect(accepts({default: []})).toBe(false);
    });

    test('is no guess when it cannot be read', () => {
        expect(() => accepts({transports: {}})).toThrow(/policy\.json/);
    });
});
