// SPDX-License-Identifier: GPL-2.0-or-later
// The moment between giving the name back and leaving, which no test with a real bus can hit.
import {setTimeout as sleep} from 'node:timers/promises';

import {expect, it, vi} from 'vitest';

import {Service} from '../../../helper/src/bus/service.ts';
import type {BusConnection, IncomingCall} from '../../../helper/src/host/dbus.ts';
import type {Domain} from '../../../helper/src/host/domain.ts';

const ping: IncomingCall = {
    sender: ':1.7',
    path: '/',
    interface: 'org.freedesktop.DBus.Peer',
    member: 'Ping',
    signature: '',
    body: [],
    allowsInteraction: false,
    expectsReply: true,
};

function fakeBus(duringRelease: (deliver: (call: IncomingCall) => void) => void) {
    const events: string[] = [];
    let deliver: (call: IncomingCall) => void = () => undefined;
    const bus: BusConnection = {
        name: ':1.1',
        closed: new Promise(() => undefined),
        call: (call, _signal) =>
            Promise.resolve(call.member === 'GetConnectionUnixUser' ? [0] : [[true, false, {}]]),
        subscribe: () => Promise.resolve(() => Promise.resolve()),
        watchOwner: () => Promise.resolve(() => Promise.resolve()),
        requestName: () => {
            events.push('request');
            return Promise.resolve(true);
        },
        releaseName: () => {
            events.push('release');
            if (events.filter(event => event === 'release').length === 1) duringRelease(deliver);
            return Promise.resolve();
        },
        handleCalls: handler => (deliver = handler),
        reply: call => events.push(`reply ${call.member}`),
        replyError: (_, name) => events.push(name),
        emit: (_path, _interface, member) => events.push(member),
        close: () => Promise.resolve(),
    };
    return {bus, events};
}

const domain: Domain = {
    name: 'features',
    snapshot: () =>
        Promise.resolve(
            new Map([
                [
                    'Features',
                    {
                        'org.frostyard.Snow1.Features': {
                            LastCheck: 0,
                            Automatic: false,
                            Problem: '',
                        },
                    },
                ],
            ]),
        ),
    prepare: () =>
        Promise.resolve({
            operation: 'features.check',
            target: '',
            isWriter: false,
            run: async (_progress, signal) => {
                await sleep(60);
                signal.throwIfAborted();
                return {};
            },
        }),
};

function serve(bus: BusConnection, stop = new AbortController().signal): Promise<number> {
    return new Service(bus, {
        version: '1',
        domains: [domain],
        imageDriver: () => Promise.resolve(''),
        idleTimeout: 10,
        machineId: () => Promise.resolve(''),
        stop,
    }).run();
}

it('ends at once when nobody calls', async () => {
    const {bus, events} = fakeBus(() => undefined);
    expect(await serve(bus)).toBe(0);
    expect(events).toEqual(['request', 'release']);
});

it('answers who called in the last moment, and takes the name back until then', async () => {
    const {bus, events} = fakeBus(deliver => deliver(ping));
    expect(await serve(bus)).toBe(0);
    expect(events).toContain('reply Ping');
    expect(events.filter(event => event === 'request' || event === 'release')).toEqual([
        'request',
        'release',
        'request',
        'release',
    ]);
});

it('sees a job through that came in the last moment, though systemd says stop', async () => {
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const stop = new AbortController();
    const check: IncomingCall = {
        ...ping,
        path: '/org/frostyard/Snow1/Features',
        interface: 'org.frostyard.Snow1.Features',
        member: 'Check',
        signature: 'a{sv}',
        body: [{}],
    };
    const {bus, events} = fakeBus(deliver => {
        deliver(check);
        setTimeout(() => stop.abort(), 30);
    });
    expect(await serve(bus, stop.signal)).toBe(0);
    expect(events).toContain('reply Check');
    expect(events.at(-1)).toBe('Finished');
    vi.restoreAllMocks();
});
