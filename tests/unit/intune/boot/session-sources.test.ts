// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {sessionSources} from '../../../../helper/src/intune/boot/session-sources.ts';
import type {SessionEnvironment, Settings} from '../../../../helper/src/intune/model.ts';
import {record, settings} from './container.ts';

const COOKIE = '/run/user/1001/.mutter-Xwaylandauth.A';

function sources(
    session: SessionEnvironment = {},
    change: Partial<Settings> = {},
    home = '/var/home/alice',
) {
    const found = sessionSources(record, {...settings, ...change}, session, {
        home,
        cookies: [COOKIE],
    });
    return new Map(found.map(source => [source.kind, source]));
}

describe('sessionSources', () => {
    it('has what has the usual names where nobody says which session it is', () => {
        const all = sources();
        expect(Object.fromEntries([...all].map(([kind, {paths}]) => [kind, paths[0]]))).toEqual({
            home: '/var/home/alice/Intune',
            wayland: '/run/user/1001/wayland-0',
            pipewire: '/run/user/1001/pipewire-0',
            pulse: '/run/user/1001/pulse/native',
            x11: '/tmp/.X11-unix/X0',
            xauthority: COOKIE,
            'smart-cards': '/run/user/1001/snow-smart-cards',
        });
        expect(all.get('xauthority')?.paths.slice(1)).toEqual([
            '/run/user/1001/gdm/Xauthority',
            '/var/home/alice/.Xauthority',
        ]);
        // What is root's need not be of this user's session.
        expect(all.get('x11')?.mayBeRoots).toBe(false);
    });

    it('has what the session names, and where its links lead', () => {
        const all = sources({
            DISPLAY: ':7.1',
            WAYLAND_DISPLAY: '/run/user/1001/other',
            XAUTHORITY: '/home/alice/.cookie',
        });
        expect(all.get('wayland')?.paths).toEqual(['/run/user/1001/other']);
        expect(all.get('x11')).toMatchObject({
            paths: ['/tmp/.X11-unix/X7'],
            mayBeRoots: true,
            environment: {DISPLAY: ':7'},
        });
        expect(all.get('xauthority')?.paths).toEqual(['/var/home/alice/.cookie']);
    });

    it('needs the home directory alone, and takes only the user’s', () => {
        const all = [...sources({DISPLAY: ':0'}).values()];
        expect(all.filter(({isNeeded}) => isNeeded).map(({kind}) => kind)).toEqual(['home']);
        expect(all.filter(({mayBeRoots}) => mayBeRoots).map(({kind}) => kind)).toEqual(['x11']);
    });

    it('leaves out what the settings do', () => {
        const all = sources({}, {audio: false, x11: false, smartCards: false});
        expect([...all.keys()]).toEqual(['home', 'wayland']);
    });
});
