// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {introspect} from '../../../helper/src/broker/own-answers.ts';
import {
    defaultOptions,
    formatOptions,
    optionsPath,
    parseOptions,
} from '../../../helper/src/broker/options.ts';

const parse = (text: string) => parseOptions('broker.conf', Buffer.from(text));

describe('the options of the broker', () => {
    it('allow nothing that was not said', () => {
        expect(parse('')).toEqual({options: defaultOptions, faults: []});
        expect(Object.values(defaultOptions)).toEqual([false, false, false]);
    });

    it('are read as they were written', () => {
        const options = {isEnabled: true, startsContainer: false, admitsSandboxed: true};
        expect(parse(formatOptions(options))).toEqual({options, faults: []});
    });

    it.each([
        ['[Broker]\nEnabled=perhaps\n', 'broker.conf:2'],
        ['[Broker]\nEnabled=yes\nSandbox=no\n', 'broker.conf:3'],
        ['Enabled=yes\n', 'broker.conf:1'],
        ['[Broker\nEnabled=yes\n', 'broker.conf:1'],
    ])('name the line of what is none: %j', (text, place) => {
        expect(parse(text).faults.join('\n')).toContain(place);
    });

    it('that cannot be understood are not taken for a yes', () => {
        expect(parse('[Broker]\nEnabled=yes\nEnabled=perhaps\n').options.isEnabled).toBe(false);
    });

    it('are below the user’s own configuration', () => {
        expect(optionsPath({HOME: '/home/a'})).toBe('/home/a/.config/snow-control/broker.conf');
        expect(optionsPath({HOME: '/home/a', XDG_CONFIG_HOME: '/cfg'})).toBe(
            '/cfg/snow-control/broker.conf',
        );
        expect(optionsPath({HOME: '/home/a', XDG_CONFIG_HOME: 'relative'})).toBe(
            '/home/a/.config/snow-control/broker.conf',
        );
    });
});

describe('the description of the broker’s object', () => {
    it('is reached from the root, step by step', () => {
        let path = '/';
        for (const name of ['com', 'microsoft', 'identity', 'broker1']) {
            expect(introspect(path)).toContain(`<node name="${name}"/>`);
            path = path === '/' ? `/${name}` : `${path}/${name}`;
        }
        expect(introspect(path)).toContain('getLinuxBrokerVersion');
        expect(introspect('/com/microsoft/ident')).toBeNull();
        expect(introspect(`${path}/more`)).toBeNull();
    });
});
