// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, test} from 'vitest';

import type {BootMenu} from '../../../../helper/src/image/nbc/boot-menu.ts';
import {otherDevice, pictureOf} from '../../../../helper/src/image/nbc/picture.ts';
import {type SlotRecord, emptyRecord} from '../../../../helper/src/image/nbc/slots.ts';
import {type NbcStatus, importStatus} from '../../../../helper/src/image/nbc/status.ts';

const SNOW = 'ghcr.io/frostyard/snow:latest';
const [ONE, TWO, THREE] = ['1', '2', '3'].map(one => `sha256:${one.repeat(64)}`) as [
    string,
    string,
    string,
];

function nbc(changes: object = {}): NbcStatus {
    return importStatus(
        JSON.stringify({
            image: SNOW,
            digest: ONE,
            device: '/dev/sda',
            active_root: '/dev/sda2',
            active_slot: 'A (root1)',
            ...changes,
        }),
    );
}

function pending(digest: string) {
    return {
        digest,
        reboot_pending: {
            pending_image_ref: SNOW,
            pending_image_digest: digest,
            target_partition: '/dev/sda3',
        },
    };
}

const single: BootMenu = {loader: 'systemd-boot', main: 'A', previous: null, isPreviousNext: false};
const bootedMain: BootMenu = {...single, previous: 'B'};
const bootedPrevious: BootMenu = {...single, main: 'B', previous: 'A'};

function picture({
    status = nbc(),
    menu = single as BootMenu | null,
    record = emptyRecord,
    bootedVersion = '1' as string | null,
} = {}) {
    return pictureOf({nbc: status, menu, bootedRoot: 'A', record, bootedVersion});
}

const image = (digest: string | null, version: string | null) => ({image: SNOW, digest, version});

const known: SlotRecord = {
    ...emptyRecord,
    installed: {image: SNOW, digest: TWO},
    slots: {A: image(ONE, '1'), B: image(TWO, '2')},
};

describe('which image is where', () => {
    test('after the installation there is one', () => {
        expect(picture()).toMatchObject({
            slot: 'A',
            booted: image(ONE, '1'),
            other: null,
            isOtherNext: false,
            isPending: false,
        });
    });

    test('an update that waits has the other slot, and nbc no longer tells what is booted', () => {
        const found = picture({status: nbc(pending(TWO)), menu: bootedPrevious, record: known});
        expect(found).toMatchObject({
            booted: image(ONE, '1'),
            other: image(TWO, '2'),
            isOtherNext: true,
            isPending: true,
        });
    });

    test('of an update by hand it is not known what it replaced', () => {
        const found = picture({status: nbc(pending(TWO)), menu: bootedPrevious});
        expect(found).toMatchObject({booted: image(null, '1'), other: image(TWO, null)});
        // What was known of a system of another version is not of this one.
        expect(
            picture({
                status: nbc(pending(TWO)),
                menu: bootedPrevious,
                record: known,
                bootedVersion: '7',
            }).booted,
        ).toEqual(image(null, '7'));
    });

    test('the older one is booted, by a rollback or from the menu', () => {
        const status = nbc({digest: TWO});
        const rolledBack = {...bootedPrevious, isPreviousNext: true};
        expect(picture({status, menu: rolledBack, record: known})).toMatchObject({
            booted: image(ONE, '1'),
            other: image(TWO, '2'),
            isOtherNext: false,
        });
        expect(picture({status, menu: bootedPrevious, record: known}).isOtherNext).toBe(true);
        // Without a record: what nbc wrote last is not what is booted.
        expect(picture({status, menu: rolledBack})).toMatchObject({booted: image(null, '1')});
    });

    test('a rollback that waits', () => {
        const record = {...known, installed: {image: SNOW, digest: ONE}};
        const menu = {...bootedMain, isPreviousNext: true};
        expect(picture({menu, record})).toMatchObject({
            booted: image(ONE, '1'),
            other: image(TWO, '2'),
            isOtherNext: true,
            isPending: false,
        });
    });

    test('a record that somebody else made stale says nothing of the other slot', () => {
        const found = picture({status: nbc({digest: THREE}), menu: bootedMain, record: known});
        expect(found).toMatchObject({booted: image(THREE, '1'), other: image(null, null)});
    });

    test('a slot that was half written is none', () => {
        const record: SlotRecord = {
            ...known,
            installed: {image: SNOW, digest: ONE},
            slots: {A: image(ONE, '1'), B: null},
            broken: 'B',
        };
        expect(picture({menu: bootedMain, record}).other).toBeNull();
        const writing = {
            installed: {image: SNOW, digest: ONE},
            marker: null,
            isTouched: true,
            isGuarded: false,
        };
        // nbc says that it wrote it long before it can be started
        const found = picture({
            status: nbc({image: 'ghcr.io/other/image:1', digest: THREE}),
            menu: bootedMain,
            record: {...record, writing},
        });
        expect(found).toMatchObject({
            installed: {image: SNOW, digest: ONE},
            booted: image(ONE, '1'),
            other: null,
        });
    });

    test('a boot menu of others is none of ours', () => {
        const menu = {...bootedMain, main: 'X', previous: 'Y'};
        expect(picture({menu})).toMatchObject({menu: null, other: null, booted: image(ONE, '1')});
        expect(picture({menu: null, status: nbc(pending(TWO))}).isOtherNext).toBe(true);
    });
});

test.each([
    [{}, '/dev/sda3'],
    [{active_slot: 'B (root2)'}, '/dev/sda2'],
    [{device: '/dev/nvme0n1'}, '/dev/nvme0n1p3'],
    [{device: '/dev/mmcblk0', active_slot: 'B (root2)'}, '/dev/mmcblk0p2'],
    [{active_slot: '', active_root: '/dev/mapper/root1'}, '/dev/mapper/root2'],
    [{active_slot: '', active_root: '/dev/mapper/root2'}, '/dev/mapper/root1'],
    [{active_slot: '', active_root: ''}, null],
    [{device: '--help'}, null],
    [{device: ''}, null],
    [pending(TWO), '/dev/sda3'],
])('the other slot of %j is %s', (changes, device) => {
    expect(otherDevice(nbc(changes))).toBe(device);
});
