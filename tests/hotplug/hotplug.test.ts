// SPDX-License-Identifier: GPL-2.0-or-later
// Cameras and security keys as Debian's own kernel makes them, from the port to a program in the container.
import {beforeAll, describe, expect, test} from 'vitest';

import {type Outcome, runInComputer} from './computer.ts';

/** Milliseconds that an emulated computer gets. */
const PATIENCE = 420_000;

let outcome: Outcome;

beforeAll(async () => {
    outcome = await runInComputer(PATIENCE);
    // An emulated kernel panics in a while; that says nothing of what is tested.
    if (!outcome.isComplete) outcome = await runInComputer(PATIENCE);
    if (!outcome.isComplete) throw new Error(outcome.console.slice(-4000));
    const results = [...outcome.results].map(([name, value]) => `${name}=${value}`);
    console.log(results.join('\n'));
}, 3 * PATIENCE);

function expectSeen(seen: Readonly<Record<string, string>>): void {
    const found = Object.keys(seen).map(name => [name, outcome.results.get(name)?.trim()]);
    expect(Object.fromEntries(found)).toEqual(seen);
}

describe('without a container', () => {
    test('nothing is run for a camera', () =>
        expectSeen({
            'idle-unit': 'snow-intune-device@81:0',
            'idle-condition': 'no',
            'idle-process': '0',
            'idle-run': '0',
        }));
});

describe('a camera', () => {
    test('that was there before works, for its user alone', () =>
        expectSeen({
            'camera-at-start': '0',
            'camera-owner': 'alice alice 600',
            'camera-works': 'works',
            'camera-other': 'Permission denied',
        }));

    test('is refused when it is gone', () =>
        expectSeen({'camera-gone': '0', 'camera-closed': '0', 'camera-refused': 'not permitted'}));

    test('comes and goes with nine others', () =>
        expectSeen({
            burst: ['media', 'video']
                .flatMap(kind => Array.from({length: 10}, (_, number) => `${kind}${number}`))
                .join(' '),
            'burst-opened': '0123456789',
            'burst-gone': '',
        }));

    test('that went while the container started is not there', () =>
        expectSeen({'unplugged-meanwhile': '0'}));
});

describe('a security key', () => {
    test('without a USB port answers a program', () =>
        expectSeen({
            key: '0',
            'key-works': 'said 64y',
            'key-gone': '0',
            'key-after': 'No such file',
        }));

    test('at a USB port is there by both of its nodes', () => {
        expect(outcome.results.get('usb')).toMatch(/^bus\/usb\/\d{3}\/\d{3} hidraw0 $/);
        expectSeen({'usb-works': 'alice 600', 'usb-gone': ''});
    });

    test('is there again under another number, after a restart, and after it came and went', () =>
        expectSeen({
            'usb-another-number': '0',
            'usb-again': 'works',
            restart: 'works',
            'usb-three-times': 'works',
            failed: '0',
        }));

    test('of another maker is there when the administrator lists it', () =>
        expectSeen({unlisted: '', listed: 'works'}));
});

describe('after sleep', () => {
    test('a key and a camera that stayed work, and nothing was run for them', () =>
        expectSeen({slept: '0 1', 'sleep-same': '0', 'sleep-works': 'works'}));

    test('what was unplugged meanwhile is gone, and what was plugged in is there', () =>
        expectSeen({
            'sleep-gone': 'No such file',
            'sleep-gone-unit': '0',
            'sleep-new': 'works',
            'sleep-after': '',
        }));
});

describe('a reader of smart cards', () => {
    test('is there on both sides when it is plugged in, and gone after it', () =>
        expectSeen({
            reader: 'Gemalto',
            'reader-outside': 'Gemalto',
            'reader-node': 'alice 600',
            'reader-gone': 'No reader',
        }));

    test('is the container’s own pcscd’s where the administrator leaves it to that', () =>
        expectSeen({'reader-left': 'No reader', 'reader-own': 'Gemalto'}));
});
