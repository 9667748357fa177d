// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {
    applyDownloadedCommand,
    inspectCommand,
    pullCommand,
    switchCommand,
    switchToPulledCommand,
    tellsProgress,
    upgradeCommand,
} from '../../../../helper/src/image/bootc/commands.ts';

const REFERENCE = 'ghcr.io/frostyard/snow:latest';

test.each([
    [null, false],
    ['0.1.10', false],
    ['1.0.0', false],
    ['1.1.3', false],
    ['1.1.4', true],
    ['1.10.0', true],
    ['1.16.3', true],
])('version %s tells its progress: %s', (version, isTold) => {
    expect(tellsProgress(version)).toBe(isTold);
});

test.each([
    [
        upgradeCommand({hasProgress: false, isDownloadOnly: false, maySoftReboot: false}),
        'bootc upgrade --quiet',
    ],
    [
        upgradeCommand({hasProgress: true, isDownloadOnly: true, maySoftReboot: false}),
        'bootc upgrade --quiet --download-only --progress-fd={progress-fd}',
    ],
    [
        upgradeCommand({hasProgress: false, isDownloadOnly: false, maySoftReboot: true}),
        'bootc upgrade --quiet --soft-reboot=auto',
    ],
    [
        applyDownloadedCommand({maySoftReboot: true}),
        'bootc upgrade --from-downloaded --quiet --soft-reboot=auto',
    ],
    [
        switchCommand(REFERENCE, {hasProgress: true}),
        `bootc switch --quiet --enforce-container-sigpolicy --progress-fd={progress-fd} ${REFERENCE}`,
    ],
    [
        switchToPulledCommand(REFERENCE, {hasProgress: false}),
        `bootc switch --quiet --transport=containers-storage ${REFERENCE}`,
    ],
    [pullCommand(REFERENCE), `podman pull ${REFERENCE}`],
    [
        inspectCommand(`docker://${REFERENCE}`, {authFile: null}),
        `skopeo inspect --no-tags docker://${REFERENCE}`,
    ],
    [
        inspectCommand(`docker://${REFERENCE}`, {authFile: '/etc/ostree/auth.json', isRaw: true}),
        `skopeo inspect --raw --authfile=/etc/ostree/auth.json docker://${REFERENCE}`,
    ],
])('%#: %s', (command, line) => {
    expect(command.join(' ')).toBe(line);
});
