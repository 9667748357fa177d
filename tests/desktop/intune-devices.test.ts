// SPDX-License-Identifier: GPL-2.0-or-later
// The cameras and keys that are plugged in: their switches in the menu of the container, and the questions
// about them.
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {running, stopped} from './containers.ts';
import {
    ExtensionDesktop,
    INTUNE_PATH,
    UUID,
    activeFeature,
    indicator,
    intuneJob,
    intuneMenu,
    intuneToggle,
} from './extension-desktop.ts';

const INTERACTIVE = 4;
const WIDTH = 1024;
const HEIGHT = 768;
const DIRECTORY = '/run/snow-control/intune/u1001';
const features = [activeFeature('docker', '27.5.1')];
const banner = {styleClass: 'notification-banner'};
const item = (name: string, nth = 0) => ({
    type: 'SnowControlDeviceItem',
    name,
    inside: intuneMenu,
    nth,
});
const switchOf = (name: string, nth = 0) => ({type: 'Switch', inside: item(name, nth)});
const spinnerOf = (name: string) => ({type: 'Spinner', inside: item(name)});
const button = (label: string) => ({styleClass: 'notification-button', label});

type State = 'attached' | 'asked' | 'detached' | 'never' | 'elsewhere';

function node(path: string, product: string, state: State, device = path) {
    return {node: path, class: 'camera', product, device, state};
}

const usbCamera = (state: State) => [
    node('/dev/video0', 'USB Camera', state, '/sys/devices/usb1/1-1'),
    node('/dev/video1', 'USB Camera', state, '/sys/devices/usb1/1-1'),
    node('/dev/media0', 'USB Camera', state, '/sys/devices/usb1/1-1'),
];
const yubiKey = (state: State) => [
    {...node('/dev/hidraw0', 'Yubico YubiKey OTP+FIDO+CCID', state), class: 'security-key'},
];
const withDevices = (...Devices: ReturnType<typeof node>[]) => ({...running, Devices});

let extension: ExtensionDesktop;
let desktop: Desktop;

beforeAll(async () => {
    extension = await ExtensionDesktop.start({width: WIDTH, height: HEIGHT});
    desktop = extension.desktop;
    await extension.guest.check(`mkdir -p ${DIRECTORY}`);
});
beforeEach(async () => {
    await extension.guest.check(`cd ${DIRECTORY} && mkdir -p devices waiting`);
});
afterEach(async () => {
    await extension.closeMenu();
    await extension.show({features, intune: stopped});
    await extension.guest.check(`rm -rf ${DIRECTORY}/devices ${DIRECTORY}/waiting`);
    await extension.tell({do: 'refuse', method: 'AttachDevice', name: '', text: ''});
    await extension.changeSetting('notify-devices', true);
    await extension.calls();
    await desktop.eval('Main.messageTray.getSources().forEach(source => source.destroy())');
    await desktop.assertNoWarnings();
});
afterAll(() => extension?.[Symbol.asyncDispose]());

async function texts(): Promise<string> {
    return (await desktop.find(intuneMenu)).text;
}

async function isOn(name: string, nth = 0): Promise<boolean | null> {
    return (await desktop.find(switchOf(name, nth))).checked;
}

/** Titles of what is in the list of notifications. */
function questions(): Promise<readonly string[]> {
    return desktop.eval(
        'Main.messageTray.getSources().flatMap(source => source.notifications.map(({title}) => title))',
    );
}

/** As snow-intune-device leaves it, while the service keeps quiet. */
async function plug(directory: 'devices' | 'waiting', number: string, ...Devices: object[]) {
    await extension.changeIntune({Devices: Devices as never}, true);
    await extension.guest.check(`echo x >${DIRECTORY}/${directory}/${number}`);
}

async function unplug(directory: 'devices' | 'waiting', number: string, ...Devices: object[]) {
    await extension.changeIntune({Devices: Devices as never}, true);
    await extension.guest.check(`rm ${DIRECTORY}/${directory}/${number}`);
}

