// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {deviceState} from '../../../../helper/src/intune/devices/devices.ts';
import {deviceRules} from '../../../../helper/src/intune/devices/rules.ts';
import {
    describeDevice,
    parseDeviceName,
    parseUdevRecord,
    pluggedParent,
    shareProductNames,
} from '../../../../helper/src/intune/devices/udev-database.ts';
import type {ContainerRecord, Settings} from '../../../../helper/src/intune/model.ts';

const KEY = '../../devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4.2';

const record = (...lines: readonly string[]) => `I:42\n${lines.join('\n')}\nG:snow-control\nV:1\n`;

describe('parseDeviceName', () => {
    it.each([
        ['DEVNAME=video0', '/dev/video0'],
        ['MAJOR=189\nMINOR=4\nDEVNAME=bus/usb/001/005\nDEVTYPE=usb_device', '/dev/bus/usb/001/005'],
        ['DEVNAME=../../etc/shadow', null],
        ['DEVNAME=/etc/shadow', null],
        ['DEVNAME=bus//usb', null],
        ['DEVNAME=video0 ; id', null],
        ['DEVNAME=', null],
        ['MAJOR=81', null],
    ])('of %j is %s', (uevent, name) => {
        expect(parseDeviceName(uevent)).toBe(name);
    });
});

describe('parseUdevRecord', () => {
    it('has the properties, and nothing else', () => {
        expect({
            ...parseUdevRecord('I:1\nE:A=b=c\nE:=x\nS:char/81:0\nE:__proto__=p\nQ:t\n'),
        }).toEqual(
            Object.fromEntries([
                ['A', 'b=c'],
                ['__proto__', 'p'],
            ]),
        );
    });
});

describe('pluggedParent', () => {
    it('is the USB device of each of its nodes', () => {
        const parents = [
            KEY,
            `${KEY}/1-4.2:1.0/0003:1050:0407.0001/hidraw/hidraw0`,
            `${KEY}/1-4.2:1.1/0003:1050:0407.0002/hidraw/hidraw1`,
        ].map(pluggedParent);
        expect(new Set(parents)).toEqual(
            new Set(['devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4.2']),
        );
    });

    it('is what a node is of where there is no USB', () => {
        expect(pluggedParent('../../devices/platform/vivid.0/video4linux/video0')).toBe(
            'devices/platform/vivid.0',
        );
    });
});

describe('describeDevice', () => {
    const texts = {
        uevent: 'DEVNAME=hidraw0\n',
        link: `${KEY}/1-4.2:1.0/0003:1050:0407.0001/hidraw/hidraw0`,
    };

    it('knows those that udev gave a class', () => {
        const known = record('E:SNOW_CONTROL_CLASS=security-key', 'E:SNOW_CONTROL_SINCE=77');
        expect(describeDevice('240:0', {...texts, record: known})).toEqual({
            number: '240:0',
            node: '/dev/hidraw0',
            class: 'security-key',
            parent: 'devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4.2',
            product: '',
            since: '77',
        });
    });

    it.each([record('E:SNOW_CONTROL_CLASS=disk'), record(), null])('knows none of %j', text => {
        expect(describeDevice('240:0', {...texts, record: text})).toBeNull();
    });

    it('shows a name that is fit for a line', () => {
        const text = record(
            'E:SNOW_CONTROL_CLASS=camera',
            'E:ID_V4L_PRODUCT=Cam\u001b[31m\u202eera  \u0007One',
        );
        expect(describeDevice('81:0', {...texts, record: text})?.product).toBe('Cam [31m era One');
    });
});

describe('shareProductNames', () => {
    it('names the nodes of a device by the one that has a name', () => {
        const one = {number: '1:1', node: '/dev/a', class: 'camera', since: '1'} as const;
        const names = shareProductNames([
            {...one, parent: 'p', product: ''},
            {...one, parent: 'p', product: 'YubiKey 5'},
            {...one, parent: 'q', product: ''},
        ]).map(({product}) => product);
        expect(names).toEqual(['YubiKey 5', 'YubiKey 5', 'Camera']);
    });
});

describe('deviceState', () => {
    it.each([
        [{isAttached: true, isWaiting: false, policy: 'ask', choice: null}, 'attached'],
        [{isAttached: false, isWaiting: true, policy: 'ask', choice: null}, 'asked'],
        [{isAttached: false, isWaiting: false, policy: 'ask', choice: null}, 'elsewhere'],
        [{isAttached: false, isWaiting: false, policy: 'ask', choice: 'attach'}, 'elsewhere'],
        [{isAttached: false, isWaiting: false, policy: 'allow', choice: 'detach'}, 'detached'],
        [{isAttached: false, isWaiting: false, policy: 'allow', choice: null}, 'elsewhere'],
        [{isAttached: false, isWaiting: false, policy: 'never', choice: 'attach'}, 'never'],
    ] as const)('of %j is %s', (given, state) => {
        expect(deviceState(given)).toBe(state);
    });
});

describe('deviceRules', () => {
    it('says whose the nodes are, and what is wanted of each class', () => {
        const container = {owner: {uid: 1001, gid: 1002}, uidBase: 0x4000_0000} as ContainerRecord;
        const settings = {
            cameras: 'ask',
            securityKeys: 'allow',
            listedDevices: 'never',
        } as Settings;
        expect(deviceRules(container, settings)).toBe(
            'owner 1073742825:1073742826\ncamera ask\nsecurity-key allow\nlisted never\n',
        );
    });
});
