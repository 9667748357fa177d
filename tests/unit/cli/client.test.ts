// SPDX-License-Identifier: GPL-2.0-or-later
import {beforeEach, describe, expect, it} from 'vitest';

import {ServiceClient} from '../../../helper/src/cli/client.ts';
import {updateChange} from '../../../helper/src/cli/requests.ts';
import {
    type BusConnection,
    BusError,
    type MethodCall,
    type Signal,
    Variant,
} from '../../../helper/src/host/dbus.ts';
import {SnowError} from '../../../helper/src/host/error.ts';

const JOB = '/org/frostyard/Snow1/Jobs/7';
const OTHER = '/org/frostyard/Snow1/Jobs/8';

/** Only what the client uses; it is driven by the test. */
class ScriptedBus {
    readonly calls: MethodCall[] = [];
    listener: (signal: Signal) => void = () => undefined;
    setOwner: (owner: string) => void = () => undefined;
    cut: (reason: string) => void = () => undefined;
    closed = new Promise<string>(resolve => (this.cut = resolve));
    answer: (call: MethodCall) => readonly unknown[] = () => [JOB];

    call(call: MethodCall): Promise<readonly unknown[]> {
        this.calls.push(call);
        return Promise.resolve().then(() => this.answer(call));
    }
    subscribe(_match: unknown, listener: (signal: Signal) => void) {
        this.listener = listener;
        return Promise.resolve(() => Promise.resolve());
    }
    watchOwner(_name: string, listener: (owner: string) => void) {
        this.setOwner = listener;
        listener('');
        return Promise.resolve(() => Promise.resolve());
    }
    close() {
        return Promise.resolve();
    }
}

let bus: ScriptedBus;
let client: ServiceClient;
const change = updateChange('docker', {isMerging: false, isAutomatic: false}).request;

beforeEach(() => {
    bus = new ScriptedBus();
    client = new ServiceClient(bus as unknown as BusConnection, {
        mayAskPassword: false,
        hasTerminal: false,
    });
});

function finished(path: string, state: string, name = '', message = ''): Signal {
    const results = {
        version: new Variant('s', '1.1'),
        merged: new Variant('b', true),
        features: new Variant('as', ['docker']),
    };
    const body = [state, [name, message], results];
    return {sender: ':1.5', path, interface: 'org.frostyard.Snow1.Job', member: 'Finished', body};
}

function changed(properties: Record<string, Variant>): Signal {
    return {
        sender: ':1.5',
        path: JOB,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'PropertiesChanged',
        body: ['org.frostyard.Snow1.Job', properties, []],
    };
}

function recording() {
    const seen: unknown[] = [];
    return {
        seen,
        step: (text: string) => seen.push(text),
        bytes: (done: number, total: number) => seen.push([done, total]),
    };
}

