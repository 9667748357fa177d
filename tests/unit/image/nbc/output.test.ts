// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, test} from 'vitest';

import {
    parseEntry,
    parseGrubConfiguration,
    parseVariable,
} from '../../../../helper/src/image/nbc/boot-menu.ts';
import {switchCommand} from '../../../../helper/src/image/nbc/commands.ts';
import {describeResult, failureOf} from '../../../../helper/src/image/nbc/failures.ts';
import {nbcMountPoints} from '../../../../helper/src/image/nbc/leftovers.ts';
import {
    NbcOutput,
    NbcShare,
    documentOf,
    importEvent,
    importFailure,
} from '../../../../helper/src/image/nbc/progress.ts';
import {importCheck, importStatus, isNotManaged} from '../../../../helper/src/image/nbc/status.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('documents', () => {
    test('of the oldest versions have a name and nothing else', () => {
        const text = JSON.stringify({image: 'x', bootloader_type: '', filesystem_type: ''});
        expect(importStatus(text)).toMatchObject({
            image: 'x',
            digest: null,
            active_slot: null,
            staged_update: null,
            reboot_pending: null,
        });
    });

    test('name the field that is wrong', () => {
        const read = (changes: object) => () =>
            importStatus(JSON.stringify({image: 'x', ...changes}));
        expect(read({image: 3})).toThrow(
            'nbc status gave what cannot be understood: image is no string',
        );
        expect(read({digest: 'abc'})).toThrow('digest is no digest');
        expect(read({staged_update: {image_ref: 'x'}})).toThrow(
            'staged_update.image_digest is no string',
        );
        expect(read({reboot_pending: []})).toThrow('reboot_pending is no object');
    });

    test('tell a system that is not its own from one that is current', () => {
        const check = (document: object) => isNotManaged(importCheck(JSON.stringify(document)));
        const message = 'System is not nbc-managed (bootc/composefs detected), nothing to do';
        expect(check({update_needed: false, image: '', device: '', message})).toBe(true);
        const current = {update_needed: false, image: 'x', device: '/dev/sda', new_digest: DIGEST};
        expect(check(current)).toBe(false);
        expect(check({...current, update_needed: true, device: ''})).toBe(false);
    });
});

describe('events', () => {
    test.each([
        [
            {
                type: 'step',
                step: 3,
                total_steps: 7,
                step_name: 'Extracting new container filesystem',
            },
            {type: 'step', step: 3, steps: 7, text: 'Extracting new container filesystem'},
        ],
        [
            {type: 'step', step: 3},
            {type: 'step', step: 3, steps: 0, text: ''},
        ],
        [
            {type: 'progress', percent: 45, message: 'Extracting layer 3/5'},
            {type: 'progress', percent: 45, text: 'Extracting layer 3/5'},
        ],
        [
            {type: 'message', message: 'a\u001b[1mb\nc'},
            {type: 'message', text: 'a [1mb'},
        ],
        [
            {type: 'error', message: 'Update failed', details: {error: 'failed\n\nThe target'}},
            {type: 'error', text: 'Update failed', detail: 'failed'},
        ],
        [
            {type: 'error', message: 'Update failed'},
            {type: 'error', text: 'Update failed', detail: ''},
        ],
        [{type: 'telemetry', x: 1}, {type: 'unknown'}],
        [{success: true}, null],
    ])('%j', (event, expected) => {
        expect(importEvent(JSON.stringify(event))).toEqual(expected);
    });

    test('a field that is wrong is named, and stops nothing', () => {
        const text = '{"type":"step","step":"three"}';
        expect(() => importEvent(text)).toThrow('step is no whole number from 0 on');
        expect(new NbcOutput().add(text)).toEqual({type: 'unknown'});
    });

    test('a long text is cut', () => {
        const event = importEvent(JSON.stringify({type: 'message', message: 'x'.repeat(100_000)}));
        expect(event).toMatchObject({text: expect.stringMatching(/^x{199}…$/) as string});
    });

    test('the document at the end is told from them, and bounded', () => {
        const document = JSON.stringify({error: true, message: 'failed', details: 'why'}, null, 2);
        const printed = `{"type":"message","message":"a"}\n${document}\n`;
        expect(importFailure(documentOf(printed))).toEqual({
            error: true,
            message: 'failed',
            details: 'why',
        });
        expect(importFailure('{"success": true, "message": "x"}')).toBeNull();
        expect(importFailure('')).toBeNull();
        expect(documentOf(`${'x'.repeat(1000)}\n`.repeat(1000)).length).toBeLessThan(70_000);
    });
});

