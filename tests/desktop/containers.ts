// SPDX-License-Identifier: GPL-2.0-or-later
// Every state of a user's container that the toggle shows.
import type {IntuneProperties} from '../../helper/src/generated/dbus.ts';

const DIGEST = `sha256:${'1'.repeat(64)}`;

/** There is none. */
export const absent: IntuneProperties = {
    State: 'absent',
    Image: '',
    Digest: '',
    Channel: 'stable',
    NewestDigest: '',
    LastCheck: 0,
    Created: 0,
    StartedAt: 0,
    Settings: {channel: 'stable', autostart: false, gpu: true},
    Bindings: [],
    Devices: [],
    CanRestore: false,
    Applications: [],
    Problem: '',
};

export const stopped: IntuneProperties = {
    ...absent,
    State: 'stopped',
    Image: 'ghcr.io/frostyard/ubuntu-intune:latest',
    Digest: DIGEST,
    LastCheck: Date.parse('2026-11-05T12:00:00Z') / 1000,
    Created: Date.parse('2026-11-01T12:00:00Z') / 1000,
    Applications: [
        {id: 'edge', name: 'Microsoft Edge', icon: 'web-browser-symbolic'},
        {id: 'portal', name: 'Intune Portal', icon: 'no-such-icon'},
    ],
};

export const running: IntuneProperties = {
    ...stopped,
    State: 'running',
    StartedAt: Date.parse('2026-11-06T12:00:00Z') / 1000,
    Bindings: [
        binding('wayland', '/run/user/1001/wayland-0', '/run/host-wayland', true),
        binding('gpu', '/dev/dri/renderD128', '/dev/dri/renderD128', true),
        binding('nvidia', '/dev/nvidia0', '/dev/nvidia0', false),
        binding('smart-cards', '/run/pcscd', '/run/pcscd', true),
    ],
};

export const outdated: IntuneProperties = {...running, NewestDigest: `sha256:${'2'.repeat(64)}`};

export const failed: IntuneProperties = {
    ...stopped,
    State: 'failed',
    Problem:
        'The container did not become ready in 90 s: see journalctl -u systemd-nspawn@intune-u1001.service',
};

function binding(kind: string, source: string, target: string, present: boolean) {
    return {kind, source, target, present};
}
