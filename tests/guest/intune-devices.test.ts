// SPDX-License-Identifier: GPL-2.0-or-later
// Devices that are plugged into running containers, from the kernel's event on: udev, systemd and what they
// run are real, the devices are what a guest has.
import {afterAll, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import type {Guest} from '../lab/guest.ts';
import type {Session} from '../lab/session.ts';
import {
    MACHINE,
    MachineLab,
    ROOTFS,
    RUNTIME,
    UID,
    UID_BASE,
    UNIT,
} from './support/intune-machine.ts';
import {announce, deviceFiles, plug, settle, startUdev, unplug} from './support/lab-devices.ts';
import {BUS_NAME, ROOT, SnowBus} from './support/snow-bus.ts';
import {until} from './support/waiting.ts';

const PROGRAM = '/usr/lib/snow-control/snow-intune-device';
const BURST = Array.from({length: 10}, (_, index) => 20 + index);

let lab: MachineLab;
let guest: Guest;
let alice: Session;

beforeAll(async () => {
    lab = await MachineLab.boot({name: 'intune-devices', tree: 'desktop', files: deviceFiles});
    guest = lab.guest;
    await startUdev(guest);
    await guest.check(
        `mkdir -p ${ROOTFS}/etc/tmpfiles.d
         ln -sf /usr/lib/snow-control/snow-intune-devices.conf ${ROOTFS}/etc/tmpfiles.d/`,
    );
    alice = await guest.openSession('alice');
}, 180_000);
afterAll(() => guest?.kill());

beforeEach(async () => {
    for (const number of await pluggedTerminals()) await unplug(guest, number);
    await announce(guest, 'remove', BURST);
    await settle(guest);
});

async function pluggedTerminals(): Promise<readonly number[]> {
    const names = await guest.check('ls /sys/class/vc');
    return [...names.matchAll(/^vcs(5\d)$/gm)].map(([, number]) => Number(number));
}

async function start(): Promise<void> {
    expect((await lab.call({verb: 'start'})).error).toBeNull();
}

async function stop(): Promise<void> {
    expect((await lab.call({verb: 'stop'})).error).toBeNull();
}

/** Nodes in the container's directory, with owner and mode, as the host sees them. */
async function nodes(runtime = RUNTIME): Promise<readonly string[]> {
    const list = await guest.check(
        `cd ${runtime}/dev && find . -type c ! -path './dri/*' -printf '%P %U:%G %m\\n' | sort`,
    );
    return list.split('\n').filter(line => line !== '');
}

const mine = `${UID_BASE + UID}:${UID_BASE + UID} 600`;

/** Numbers that the container's cgroup is open for, beyond what it always is. */
async function allowed(unit = UNIT): Promise<readonly string[]> {
    const text = await guest.check(['systemctl', 'show', '--value', '-p', 'DeviceAllow', unit]);
    return [...text.matchAll(/\/dev\/char\/((?:4|7):\d+) (\w+)/g)].map(([, ...parts]) =>
        parts.join(' '),
    );
}

async function untilNodes(expected: readonly string[], runtime = RUNTIME): Promise<void> {
    const names = async () => (await nodes(runtime)).map(line => line.split(' ')[0]);
    await expect.poll(names, {timeout: 10_000}).toEqual([...expected].sort());
}

async function untilAllowed(expected: readonly string[], unit = UNIT): Promise<void> {
    const numbers = async () => [...(await allowed(unit))].sort();
    await expect.poll(numbers, {timeout: 10_000}).toEqual(expected.map(number => `${number} rw`));
}

/** What reading one byte of a device says in the container. */
async function read(node: string, user = 'alice'): Promise<string> {
    const {stdout, stderr} = await lab.inside(
        `dd if=${node} of=/dev/null bs=1 count=1 2>&1 && echo works`,
        user,
    );
    return /works|Operation not permitted|Permission denied|No such file|No such device/.exec(
        stdout + stderr,
    )?.[0] as string;
}

/** The unit that systemd starts for a device, of this time that it is plugged in. */
async function unitOf(device: string): Promise<string> {
    const text = await guest.check(['udevadm', 'info', '--query=property', device]);
    return /^SYSTEMD_WANTS=(\S+)$/m.exec(text)?.[1] ?? '';
}

async function property(unit: string, name: string): Promise<string> {
    return (await guest.check(['systemctl', 'show', '--value', '-p', name, unit])).trim();
}

describe('without a container', () => {
    test('systemd passes over the unit of a device, and nothing is run for it', async () => {
        await plug(guest, 51);
        await settle(guest);
        const unit = await unitOf('/sys/class/vc/vcs51');
        await until('it was looked at', async () => {
            return (await property(unit, 'ConditionTimestampMonotonic')) !== '0';
        });
        expect(await property(unit, 'ConditionResult')).toBe('no');
        expect(await property(unit, 'ActiveState')).toBe('inactive');
        expect(await property(unit, 'ExecMainPID')).toBe('0');
        expect(await property(unit, 'InvocationID')).toBe('');
        await unplug(guest, 51);
        await settle(guest);
        expect(await property(unit, 'ExecMainPID')).toBe('0');
        expect(await property('snow-intune-seat.path', 'ActiveState')).toBe('inactive');
    });

    test('udev runs no program', async () => {
        await plug(guest, 51);
        await settle(guest);
        const {stdout, stderr} = await guest.run('udevadm test /sys/class/vc/vcs51 2>&1');
        const text = stdout + stderr;
        expect(text).toContain('SYSTEMD_WANTS=snow-intune-device@7:51:');
        expect(text).not.toMatch(/RUN\{|run: |Running (command|built)|PROGRAM=/);
        const rules = await guest.getFile('/usr/lib/udev/rules.d/70-snow-control.rules');
        expect(rules.toString()).not.toMatch(/RUN|PROGRAM|IMPORT\{(?!db\})/);
    });
});

describe('a running container', () => {
    beforeAll(() => start());
    afterAll(() => stop());

    test('has what is plugged in, for its user alone, and no longer than that', async () => {
        // A node that is always there: what refuses it is the policy.
        await guest.check(
            `mknod -m 0600 ${RUNTIME}/dev/probe c 7 52 && chown ${UID_BASE + UID}:0 ${RUNTIME}/dev/probe`,
        );
        expect(await read('/run/host-dev/vcs52')).toBe('No such file');
        expect(await read('/run/host-dev/probe')).toBe('Operation not permitted');

        await plug(guest, 52);
        await untilNodes(['probe', 'vcs52']);
        expect(await nodes()).toContain(`vcs52 ${mine}`);
        await untilAllowed(['7:52']);
        expect(await read('/run/host-dev/vcs52')).toBe('works');
        expect(await lab.insideText('stat -c "%U %G %a" /run/host-dev/vcs52')).toBe(
            'alice alice 600\n',
        );
        expect(await read('/run/host-dev/vcs52', 'nobody')).toBe('Permission denied');

        await unplug(guest, 52);
        await untilNodes(['probe']);
        await untilAllowed([]);
        expect(await read('/run/host-dev/vcs52')).toBe('No such file');
        expect(await read('/run/host-dev/probe')).toBe('Operation not permitted');
        await guest.check(`rm ${RUNTIME}/dev/probe`);
    });

    test('has it again under another number', async () => {
        await plug(guest, 53);
        await untilNodes(['vcs53']);
        await unplug(guest, 53);
        await plug(guest, 54);
        await untilNodes(['vcs54']);
        expect(await read('/run/host-dev/vcs54')).toBe('works');
        await untilAllowed(['7:54']);
    });

    test('has ten that come at once, and none of them after they went at once', async () => {
        const names = BURST.map(number => `tty${number}`);
        const base = await property(UNIT, 'DeviceAllow');
        await announce(guest, 'add', BURST);
        await untilNodes(names);
        await untilAllowed(BURST.map(number => `4:${number}`));
        expect(
            await lab.insideText(
                `for n in ${BURST.join(' ')}; do [ -w /run/host-dev/tty$n ] && echo; done | wc -l`,
                'alice',
            ),
        ).toBe('10\n');
        await announce(guest, 'remove', BURST);
        await untilNodes([]);
        await untilAllowed([]);
        const sorted = (text: string) => text.split('\n').sort();
        expect(sorted(await property(UNIT, 'DeviceAllow'))).toEqual(sorted(base));
    });

    test('ends with what was said last, however fast it was said', async () => {
        for (let round = 0; round < 5; round++) {
            await announce(guest, 'add', [20, 21, 22]);
            await announce(guest, 'remove', [20, 22]);
            await announce(guest, 'add', [22, 23]);
            await announce(guest, 'remove', [23]);
        }
        await settle(guest);
        await untilNodes(['tty21', 'tty22']);
        await untilAllowed(['4:21', '4:22']);
        expect(await guest.check('systemctl list-units --failed --no-legend')).toBe('');
    });

    test('has what is plugged in after a restart, and what came while it was away', async () => {
        await plug(guest, 55);
        await untilNodes(['vcs55']);
        const device = await unitOf('/sys/class/vc/vcs55');
        await stop();
        expect(await guest.run(`ls ${RUNTIME}/devices /run/systemd/system.control`)).toMatchObject({
            stdout: expect.not.stringContaining('intune'),
        });
        await until('its units ended', async () => {
            return (await property(device, 'ActiveState')) === 'inactive';
        });
        await plug(guest, 56);
        await start();
        await untilNodes(['vcs55', 'vcs56']);
        expect(await read('/run/host-dev/vcs55')).toBe('works');
        expect(await read('/run/host-dev/vcs56')).toBe('works');
    });

    test('does not have what was unplugged while it started', async () => {
        await stop();
        await plug(guest, 57);
        await plug(guest, 58);
        const starting = lab.call({verb: 'start'});
        await until('it starts', async () => (await lab.state()) === 'activating');
        await unplug(guest, 57);
        expect((await starting).error).toBeNull();
        await untilNodes(['vcs58']);
        await untilAllowed(['7:58']);
    });

    test('offers the names that programs look for', async () => {
        expect(await lab.insideText('readlink /dev/video0 /dev/hidraw3 /dev/media1 /dev/bus')).toBe(
            '/run/host-dev/video0\n/run/host-dev/hidraw3\n/run/host-dev/media1\n/run/host-dev/bus\n',
        );
        // No program takes one that leads nowhere for a device.
        expect(await lab.insideText('ls -L /dev/video* 2>/dev/null | wc -l')).toBe('0\n');
    });

    test('can put nothing where the host makes nodes', async () => {
        const script = `cd /run/host-dev || exit 9
            ln -s /etc/shadow video7; mkdir bus; mknod null c 1 3; touch x
            mv vcs58 video0; rm -f vcs58; mount -o remount,rw /run/host-dev; ls`;
        await plug(guest, 58);
        await untilNodes(['vcs58']);
        for (const user of ['root', 'alice'])
            expect((await lab.inside(`${script} 2>/dev/null`, user)).stdout).toMatch(
                /^(dri\n)?vcs58\n$/,
            );
        expect(await nodes()).toEqual([`vcs58 ${mine}`]);
    });
});

describe('whose it is', () => {
    beforeAll(() => start());
    afterAll(async () => {
        await guest.check('rm -f /etc/snow-control/intune.conf');
        await stop();
    });

    test('goes with the session that is active on the seat', async () => {
        await plug(guest, 59);
        await untilNodes(['vcs59']);
        await using _bob = await guest.openSession('bob');
        await untilNodes([]);
        await untilAllowed([]);
        await alice.activate();
        await untilNodes(['vcs59']);
    });

    test('is that of two containers whose user sits before it', async () => {
        // Bob's has a control group and a directory of nodes, and nothing in it.
        const bobs = '/run/snow-control/intune/u1002';
        const bobsUnit = 'systemd-nspawn@intune-u1002.service';
        const bobsOwner = UID_BASE + 65_536 + 1002;
        await guest.putFile(
            `/run/systemd/system/${bobsUnit}`,
            '[Service]\nExecStart=sleep infinity\nDevicePolicy=closed\nDeviceAllow=char-pts rw\n',
        );
        await guest.check(`systemctl daemon-reload; systemctl start ${bobsUnit}
            mkdir -p ${bobs}/dev
            printf 'owner ${bobsOwner}:${bobsOwner}\ncamera allow\n' >${bobs}/device-rules
            ${PROGRAM} begin intune-u1002`);
        await plug(guest, 59);
        await untilNodes(['vcs59']);
        expect(await nodes(bobs)).toEqual([]);
        {
            await using _bob = await guest.openSession('bob');
            await untilNodes(['vcs59'], bobs);
            await untilNodes([]);
            await untilAllowed(['7:59'], bobsUnit);
            await untilAllowed([]);
            expect(await nodes(bobs)).toEqual([`vcs59 ${bobsOwner}:${bobsOwner} 600`]);
            await alice.activate();
            await untilNodes(['vcs59']);
            await untilAllowed([], bobsUnit);
            expect(await nodes(bobs)).toEqual([]);
        }
        await guest.check(`systemctl stop ${bobsUnit}; ${PROGRAM} stopped intune-u1002
            rm -r ${bobs}`);
        // That one ended is nothing to the other.
        expect(await nodes()).toEqual([`vcs59 ${mine}`]);
    });

    test('is asked for, or never given, as the settings say', async () => {
        await stop();
        await guest.check(
            `mkdir -p /etc/snow-control; printf '[Intune]\\nCameras=ask\\nSecurityKeys=never\\n' >/etc/snow-control/intune.conf`,
        );
        await start();
        await plug(guest, 59);
        await announce(guest, 'add', [20]);
        await until('it waits', async () => {
            const {stdout} = await guest.run(`ls ${RUNTIME}/waiting`);
            return stdout === '7:59\n';
        });
        await settle(guest);
        await until('both were looked at', async () => {
            return (
                (await property(await unitOf('/sys/class/tty/tty20'), 'ActiveState')) === 'active'
            );
        });
        expect(await nodes()).toEqual([]);

        await guest.check([PROGRAM, 'choose', MACHINE, 'attach', '7:59', '4:20']);
        expect(await nodes()).toEqual([`vcs59 ${mine}`]);
        expect(await read('/run/host-dev/vcs59')).toBe('works');
        await guest.check([PROGRAM, 'choose', MACHINE, 'detach', '7:59']);
        expect(await nodes()).toEqual([]);
        await guest.check([PROGRAM, 'choose', MACHINE, 'attach', '7:59']);

        // What comes after it under its number is asked for anew.
        await unplug(guest, 59);
        await untilNodes([]);
        await plug(guest, 59);
        await until('it waits', async () => {
            const {stdout} = await guest.run(`ls ${RUNTIME}/waiting`);
            return stdout === '7:59\n';
        });
        expect(await nodes()).toEqual([]);
    });
});

describe('its user', () => {
    const path = `${ROOT}/Intune/u${UID}`;
    let bus: SnowBus;

    beforeAll(() => {
        bus = new SnowBus(guest);
        return start();
    });
    afterAll(() => stop());

    const devices = async () => (await bus.properties(path, 'Intune'))['Devices'];

    async function ask(method: string, words: string, session = alice) {
        const {stdout, stderr} = await bus.call(`${path} ${BUS_NAME}.Intune ${method} ${words}`, {
            session,
        });
        const job = /^o "(\/\S+)"/.exec(stdout)?.[1];
        return job === undefined ? {state: 'refused', error: '', text: stderr} : bus.end(job);
    }

    test('sees what there is, and takes and gives it back', async () => {
        await plug(guest, 59);
        await untilNodes(['vcs59']);
        const device = {
            node: '/dev/vcs59',
            class: 'camera',
            product: 'Lab camera',
            device: 'devices/virtual',
        };
        expect(await devices()).toEqual([{...device, state: 'attached'}]);
        const done = {state: 'done', error: '', text: ''};
        expect(await ask('DetachDevice', "'sa{sv}' /dev/vcs59 0")).toEqual(done);
        expect(await devices()).toEqual([{...device, state: 'detached'}]);
        expect(await nodes()).toEqual([]);
        expect(await ask('AttachDevice', "'sa{sv}' /dev/vcs59 0")).toEqual(done);
        expect(await nodes()).toEqual([`vcs59 ${mine}`]);
    });

    test('does the same by snowctl, and answers what waits', async () => {
        const snowctl = (...words: readonly string[]) =>
            guest.run(['snowctl', 'intune', 'devices', ...words], {session: alice});
        const asRoot = (...words: readonly string[]) =>
            guest.check(['snowctl', 'intune', 'devices', ...words, `--user=${UID}`]);
        await plug(guest, 59);
        await untilNodes(['vcs59']);
        expect((await snowctl('list')).stdout).toMatch(
            /^DEVICE +CLASS +STATE +NODES\nLab camera +camera +attached +\/dev\/vcs59\n$/,
        );
        expect(await snowctl('detach', 'vcs59')).toMatchObject({
            stdout: 'The container does not have /dev/vcs59 any more.\n',
            exitCode: 0,
        });
        expect(await nodes()).toEqual([]);
        const listed = JSON.parse((await snowctl('list', '--json')).stdout) as unknown;
        expect(listed).toEqual({
            uid: UID,
            state: 'running',
            devices: [
                {product: 'Lab camera', class: 'camera', state: 'detached', nodes: ['/dev/vcs59']},
            ],
        });
        for (const [words, status] of [
            [['attach', '/dev/video77'], 4],
            [['attach', '../dev/vcs59'], 2],
            [['attach'], 2],
            [['policy', 'camera'], 2],
            [['policy', 'cameras', 'sometimes'], 2],
            [['take', 'vcs59'], 2],
        ] as const) {
            const {stdout, stderr, exitCode} = await snowctl(...words);
            expect([exitCode, stdout]).toEqual([status, '']);
            expect(stderr).toMatch(/(^|\n)snowctl: [^\n]+\n$/);
        }
        expect(await asRoot('policy', 'cameras', 'ask')).toBe('cameras is ask.\n');
        expect((await snowctl('policy', 'cameras')).stdout).toBe('ask\n');
        await unplug(guest, 59);
        await settle(guest);
        await plug(guest, 59);
        await until('it waits', async () =>
            (await snowctl('list')).stdout.includes('waits for an answer'),
        );
        expect((await snowctl('list')).stdout).toContain(
            'snowctl intune devices attach /dev/vcs59, or detach.',
        );
        expect(await guest.check('snowctl __complete device')).toContain(
            '/dev/vcs59\tLab camera\n',
        );
        expect((await snowctl('attach', '/dev/vcs59')).stdout).toBe(
            'The container has /dev/vcs59.\n',
        );
        expect(await nodes()).toEqual([`vcs59 ${mine}`]);
        const {stdout} = await guest.run(['snowctl', 'intune', 'status'], {session: alice});
        expect(stdout).toMatch(/^Devices: +Lab camera$/m);
        expect(await asRoot('policy', 'cameras', 'allow')).toBe('cameras is allow.\n');
    });

    test('has no other device of the host for it', async () => {
        for (const node of ['/dev/vda', '/dev/../dev/vcs59', '/dev/tty1', '/etc/shadow'])
            expect((await ask('AttachDevice', `'sa{sv}' ${node} 0`)).state).not.toBe('done');
        expect((await nodes()).length).toBeLessThan(2);
    });

    test('changes the settings, which count at once', async () => {
        const configure = (policy: string) =>
            bus.call(`${path} ${BUS_NAME}.Intune Configure 'a{sv}a{sv}' 1 cameras s ${policy} 0`);
        await plug(guest, 59);
        await untilNodes(['vcs59']);
        expect((await configure('never')).exitCode).toBe(0);
        await untilNodes([]);
        expect(await ask('AttachDevice', "'sa{sv}' /dev/vcs59 0")).toMatchObject({
            error: 'NotAuthorized',
        });
        expect((await configure('sometimes')).exitCode).toBe(1);
        expect((await configure('allow')).exitCode).toBe(0);
        await untilNodes(['vcs59']);
    });
});

describe('the program', () => {
    test.each([
        ['settle', '../../etc'],
        ['settle', '1:3; id'],
        ['settle', '1:3:4:5'],
        ['settle', '1:3'],
        ['settle', ''],
        ['settle', '*:*:*'],
        ['begin', 'intune-u../../x'],
        ['stopped', '../intune-u1001'],
        ['choose', 'intune-u1001', 'burn', '7:59'],
        ['choose', 'other', 'attach', '7:59'],
    ])('refuses %s %s', async (...words) => {
        expect((await guest.run([PROGRAM, ...words])).exitCode).toBe(1);
    });
});