describe('the menu', () => {
    test('has a row for each device, with a switch and what keeps it from being used', async () => {
        const capture = node('/dev/video4', 'HD Capture', 'elsewhere');
        const reader = node('/dev/hidraw3', 'Nitrokey 3', 'never');
        await extension.show({
            features,
            intune: withDevices(
                ...usbCamera('attached'),
                ...yubiKey('detached'),
                capture,
                reader,
                node('/dev/video6', 'Twin', 'attached'),
                node('/dev/video8', 'Twin', 'detached'),
            ),
        });
        await extension.openIntuneMenu();
        await extension.screenshot('intune-devices');
        expect(await texts()).toContain('Devices\nGraphics, Smart Cards\nUSB Camera\nYubico');
        expect(await desktop.findAll(item('USB Camera'))).toHaveLength(1);
        expect(await isOn('USB Camera')).toBe(true);
        expect(await isOn('Yubico YubiKey OTP+FIDO+CCID')).toBe(false);
        expect(await desktop.find(switchOf('HD Capture'))).toMatchObject({reactive: false});
        expect((await desktop.find(item('HD Capture'))).text).toContain('Another user’s session');
        expect(await desktop.find(switchOf('Nitrokey 3'))).toMatchObject({reactive: false});
        expect((await desktop.find(item('Nitrokey 3'))).text).toContain('settings keep it');
        expect((await desktop.find(item('Twin'))).text).toContain('/dev/video6');
        expect((await desktop.find(item('Twin', 1))).text).toContain('/dev/video8');

        await extension.calls();
        await desktop.click(item('Nitrokey 3'));
        await extension.settle();
        expect(await extension.calls()).toEqual([]);
        expect(await isOn('Nitrokey 3')).toBe(false);
    });

    test('has none while the container does not run', async () => {
        await extension.show({
            features,
            intune: {...stopped, Devices: usbCamera('attached')},
        });
        await extension.openIntuneMenu();
        expect(await texts()).not.toMatch(/Devices|USB Camera/);
    });

    test('attaches and detaches, and shows that it is on its way', async () => {
        await extension.show({features, intune: withDevices(...usbCamera('detached'))});
        await extension.openIntuneMenu();
        await extension.calls();
        await desktop.click(item('USB Camera'));
        await extension.settle();
        expect(await extension.calls()).toEqual([
            {
                path: INTUNE_PATH,
                method: 'AttachDevice',
                args: ['/dev/video0', {}],
                flags: INTERACTIVE,
            },
        ]);
        expect(await isOn('USB Camera')).toBe(true);
        await desktop.find(spinnerOf('USB Camera'));
        await extension.screenshot('intune-device-attaching');
        // It is nothing that the rest of the menu, the toggle or the panel need care about.
        expect((await desktop.find(intuneToggle)).text).toBe('Intune\nRunning');
        expect(await desktop.isShown(indicator)).toBe(false);
        await desktop.click(item('USB Camera'));
        await extension.settle();
        expect(await extension.calls()).toEqual([]);

        await extension.changeIntune({Devices: usbCamera('attached')});
        await extension.finishJob(await extension.lastJob(), 'done');
        expect(await isOn('USB Camera')).toBe(true);
        expect(await desktop.isShown(spinnerOf('USB Camera'))).toBe(false);

        await desktop.click(item('USB Camera'));
        await extension.settle();
        expect(await extension.calls()).toMatchObject([
            {method: 'DetachDevice', args: ['/dev/video0', {}]},
        ]);
        expect(await isOn('USB Camera')).toBe(false);
        await extension.changeIntune({Devices: usbCamera('detached')});
        await extension.finishJob(await extension.lastJob(), 'done');
        expect(await isOn('USB Camera')).toBe(false);
        expect(await desktop.isShown(banner)).toBe(false);
    });

    test('shows what failed in the row, and the switch returns', async () => {
        await extension.show({features, intune: withDevices(...usbCamera('detached'))});
        await extension.openIntuneMenu();
        await desktop.click(item('USB Camera'));
        await extension.settle();
        const message = 'USB Camera goes to the container of whose session is in front of it';
        await extension.finishJob(await extension.lastJob(), 'failed', {
            error: ['org.frostyard.Snow1.Error.WrongState', message],
        });
        expect(await isOn('USB Camera')).toBe(false);
        expect((await desktop.find(item('USB Camera'))).text).toBe(`USB Camera\n${message}`);
        expect(await desktop.isShown(banner)).toBe(false);
        await extension.screenshot('intune-device-failed');
        await extension.changeIntune({Devices: []});
        await extension.changeIntune({Devices: usbCamera('detached')});
        expect((await desktop.find(item('USB Camera'))).text).toBe('USB Camera');
        await desktop.click(item('USB Camera'));
        await extension.settle();
        await extension.finishJob(await extension.lastJob(), 'failed', {
            error: ['org.frostyard.Snow1.Error.WrongState', message],
        });
        expect(await texts()).toContain(message);
        await extension.closeMenu();
        await extension.openIntuneMenu();
        expect(await texts()).not.toContain(message);

        await extension.tell({
            do: 'refuse',
            method: 'AttachDevice',
            name: 'org.frostyard.Snow1.Error.NotAuthorized',
            text: 'The settings say no',
        });
        await desktop.click(item('USB Camera'));
        await desktop.waitFor(async () => (await texts()).includes('The settings say no'));
        expect((await desktop.find(item('USB Camera'))).text).toContain('The settings say no');
        expect(await isOn('USB Camera')).toBe(false);
        expect((await desktop.find(intuneToggle)).text).toBe('Intune\nRunning');
    });

    test('follows what another program does', async () => {
        await extension.show({
            features,
            intune: withDevices(...usbCamera('detached')),
            jobs: {7: intuneJob('attach-device', {Target: '/dev/media0', Step: ''})},
        });
        await extension.openIntuneMenu();
        expect(await isOn('USB Camera')).toBe(true);
        await desktop.find(spinnerOf('USB Camera'));
    });

    test('follows what is plugged in while it is open, without a word of the service', async () => {
        await extension.show({features, intune: withDevices()});
        await extension.openIntuneMenu();
        expect(await texts()).not.toContain('USB Camera');
        await plug('devices', '81:0', ...usbCamera('attached'));
        await desktop.find(item('USB Camera'));
        await unplug('devices', '81:0');
        await desktop.waitGone(item('USB Camera'));
        await plug('devices', '81:1', ...usbCamera('attached'));
        await desktop.find(item('USB Camera'));

        // The container was restarted.
        await extension.changeIntune({Devices: []}, true);
        await extension.guest.check(`rm -r ${DIRECTORY}/devices`);
        await desktop.waitGone(item('USB Camera'));
        await extension.guest.check(`mkdir ${DIRECTORY}/devices`);
        await plug('devices', '81:2', ...usbCamera('attached'));
        await desktop.find(item('USB Camera'));
        expect(await questions()).toEqual([]);
    });

    test('reads what neither is attached nor asked for when it opens', async () => {
        await extension.show({features, intune: withDevices()});
        await extension.changeIntune({Devices: yubiKey('never')}, true);
        await extension.openIntuneMenu();
        await desktop.find(item('Yubico YubiKey OTP+FIDO+CCID'));
    });

    test('takes the keyboard, and scrolls on a low screen', async () => {
        const many = Array.from({length: 8}, (_, index) =>
            node(`/dev/video${index}`, `Camera ${index}`, index === 7 ? 'never' : 'detached'),
        );
        await extension.show({features, intune: withDevices(...many)});
        await extension.openIntuneMenu();
        await extension.screenshot('intune-devices-many');
        const {box} = await desktop.find(intuneMenu);
        expect(box.y + box.height).toBeLessThanOrEqual(HEIGHT);
        await extension.calls();
        for (let step = 0; step < 20; step++) {
            if ((await desktop.find(item('Camera 7'))).hasFocus) break;
            await desktop.key('Down');
            if ((await desktop.find(item('Camera 0'))).hasFocus) await desktop.key('space');
        }
        const last = await desktop.find(item('Camera 7'));
        expect(last.hasFocus).toBe(true);
        expect(last.box.y + last.box.height).toBeLessThanOrEqual(box.y + box.height + 1);
        await extension.screenshot('intune-devices-many-last');
        expect(await extension.calls()).toMatchObject([
            {method: 'AttachDevice', args: ['/dev/video0', {}]},
        ]);
        await extension.finishJob(await extension.lastJob(), 'cancelled');
    });
});

