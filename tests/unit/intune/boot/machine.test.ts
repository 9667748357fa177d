// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {SnowError} from '../../../../helper/src/host/error.ts';
import type {Host} from '../../../../helper/src/host/host.ts';
import {localHost} from '../../../../helper/src/host/local-host.ts';
import type {Services} from '../../../../helper/src/host/services.ts';
import {
    forgetMachine,
    startMachine,
    stopMachine,
} from '../../../../helper/src/intune/boot/machine.ts';
import {writeProblem} from '../../../../helper/src/intune/boot/machine-files.ts';
import {record, settings} from './container.ts';

const DROP_IN = 'etc/systemd/system/systemd-nspawn@intune-u1001.service.d/50-snow-control.conf';
const SESSION = 'run/snow-control/intune/u1001/session.json';
const progress = {step: () => undefined, bytes: () => undefined};

let root: string;
let host: Host;
/** What systemd was asked for. */
let log: string[];
let state: string;
/** How a start ends. */
let outcome: () => Promise<string>;
let result: string;
let lines: readonly string[];

beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'machine-'));
    await mkdir(join(root, 'etc'));
    host = localHost(root);
    log = [];
    state = 'inactive';
    result = 'success';
    lines = [];
    outcome = () => Promise.resolve('done');
});
afterEach(() => rm(root, {recursive: true}));

const services: Services = {
    activeState: () => Promise.resolve(state),
    start() {
        log.push('start');
        return outcome();
    },
    stop() {
        log.push('stop');
        return Promise.resolve();
    },
    resetFailed() {
        log.push('reset');
        return Promise.resolve();
    },
    reload() {
        log.push('reload');
        return Promise.resolve();
    },
    activeSince: () => Promise.resolve(0),
    result: () => Promise.resolve(result),
    lastLines: () => Promise.resolve(lines),
};

function start(change = {}, signal = new AbortController().signal): Promise<void> {
    const all = {...settings, ...change};
    const session = {DISPLAY: ':0'};
    return startMachine(host, record, all, session, progress, signal, services);
}

describe('startMachine', () => {
    it('has systemd read the settings that changed, and no others', async () => {
        await start();
        await start();
        await start({memoryMax: '4G'});
        expect(log).toEqual(['reload', 'start', 'start', 'reload', 'start']);
        expect(await readFile(join(root, DROP_IN), 'utf8')).toContain('MemoryMax=4G\n');
        expect(JSON.parse(await readFile(join(root, SESSION), 'utf8'))).toEqual({
            session: ['DISPLAY=:0'],
        });
    });

    it('does nothing where it runs', async () => {
        state = 'active';
        await start();
        expect(log).toEqual([]);
    });

    it('says what cannot be prepared as who prepared it did', async () => {
        outcome = async () => {
            await writeProblem(host, 1001, new SnowError('WrongState', 'There is no home'));
            return 'failed';
        };
        await expect(start()).rejects.toMatchObject({
            code: 'WrongState',
            message: 'There is no home',
        });
        outcome = () => Promise.resolve('failed');
        await expect(start()).rejects.toMatchObject({code: 'Failed'});
    });

    it('has what the container said last in the error, without what a terminal does', async () => {
        outcome = () => Promise.resolve('failed');
        result = 'timeout';
        lines = ['one', '\x1b[31mtwo\x1b[0m\x1b]0;title\x07 \x9bthree', '\x00', 'x'.repeat(500)];
        await expect(start()).rejects.toMatchObject({
            code: 'Failed',
            message: `The container did not become ready in time, having said: one | two three | ${'x'.repeat(160)}… (journalctl -u systemd-nspawn@intune-u1001.service)`,
        });
    });

    it('leaves no failure behind when it is cancelled', async () => {
        const stop = new AbortController();
        outcome = () => {
            stop.abort();
            return Promise.reject(new SnowError('Cancelled', 'Cancelled'));
        };
        await expect(start({}, stop.signal)).rejects.toMatchObject({code: 'Cancelled'});
        expect(log.at(-1)).toBe('reset');
    });
});

describe('stopMachine', () => {
    it('takes a failure for an end, and forgets the session', async () => {
        await start();
        state = 'failed';
        await stopMachine(host, record, progress, new AbortController().signal, services);
        expect(log.slice(-2)).toEqual(['stop', 'reset']);
        await expect(readFile(join(root, SESSION))).rejects.toThrow('ENOENT');
    });
});

describe('forgetMachine', () => {
    it('takes away what systemd was told, and leaves what others told it', async () => {
        await start();
        const other = join(root, DROP_IN, '../90-administrator.conf');
        await writeFile(other, '');
        await forgetMachine(host, 1001, services);
        expect(log.at(-1)).toBe('reload');
        await expect(readFile(join(root, DROP_IN))).rejects.toThrow('ENOENT');
        expect(await readFile(other, 'utf8')).toBe('');
    });
});
