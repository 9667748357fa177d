// SPDX-License-Identifier: GPL-2.0-or-later
// What udev keeps of devices below /run/udev, as libudev reads it, and the kernel below /sys.

import {type Device, type DeviceClass, deviceClasses} from './model.ts';

/** Of a file /run/udev/data/c81:0, where a line of a property begins with E: */
export function parseUdevRecord(text: string): Readonly<Record<string, string>> {
    const properties: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const line of text.split('\n')) {
        const equals = line.indexOf('=');
        if (line.startsWith('E:') && equals > 2)
            properties[line.slice(2, equals)] = line.slice(equals + 1);
    }
    return properties;
}

/** Of /sys/dev/char/81:0/uevent; null: it has no node, or none that a container can have. */
export function parseDeviceName(uevent: string): string | null {
    const name = /^DEVNAME=(.*)$/m.exec(uevent)?.[1] ?? '';
    return /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/.test(name) ? `/dev/${name}` : null;
}

/**
 * What of the tree below /sys/devices is plugged in as one: the USB device that a path is of, else what
 * the node itself is of.
 *
 * @param target of the link /sys/dev/char/81:0
 */
export function pluggedParent(target: string): string {
    const parts = target.replace(/^(\.\.\/)*/, '').split('/');
    const usb = parts.findLastIndex(part => /^\d+-\d+(\.\d+)*$/.test(part));
    if (usb >= 0) return parts.slice(0, usb + 1).join('/');
    // A class and a name below it; a bus has none.
    return parts.slice(0, parts.length > 3 ? -2 : undefined).join('/');
}

/** Null: it is none of those that are tagged, or gone. */
export function describeDevice(
    number: string,
    texts: {readonly uevent: string | null; readonly record: string | null; readonly link: string},
): Device | null {
    const node = parseDeviceName(texts.uevent ?? '');
    const properties = parseUdevRecord(texts.record ?? '');
    const deviceClass = deviceClasses.find(one => one === properties['SNOW_CONTROL_CLASS']);
    if (node === null || !deviceClass) return null;
    return {
        number,
        node,
        class: deviceClass,
        parent: pluggedParent(texts.link),
        product: productName(properties),
        since: properties['SNOW_CONTROL_SINCE'] ?? '',
    };
}

/** Names in their order of preference; what a device says of itself may be anything. */
function productName(properties: Readonly<Record<string, string>>): string {
    const model = properties['ID_MODEL_FROM_DATABASE'] ?? properties['ID_MODEL'];
    const vendor = properties['ID_VENDOR_FROM_DATABASE'] ?? properties['ID_VENDOR'];
    const name =
        properties['ID_V4L_PRODUCT'] ??
        [vendor, model].filter(part => part !== undefined && part !== '').join(' ');
    return name
        .replaceAll('_', ' ')
        .replace(/[\p{C}\p{Z}]+/gu, ' ')
        .trim()
        .slice(0, 80);
}

/** The nodes of one device have one name: that of whichever of them has any. */
export function shareProductNames(devices: readonly Device[]): readonly Device[] {
    const names = new Map<string, string>();
    for (const {parent, product} of devices)
        if (product !== '' && !names.has(parent)) names.set(parent, product);
    return devices.map(device => {
        const product = device.product || (names.get(device.parent) ?? nameOf[device.class]);
        return {...device, product};
    });
}

const nameOf: Readonly<Record<DeviceClass, string>> = {
    camera: 'Camera',
    'security-key': 'Security key',
    listed: 'Device',
};