describe('a device that is to be asked about', () => {
    test('brings one question, and is attached by its answer', async () => {
        await extension.show({features, intune: withDevices()});
        await extension.calls();
        await plug('waiting', '81:0', ...usbCamera('asked'));
        const {text} = await desktop.find(banner);
        expect(text).toContain('USB Camera was plugged in');
        expect(text).toContain('Give it to the Intune container?');
        expect(await questions()).toEqual(['USB Camera was plugged in']);
        // A person looks at it, and the buttons come.
        await desktop.hover(banner);
        await desktop.find(button('Attach'));
        await extension.screenshot('intune-device-asked');
        await desktop.click(button('Attach'));
        await extension.settle();
        expect(await extension.calls()).toEqual([
            {
                path: INTUNE_PATH,
                method: 'AttachDevice',
                args: ['/dev/video0', {}],
                flags: INTERACTIVE,
            },
        ]);
        expect(await questions()).toEqual([]);
        await extension.changeIntune({Devices: usbCamera('attached')});
        await extension.finishJob(await extension.lastJob(), 'done');
        expect(await questions()).toEqual([]);
    });

    test('stays away by the other answer, until it is plugged in again', async () => {
        await extension.show({features, intune: withDevices()});
        await extension.calls();
        await plug('waiting', '81:0', ...usbCamera('asked'));
        await desktop.hover(banner);
        await desktop.click(button('Not Now'));
        await extension.settle();
        expect(await extension.calls()).toMatchObject([
            {method: 'DetachDevice', args: ['/dev/video0', {}]},
        ]);
        await extension.changeIntune({Devices: usbCamera('detached')});
        await extension.finishJob(await extension.lastJob(), 'done');
        expect(await questions()).toEqual([]);
        await unplug('waiting', '81:0');
        await extension.settle();
        await plug('waiting', '81:0', ...usbCamera('asked'));
        await desktop.find(banner);
    });

    test('tells that its answer failed', async () => {
        await extension.show({features, intune: withDevices(...usbCamera('asked'))});
        await desktop.hover(banner);
        await desktop.click(button('Attach'));
        await extension.settle();
        await extension.finishJob(await extension.lastJob(), 'failed', {
            error: ['org.frostyard.Snow1.Error.Failed', 'It is broken'],
        });
        expect(await questions()).toEqual(['Could not attach the device']);
        expect((await desktop.find(banner)).text).toContain('It is broken');
    });

    test.each([
        ['it is unplugged', () => unplug('waiting', '81:0')],
        [
            'it is answered elsewhere',
            () => extension.changeIntune({Devices: usbCamera('detached')}),
        ],
        ['the container stops', () => extension.changeIntune({State: 'stopping'})],
        ['the setting is switched off', () => extension.changeSetting('notify-devices', false)],
        [
            'the switch in the menu is used',
            async () => {
                await extension.openIntuneMenu();
                await desktop.click(item('USB Camera'));
                await extension.settle();
                await extension.changeIntune({Devices: usbCamera('attached')});
                await extension.finishJob(await extension.lastJob(), 'done');
            },
        ],
    ])('is not asked about any more when %s', async (_what, end) => {
        await extension.show({features, intune: withDevices()});
        await plug('waiting', '81:0', ...usbCamera('asked'));
        await desktop.find(banner);
        await end();
        await desktop.waitFor(async () => (await questions()).length === 0);
        await desktop.waitGone(banner);
    });

    test('is asked about once, however many there are and whatever changes', async () => {
        const four = [
            ...usbCamera('asked'),
            ...yubiKey('asked'),
            node('/dev/video4', 'HD Capture', 'asked'),
            node('/dev/video6', 'Twin', 'asked'),
        ];
        await extension.show({features, intune: withDevices(...four)});
        expect([...(await questions())].sort()).toEqual([
            'HD Capture was plugged in',
            'Twin was plugged in',
            'USB Camera was plugged in',
            'Yubico YubiKey OTP+FIDO+CCID was plugged in',
        ]);
        await desktop.eval(`Main.messageTray.getSources()
            .find(({notifications: [one]}) => one.title.startsWith('Twin')).destroy()`);
        await extension.changeIntune({LastCheck: 5});
        await extension.openIntuneMenu();
        expect(await questions()).toHaveLength(3);
    });

    test('asks nothing where the setting says so', async () => {
        await extension.changeSetting('notify-devices', false);
        await extension.show({features, intune: withDevices(...usbCamera('asked'))});
        expect(await questions()).toEqual([]);
        await extension.openIntuneMenu();
        expect(await isOn('USB Camera')).toBe(false);
    });

    test('is asked about when the extension starts; nothing is left on a locked screen', async () => {
        await extension.show({features, intune: withDevices(...usbCamera('asked'))});
        expect(await questions()).toHaveLength(1);
        await desktop.eval(`Main.extensionManager.lookup('${UUID}').stateObj.disable()`);
        expect(await questions()).toEqual([]);
        await desktop.eval(`Main.extensionManager.lookup('${UUID}').stateObj.enable()`);
        await desktop.waitFor(async () => (await questions()).length === 1);
        expect(await extension.calls()).toEqual([]);

        await desktop.eval(`Main.sessionMode.pushMode('unlock-dialog')`);
        await desktop.waitFor(async () => (await questions()).length === 0);
        await desktop.eval(`Main.sessionMode.popMode('unlock-dialog')`);
        await desktop.waitFor(async () => (await questions()).length === 1);
    });
});

