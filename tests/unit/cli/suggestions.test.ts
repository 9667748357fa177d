// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, it} from 'vitest';

import {nearest} from '../../../helper/src/cli/suggestions.ts';

const names = ['docker', 'podman', 'tailscale', 'code-server', 'k3s', 'nix'];

it.each([
    ['dcoker', 'docker'],
    ['Podman', 'podman'],
    ['tailscal', 'tailscale'],
    ['code', 'code-server'],
    ['k3', 'k3s'],
    ['nxi', 'nix'],
])('takes %s for %s', (word, meant) => {
    expect(nearest(word, names)).toBe(meant);
});

it.each(['firefox', 'qq', ''])('takes "%s" for none of them', word => {
    expect(nearest(word, names)).toBeNull();
});