describe('failures', () => {
    test.each([
        ['another nbc process is currently performing a system operation', 'Busy'],
        [
            'failed to get image descriptor: Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host',
            'Network',
        ],
        ['failed to pull image: Get "https://x/": net/http: TLS handshake timeout', 'Network'],
        [
            'HEAD https://ghcr.io/v2/x/manifests/latest: unexpected status code 404 Not Found',
            'Failed',
        ],
        ['GET https://ghcr.io/token: UNAUTHORIZED: authentication required', 'Failed'],
        [
            'failed to extract container: write /tmp/nbc-update/usr/x: no space left on device',
            'NoSpace',
        ],
        [
            'image signature verification failed: no cosign signature found at x',
            'VerificationFailed',
        ],
        ['failed to read passphrase: inappropriate ioctl for device', 'NotSupported'],
        ['unknown flag: --local-image', 'NotSupported'],
        ['no staged update found in /var/cache/nbc/staged-update', 'WrongState'],
        ['failed to mount target partition: exit status 32\nOutput: bad', 'Failed'],
        ['', 'Failed'],
    ])('%s: %s', (description, code) => {
        const error = failureOf(description);
        expect(error.code).toBe(code);
        expect(error.message).toMatch(/^[^\n]{10,400}$/);
    });

    test('what fang shows is described by its message', () => {
        const stderr =
            '\n   \u001b[31mERROR\u001b[0m  \n\n  Unknown flag: --x.\n\n  Try --help for usage.\n';
        const result = {exitCode: 1, signal: null, stdout: '', stderr};
        expect(describeResult(result)).toBe('Unknown flag: --x.');
        expect(describeResult({...result, stderr: ''})).toBe('exit status 1');
        expect(describeResult({...result, exitCode: null, signal: 'SIGKILL', stderr: ''})).toBe(
            'ended by SIGKILL',
        );
    });
});

describe('boot menus', () => {
    test('of systemd-boot', () => {
        const entry = 'title   Snow\nlinux   /vmlinuz-6\noptions root=UUID=a-b ro quiet\n';
        expect(parseEntry(entry)).toBe('UUID=a-b');
        expect(parseEntry('title x\n')).toBeNull();
        expect(parseEntry('options rd.root=x proot=y')).toBeNull();
        const value = Buffer.concat([
            Buffer.from([7, 0, 0, 0]),
            Buffer.from('bootc-previous.conf\0', 'utf16le'),
        ]);
        expect(parseVariable(value)).toBe('bootc-previous.conf');
        expect(parseVariable(Buffer.alloc(0))).toBe('');
    });

    test('of GRUB, as nbc writes them', () => {
        const text = [
            'set timeout=5',
            'set default=0',
            "menuentry 'Snow' {",
            '    linux /vmlinuz-6 root=UUID=b ro',
            '}',
            "menuentry 'Snow (Previous)' {",
            '    linux /vmlinuz-6 root=UUID=a ro',
            '}',
        ].join('\n');
        const menu = {loader: 'grub', main: 'UUID=b', previous: 'UUID=a', isPreviousNext: false};
        expect(parseGrubConfiguration(text)).toEqual(menu);
        expect(parseGrubConfiguration(text.replace('default=0', 'default=1'))).toEqual({
            ...menu,
            isPreviousNext: true,
        });
        expect(parseGrubConfiguration('insmod all_video')).toBeNull();
        // One of somebody else's, with more to choose from.
        expect(parseGrubConfiguration(`${text}\n  linux /x root=UUID=c`)).toBeNull();
    });
});

test('only what nbc mounted is unmounted', () => {
    const mountinfo = [
        '1 2 0:1 / / rw - ext4 /dev/sda2 rw',
        '2 2 0:1 / /tmp/nbc-update rw - ext4 /dev/sda3 rw',
        '3 2 0:1 / /tmp/nbc-update/var rw - ext4 /dev/sda4 rw',
        '4 2 0:1 / /tmp/nbc-updates rw - ext4 /dev/sda4 rw',
        '5 2 0:1 / /var rw - ext4 /dev/sda4 rw',
        '6 2 0:1 / /tmp/nbc-update/a\\040b rw - ext4 /dev/sda4 rw',
        '7 2 0:1 / /tmp/nbc-boot rw - vfat /dev/sda1 rw',
    ].join('\n');
    expect(nbcMountPoints(mountinfo)).toEqual([
        '/tmp/nbc-update',
        '/tmp/nbc-update/var',
        '/tmp/nbc-update/a b',
        '/tmp/nbc-boot',
    ]);
});

test('a reference is never an option', () => {
    expect(switchCommand('ghcr.io/frostyard/snow')).toEqual([
        'nbc',
        'update',
        '--image=ghcr.io/frostyard/snow',
        '--force',
        '--json',
    ]);
});

test('steps and percentages make one fraction', () => {
    const share = new NbcShare();
    const told = [
        {type: 'progress', percent: 50, message: ''},
        {type: 'step', step: 1, total_steps: 4, step_name: 'Pull'},
        {type: 'progress', percent: 20, message: 'Layer 1'},
        {type: 'progress', message: 'Layer 2'},
        {type: 'progress', percent: 90, message: 'Layer 2'},
        {type: 'step', step: 3, total_steps: 4, step_name: 'Extract'},
        {type: 'progress', percent: 10, message: ''},
        {type: 'step', step: 9, total_steps: 4, step_name: 'More'},
        {type: 'message', message: 'x'},
    ].map(event => {
        const read = importEvent(JSON.stringify(event));
        return read && share.after(read);
    });
    expect(told).toEqual([0.5, 0, 0.2, null, 0.25, 0.5, 0.5, null, null]);
});
