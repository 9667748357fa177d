// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import type {ImageDriver} from '../driver.ts';

function notYet(): Promise<never> {
    return Promise.reject(new SnowError('NotSupported', 'This cannot be done with bootc'));
}

/** Images in a registry that bootc writes as deployments of ostree or composefs. */
export const bootcDriver: ImageDriver = {
    name: 'bootc',
    otherUnits: ['bootc-update-stage.service', 'bootc-fetch-apply-updates.service'],
    detect: async host => (await host.files.status('/run/ostree-booted')) !== null,
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
