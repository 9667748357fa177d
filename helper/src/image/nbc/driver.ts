// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import type {ImageDriver} from '../driver.ts';

const MARKER = '/run/nbc-booted';

function notYet(): Promise<never> {
    return Promise.reject(new SnowError('NotSupported', 'This cannot be done with nbc'));
}

/** Images that nbc writes to the slot that is not booted. */
export const nbcDriver: ImageDriver = {
    name: 'nbc',
    otherUnits: ['nbc-update-download.service', 'nbc-update.service'],
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
