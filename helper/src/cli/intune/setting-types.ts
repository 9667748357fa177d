// SPDX-License-Identifier: GPL-2.0-or-later

/** Of Configure, with what each takes. */
export const settingTypes = {
    channel: 'text',
    autostart: 'switch',
    gpu: 'switch',
    nvidia: 'switch',
    x11: 'switch',
    audio: 'switch',
    'smart-cards': 'switch',
    'memory-max': 'text',
    'cpu-quota': 'text',
    'tasks-max': 'text',
    cameras: 'text',
    'security-keys': 'text',
    'listed-devices': 'text',
} as const;
