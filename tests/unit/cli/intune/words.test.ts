// SPDX-License-Identifier: GPL-2.0-or-later
// What the words of a command line, and the caller's environment, mean for a container.
import {describe, expect, it} from 'vitest';

import {parseChanges} from '../../../../helper/src/cli/intune/configure.ts';
import {sessionOption} from '../../../../helper/src/cli/intune/session.ts';
import {parseCommandLine} from '../../../../helper/src/cli/parse.ts';
import {presetSettings} from '../../../../helper/src/intune/settings.ts';

describe('a program to run', () => {
    const operands = (...args: readonly string[]): readonly string[] => {
        const request = parseCommandLine(['intune', ...args]);
        return request.kind === 'run' ? request.operands : [];
    };

    it('has its own options, and any text', () => {
        expect(
            operands('run', '--user=alice', '--', 'sh', '-c', 'a\nb', '', '--json', '--'),
        ).toEqual(['sh', '-c', 'a\nb', '', '--json', '--']);
        expect(operands('open', 'edge', 'https://example.com/')).toEqual([
            'edge',
            'https://example.com/',
        ]);
    });

    it.each([
        ['run', '\n'],
        ['open', '--', '', 'x'],
        ['open', '--', 'a\nb'],
        ['run', '--', 'a\ufffd'],
        ['run', 'ls', '-l'],
        ['shell', 'ls'],
        ['run', '--json', '--', 'ls'],
        ['init', '--password-file=-', '--no-password'],
        ['autostart', 'maybe'],
        ['recreate', '--channel=beta'],
    ])('or is refused: %j', (...args) => {
        expect(() => operands(...args)).toThrow(
            expect.objectContaining({code: 'InvalidArgs'}) as Error,
        );
    });
});

describe('settings', () => {
    it('are switches and texts', () => {
        expect(
            parseChanges(['gpu=no', 'autostart=on', 'memory-max=', 'cameras=ask', 'cpu-quota=50%']),
        ).toEqual({
            gpu: false,
            autostart: true,
            'memory-max': '',
            cameras: 'ask',
            'cpu-quota': '50%',
        });
    });

    it('are all of the service', () => {
        for (const [key, value] of Object.entries(presetSettings()))
            expect(
                parseChanges([`${key}=${value === true ? 'yes' : String(value)}`]),
            ).toHaveProperty(key);
    });

    it.each([
        ['gpu', /is not KEY=VALUE/],
        ['gpu=', /takes yes or no/],
        ['gpus=no', /did you mean "gpu"/],
        ['__proto__=x', /There is no setting/],
        ['constructor=x', /There is no setting/],
        ['gpu=constructor', /takes yes or no/],
    ])('or wrong: %s', (word, message) => {
        expect(() => parseChanges([word])).toThrow(message);
    });
});

describe('the session', () => {
    const uid = process.getuid?.() ?? 0;
    const environment = {
        DISPLAY: ':0',
        WAYLAND_DISPLAY: 'wayland-0',
        XAUTHORITY: '/run/user/1000/.mutter-Xwaylandauth.X',
        LANG: 'de_DE.UTF-8',
        HOME: '/home/alice',
    };

    it('is what of the environment applications need', () => {
        expect(sessionOption(environment, uid)).toEqual({
            session: [
                'DISPLAY=:0',
                'XAUTHORITY=/run/user/1000/.mutter-Xwaylandauth.X',
                'WAYLAND_DISPLAY=wayland-0',
                'LANG=de_DE.UTF-8',
            ],
        });
    });

    it('leaves out what the service would refuse', () => {
        expect(sessionOption({DISPLAY: 'localhost:10.0', WAYLAND_DISPLAY: ''}, uid)).toEqual({});
        expect(sessionOption({}, uid)).toEqual({});
    });

    it('is not handed to a container of somebody else', () => {
        expect(sessionOption(environment, uid + 1)).toEqual({});
    });
});