test('nothing is left behind by disable()', async () => {
    await desktop.eval(`Object.assign(globalThis, {
        pause: ms => new Promise(resolve => {
            imports.gi.GLib.timeout_add(imports.gi.GLib.PRIORITY_LOW, ms, () => {
                resolve();
                return false;
            });
        }),
        state: Main.extensionManager.lookup('${UUID}').stateObj,
    }) && true`);
    await extension.show({
        features,
        intune: withDevices(...usbCamera('asked'), ...yubiKey('attached')),
    });
    const count = async (rounds: number) => {
        await desktop.eval(`(async () => {
            for (let round = 0; round < ${rounds}; round++) {
                state.disable();
                state.enable();
                await pause(round % 2 ? 60 : 250);
            }
            state.disable();
            await pause(500);
            for (let turn = 0; turn < 3; turn++) {
                imports.system.gc();
                await pause(300);
            }
            imports.system.dumpHeap('/tmp/heap');
            return true;
        })()`);
        const heap = (await extension.guest.getFile('/tmp/heap')).toString('latin1');
        await extension.guest.check(['rm', '/tmp/heap']);
        const shell = (await extension.guest.check(['pgrep', '-x', 'gnome-shell'])).trim();
        // Of the directories that it followed, none is followed any more.
        const followed = await extension.guest.check(
            `for inode in $(stat -c %i ${DIRECTORY} ${DIRECTORY}/*); do
                 grep -l "^inotify.* ino:$(printf %x "$inode") " /proc/${shell}/fdinfo/* || true
             done`,
        );
        return {
            own: heap.match(/^0x.*SnowControl/gm)?.length,
            kept: heap.match(/^0x.*(FileMonitor|MessageTray)/gm)?.length,
            followed,
        };
    };
    const before = await count(10);
    const after = await count(40);
    expect(after).toEqual(before);
    expect(after.followed).toBe('');
    expect(await desktop.eval('Main.messageTray.getSources().length')).toBe(0);
    await desktop.eval('state.enable()');
    await extension.settle();
});