describe('a job', () => {
    it('is started with its options, and without asking for a password', async () => {
        const job = await client.start(change);
        expect(job.number).toBe('7');
        expect(bus.calls).toEqual([
            {
                destination: 'org.frostyard.Snow1',
                path: '/org/frostyard/Snow1/Features/docker',
                interface: 'org.frostyard.Snow1.Feature',
                member: 'Update',
                signature: 'a{sv}',
                body: [{merge: new Variant('b', false)}],
                allowInteraction: false,
            },
        ]);
    });

    it('is followed by its signals, and by no one else’s', async () => {
        const progress = recording();
        const job = await client.start(change);
        const end = job.follow(progress);
        bus.listener(changed({Step: new Variant('s', 'Downloading')}));
        bus.listener(changed({BytesDone: new Variant('t', 5n), BytesTotal: new Variant('t', 10n)}));
        bus.listener(changed({BytesDone: new Variant('t', 8n)}));
        bus.listener(finished(OTHER, 'failed', 'org.frostyard.Snow1.Error.Network', 'No'));
        bus.listener(finished(JOB, 'done'));
        expect(await end).toEqual({version: '1.1', merged: true, features: ['docker']});
        expect(progress.seen).toEqual(['Downloading', [5, 10], [8, 10]]);
    });

    it('may end before the reply comes', async () => {
        bus.answer = () => {
            bus.listener(changed({Step: new Variant('s', 'Merging')}));
            bus.listener(finished(JOB, 'done'));
            return [JOB];
        };
        const progress = recording();
        const job = await client.start(change);
        expect(await job.follow(progress)).toMatchObject({version: '1.1'});
        expect(progress.seen).toEqual(['Merging']);
    });

    it.each([
        ['failed', 'org.frostyard.Snow1.Error.NoSpace', 'NoSpace'],
        ['failed', 'org.example.Odd', 'Failed'],
        ['cancelled', 'org.frostyard.Snow1.Error.Cancelled', 'Cancelled'],
    ])('that is %s with %s fails with %s', async (state, name, code) => {
        const job = await client.start(change);
        const end = job.follow(recording());
        bus.listener(finished(JOB, state, name, 'Why'));
        await expect(end).rejects.toMatchObject({code, message: 'Why'});
    });

    it('ends with the service that runs it', async () => {
        const job = await client.start(change);
        const end = job.follow(recording());
        bus.setOwner('');
        await expect(end).rejects.toMatchObject({
            code: 'Failed',
            message: expect.stringContaining('snowd stopped in the middle'),
        });
    });

    it('ends with the connection', async () => {
        const job = await client.start(change);
        const end = job.follow(recording());
        bus.cut('the bus went away');
        await expect(end).rejects.toMatchObject({
            message: expect.stringContaining('the bus went away'),
        });
    });

    describe('of the image', () => {
        const request = {
            path: 'Image',
            interfaceName: 'org.frostyard.Snow1.Image',
            method: 'Update',
            signature: '',
            args: [],
            options: {'download-only': true},
            goesOn: {operation: 'image.'},
            shownBy: 'image status',
        };
        /** As a service answers that was started again. */
        const restarted =
            (state: string) =>
            ({member}: MethodCall): readonly unknown[] => {
                if (member === 'Update') return [OTHER];
                if (member === 'ListJobs') return [[JOB]];
                const properties = {
                    Operation: new Variant('s', 'image.download'),
                    State: new Variant('s', state),
                };
                return member === 'GetAll' ? [properties] : [];
            };

        it('goes on without the service, and is found again by the next one', async () => {
            bus.answer = restarted('running');
            const progress = recording();
            const job = await client.start(request);
            const end = job.follow(progress);
            bus.setOwner('');
            bus.setOwner(':1.9');
            await expect
                .poll(() => bus.calls.filter(({member}) => member === 'GetAll').length)
                .toBe(2);
            bus.listener(changed({Step: new Variant('s', 'Staging')}));
            await job.cancel();
            expect(bus.calls.at(-1)).toMatchObject({path: JOB, member: 'Cancel'});
            bus.listener(finished(JOB, 'done'));
            expect(await end).toMatchObject({version: '1.1'});
            expect(progress.seen).toEqual(['Staging']);
        });

        it('that ended while there was no service is not waited for', async () => {
            bus.answer = restarted('done');
            const end = (await client.start(request)).follow(recording());
            bus.setOwner('');
            await expect(end).rejects.toMatchObject({
                code: 'Failed',
                message: expect.stringContaining('"snowctl image status"'),
            });
        });

        it('is not looked for when it is over', async () => {
            bus.answer = restarted('running');
            const job = await client.start(request);
            const end = job.follow(recording());
            bus.listener(finished(OTHER, 'done'));
            await end;
            const before = bus.calls.length;
            bus.setOwner('');
            expect(bus.calls.length).toBe(before);
        });

        it('that another one keeps from running is told by its number', async () => {
            bus.answer = () => {
                throw new SnowError('Busy', `Another operation is running: ${JOB}`);
            };
            await expect(client.start(request)).rejects.toMatchObject({
                code: 'Busy',
                message: 'Another operation is running: job 7; see "snowctl jobs"',
            });
        });
    });

    it('can be canceled', async () => {
        const job = await client.start(change);
        await job.cancel();
        expect(bus.calls.at(-1)).toMatchObject({path: JOB, member: 'Cancel', body: [{}]});
    });
});

describe('errors of the bus', () => {
    it.each([
        ['org.freedesktop.DBus.Error.ServiceUnknown', 'NotSupported', /not installed/],
        ['org.freedesktop.DBus.Error.Spawn.ChildExited', 'Failed', /journalctl -u snowd/],
        ['org.freedesktop.systemd1.NoSuchUnit', 'NotSupported', /not installed/],
        ['org.freedesktop.DBus.Error.NoReply', 'Failed', /before it answered/],
        ['org.freedesktop.DBus.Error.UnknownObject', 'NotFound', /Why/],
        ['org.freedesktop.DBus.Error.UnknownMethod', 'NotSupported', /another version/],
        ['org.freedesktop.DBus.Error.AccessDenied', 'NotAuthorized', /Why/],
        ['org.example.Odd', 'Failed', /Why/],
    ])('%s is %s', async (name, code, message) => {
        bus.answer = () => {
            throw new BusError(name, 'Why');
        };
        await expect(client.start(change)).rejects.toMatchObject({
            code,
            message: expect.stringMatching(message),
        });
    });
});

describe('the list of jobs', () => {
    it('is empty where the service does not run, which is not started for it', async () => {
        bus.answer = () => [false];
        expect(await client.listJobs()).toEqual([]);
        expect(bus.calls.map(({member}) => member)).toEqual(['NameHasOwner']);
        await expect(client.cancelJob('7')).rejects.toMatchObject({
            code: 'NotFound',
            message: 'There is no job 7',
        });
    });

    it('tells what each does', async () => {
        bus.answer = ({member}) => {
            if (member === 'NameHasOwner') return [true];
            if (member === 'ListJobs') return [[JOB]];
            return [
                {
                    Operation: new Variant('s', 'features.enable'),
                    Target: new Variant('s', 'docker'),
                    Step: new Variant('s', 'Downloading'),
                    Progress: new Variant('d', 0.5),
                    BytesDone: new Variant('t', 5n),
                    BytesTotal: new Variant('t', 10n),
                    StartedByUID: new Variant('u', 1000),
                    State: new Variant('s', 'running'),
                    Error: new Variant('(ss)', ['', '']),
                },
            ];
        };
        expect(await client.listJobs()).toEqual([
            {
                number: '7',
                operation: 'features.enable',
                target: 'docker',
                step: 'Downloading',
                progress: 0.5,
                bytesDone: 5,
                bytesTotal: 10,
                startedByUid: 1000,
                state: 'running',
                error: null,
            },
        ]);
    });
});
