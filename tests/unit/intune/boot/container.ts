// SPDX-License-Identifier: GPL-2.0-or-later
import type {ContainerRecord, Settings} from '../../../../helper/src/intune/model.ts';

export const record: ContainerRecord = {
    owner: {uid: 1001, gid: 1001, name: 'alice', home: '/home/alice'},
    uidBase: 0x4000_0000,
    channel: 'stable',
    image: 'ghcr.io/frostyard/ubuntu-intune:latest',
    digest: `sha256:${'0'.repeat(64)}`,
    created: 1,
};

export const settings: Settings = {
    channel: 'stable',
    autostart: false,
    gpu: true,
    nvidia: true,
    x11: true,
    audio: true,
    smartCards: true,
    cameras: 'allow',
    securityKeys: 'allow',
    listedDevices: 'allow',
    memoryMax: '',
    cpuQuota: '',
    tasksMax: '',
};
