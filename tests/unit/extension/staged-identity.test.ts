// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {stagedIdentity} from '../../../extension/src/staged-identity.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

test.each([
    ['of bootc', `image=x\ndigest=${DIGEST}\nstaged_at=2026-11-10T12:00:00+00:00\n`, DIGEST],
    ['of native A/B', 'image=snow-ab\nversion=20261110120000\nstaged_at=x\n', '20261110120000'],
    ['with both', `version=1\ndigest=${DIGEST}\n`, DIGEST],
    ['with an empty digest', 'digest=\nversion=1\n', '1'],
    ['without either', 'image=x\nstaged_at=x\n', ''],
    ['with another key of that end', 'old_digest=x\n', ''],
    ['that is empty', '', ''],
])('is read from a file %s', (_what, text, identity) => {
    expect(stagedIdentity(text)).toBe(identity);
});
