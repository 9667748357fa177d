// SPDX-License-Identifier: GPL-2.0-or-later
// Images in pairs of partitions, started by unified kernel images, that systemd-sysupdate(8) writes.

import {SnowError} from '../../host/error.ts';
import type {ImageDriver} from '../driver.ts';

const MARKER = '/usr/lib/snosi/native-ab';

function notYet(): Promise<never> {
    return Promise.reject(new SnowError('NotSupported', 'This cannot be done on native A/B'));
}

export const nativeDriver: ImageDriver = {
    name: 'native',
    otherUnits: [
        'snosi-sysupdate-stage.service',
        'systemd-sysupdate.service',
        'systemd-sysupdate-reboot.service',
    ],
    detect: async host => (await host.files.status(MARKER)) !== null,
    status: notYet,
    stagedSystem: notYet,
    check: notYet,
    update: notYet,
    download: notYet,
    switchTo: notYet,
    rollback: notYet,
    unstage: notYet,
    cleanUp: () => Promise.resolve(),
};
