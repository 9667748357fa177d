// SPDX-License-Identifier: GPL-2.0-or-later
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {localHost} from '../../../../helper/src/host/local-host.ts';
import type {ContainerRecord} from '../../../../helper/src/intune/model.ts';
import {parseShadow, readEnrolment} from '../../../../helper/src/intune/session/enrolment.ts';

const record: ContainerRecord = {
    owner: {uid: 1001, gid: 1001, name: 'alice', home: '/home/alice'},
    uidBase: 0x4000_0000,
    channel: 'stable',
    image: '',
    digest: '',
    created: 0,
};
const STATE = 'var/lib/microsoft-identity-device-broker';

let rootfs: string;

beforeEach(() => {
    rootfs = mkdtempSync(join(tmpdir(), 'enrolment-'));
    mkdirSync(join(rootfs, 'etc'));
    mkdirSync(join(rootfs, STATE), {recursive: true});
    writeFileSync(
        join(rootfs, 'etc/shadow'),
        'root:*:1::::::\nalice:$y$j9T$ab:20000:0:99999:7:::\n',
    );
    writeFileSync(join(rootfs, 'etc/machine-id'), `${'ab'.repeat(16)}\n`);
    writeFileSync(join(rootfs, STATE, 'device'), 'the device');
});
afterEach(() => rmSync(rootfs, {recursive: true}));

const read = (path = rootfs) => readEnrolment(localHost(), path, record);

function contentOf(archive: Uint8Array | null): string {
    return execFileSync('tar', ['--extract', '--to-stdout', '--file=-'], {
        input: archive ?? '',
        encoding: 'utf8',
    });
}

describe('readEnrolment', () => {
    it('has the password, the machine and the device', async () => {
        const {shadow, machineId, deviceBroker} = await read();
        expect(shadow?.hash).toBe('$y$j9T$ab');
        expect(machineId).toBe('ab'.repeat(16));
        expect(contentOf(deviceBroker)).toBe('the device');
    });

    it('takes the path of a descriptor', async () => {
        const handle = await open(rootfs);
        try {
            const {deviceBroker} = await read(`/proc/${process.pid}/fd/${handle.fd}`);
            expect(contentOf(deviceBroker)).toBe('the device');
        } finally {
            await handle.close();
        }
    });

    it('has nothing of a container that was never enrolled', async () => {
        rmSync(join(rootfs, 'var'), {recursive: true});
        rmSync(join(rootfs, 'etc'), {recursive: true});
        expect(await read()).toEqual({shadow: null, machineId: null, deviceBroker: null});
    });

    it.each([
        ['etc', '/etc'],
        ['etc/shadow', '/etc/passwd'],
        ['var', '/var'],
        [STATE, '/etc'],
    ])('follows no link in the place of %s', async (name, target) => {
        rmSync(join(rootfs, name), {recursive: true});
        symlinkSync(target, join(rootfs, name));
        await expect(read()).rejects.toThrow(/directory of its own|Cannot open/);
    });

    it('follows no link in the state of the device', async () => {
        rmSync(join(rootfs, STATE, 'device'));
        symlinkSync('/etc/passwd', join(rootfs, STATE, 'device'));
        expect(contentOf((await read()).deviceBroker)).toBe('');
    });

    it('reads no FIFO that nobody writes to', async () => {
        rmSync(join(rootfs, 'etc/shadow'));
        execFileSync('mkfifo', [join(rootfs, 'etc/shadow')]);
        await expect(read()).rejects.toThrow('no such file');
    });
});

describe('parseShadow', () => {
    it('has how the password ages', () => {
        expect(parseShadow('alice:$6$x:20000:0:99999:7::21000:', 'alice')).toEqual({
            hash: '$6$x',
            aging: {
                lastday: '20000',
                mindays: '0',
                maxdays: '99999',
                warndays: '7',
                expiredate: '21000',
            },
        });
    });

    it.each([
        'alice:!:1::::::',
        'alice:*:1::::::',
        'alice::1::::::',
        'alice',
        '',
        'bob:$6$x:::::::',
    ])('finds no password in %j', text => {
        expect(parseShadow(text, 'alice')).toBeNull();
    });

    it('leaves out what is no number of days', () => {
        expect(parseShadow('alice:$6$x:--root=/:1;2:::::', 'alice')?.aging).toEqual({});
    });
});
