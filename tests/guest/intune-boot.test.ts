// SPDX-License-Identifier: GPL-2.0-or-later
// Starting and stopping a container on a real system, whoever does it: what it is given of the session,
// and what is left when something, or somebody, gets in between.
import {setTimeout as sleep} from 'node:timers/promises';

import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Guest} from '../lab/guest.ts';
import type {Session} from '../lab/session.ts';
import {
    HOME,
    MACHINE,
    MachineLab,
    ROOTFS,
    RUNTIME,
    UID,
    UID_BASE,
    UNIT,
} from './support/intune-machine.ts';
import type {MachineAnswer} from './support/machine-program.ts';
import {until} from './support/waiting.ts';

const COOKIE = `/run/user/${UID}/.mutter-Xwaylandauth.ABC123`;
const ADMINISTRATION = '/etc/snow-control/intune.conf';
const session = {DISPLAY: ':0', WAYLAND_DISPLAY: 'wayland-0', LANG: 'de_DE.UTF-8'};
/** The stand-in for a graphics device, whatever it is: one that may be opened. */
const HWRNG = 'c 10 183';
/** The passwords of administrators are tested elsewhere. */
const rule = `polkit.addRule(function (action, subject) {
    if (action.id === 'org.frostyard.Snow1.intune.manage') return polkit.Result.YES;
});
`;

let lab: MachineLab;
let guest: Guest;

beforeAll(async () => {
    lab = await MachineLab.boot({
        name: 'intune-boot',
        files: {
            '/etc/polkit-1/rules.d/10-lab.rules': rule,
            '/usr/lib/x86_64-linux-gnu/libcuda.so.1': 'the host’s driver\n',
            '/usr/lib/x86_64-linux-gnu/libnvidia-glcore.so.550.1': '',
            '/usr/share/vulkan/icd.d/nvidia_icd.json': '{}\n',
        },
    });
    guest = lab.guest;
    await lab.listen([
        ...['wayland-0', 'pipewire-0', 'pulse/native'].map(name => `/run/user/${UID}/${name}`),
        '/tmp/.X11-unix/X0',
    ]);
    await guest.check(`umask 077; echo cookie >${COOKIE}; echo theirs >~/Intune/file`, {
        user: 'alice',
    });
}, 180_000);
afterAll(() => guest?.kill());

afterEach(async () => {
    await lab.call({verb: 'stop'});
    await guest.check(`rm -f ${ADMINISTRATION}`);
    await expectNothingLeft();
});

/** Of a container that does not run. */
async function expectNothingLeft(): Promise<void> {
    expect(await lab.state()).toBe('inactive');
    const leftOver = async () => {
        const {stdout} = await guest.run(
            `grep ${RUNTIME}/ /proc/self/mountinfo; ls -A ${RUNTIME}/host ${RUNTIME}/dev; ls -d /run/systemd/nspawn/*.nspawn; machinectl --no-legend list`,
        );
        return stdout.replace(/^.*:\n?$/gm, '').trim();
    };
    // systemd-machined is told after the unit ended.
    await expect.poll(leftOver).toBe('');
}

function start(more: Partial<Parameters<MachineLab['call']>[0]> = {}): Promise<MachineAnswer> {
    return lab.call({verb: 'start', session, ...more});
}

async function expectStarts(): Promise<MachineAnswer> {
    const answer = await start();
    expect(answer.error).toBeNull();
    expect(await lab.insideText('cat ~/file', 'alice')).toBe('theirs\n');
    return answer;
}

function kinds({bindings}: Pick<MachineAnswer, 'bindings'>): readonly string[] {
    return bindings.filter(({isPresent}) => isPresent).map(({kind}) => kind);
}

/** What a listener says to who connects in the container. */
function connect(path: string): Promise<string> {
    return lab.insideText(
        `python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect("${path}"); print(s.makefile().read().split()[-1])'`,
        'alice',
    );
}

async function unitProperty(name: string): Promise<string> {
    const text = await guest.check(['systemctl', 'show', `--property=${name}`, '--value', UNIT]);
    return text.trim();
}

describe('a container that is started', () => {
    test('has what the session has, and each side sees its own owners', async () => {
        const before = Date.now() / 1000 - 1;
        const answer = await expectStarts();
        expect(answer.startedAt).toBeGreaterThan(before);
        expect(kinds(answer)).toEqual([
            ...['home', 'wayland', 'pipewire', 'pulse', 'x11', 'xauthority'],
        ]);
        expect(answer.bindings.find(({kind}) => kind === 'xauthority')).toMatchObject({
            source: COOKIE,
            target: '/run/host-xauthority',
        });

        const sockets = {
            '/run/host-wayland': `/run/user/${UID}/wayland-0`,
            '/run/host-pipewire': `/run/user/${UID}/pipewire-0`,
            '/run/host-pulse': `/run/user/${UID}/pulse/native`,
            '/tmp/.X11-unix/X0': '/tmp/.X11-unix/X0',
        };
        for (const [target, source] of Object.entries(sockets))
            expect(await connect(target)).toBe(`${source}\n`);
        expect(await lab.insideText('cat /run/host-xauthority', 'alice')).toBe('cookie\n');
        expect(await lab.insideText('cat /run/snow-control/session.env')).toBe(
            [
                'WAYLAND_DISPLAY=/run/host-wayland',
                'PIPEWIRE_REMOTE=/run/host-pipewire',
                'PULSE_SERVER=unix:/run/host-pulse',
                'DISPLAY=:0',
                'XAUTHORITY=/run/host-xauthority',
                'LANG=de_DE.UTF-8',
                '',
            ].join('\n'),
        );
        const owners = await lab.insideText(
            'stat -c "%u %g %a" ~alice ~alice/file /run/host-wayland /run/host-xauthority /run/snow-control/session.env',
        );
        expect(owners).toBe(
            '1001 1001 700\n1001 1001 644\n1001 1001 700\n1001 1001 600\n0 0 644\n'.replace(
                '1001 1001 644',
                '1001 1001 600',
            ),
        );

        await lab.insideText('umask 022; echo made >~/made; mkdir ~/directory', 'alice');
        expect(await guest.check(`stat -c "%u %g %a" ${HOME}/made ${HOME}/directory`)).toBe(
            '1001 1001 644\n1001 1001 755\n',
        );
        expect(await lab.insideText('cat /usr/lib/snow-control/lab', 'alice')).toBe('ours\n');
        for (const path of ['/usr/lib/snow-control/lab', '/run/snow-control/session.env'])
            expect((await lab.inside(`echo x >${path}`)).stderr).toContain('Read-only file system');
        expect(await lab.insideText('systemctl --failed --no-legend --plain')).toBe('');
        expect(await lab.insideText('cat /proc/self/uid_map')).toMatch(
            new RegExp(`^\\s+0\\s+${UID_BASE}\\s+65536\\n$`),
        );
    });

    test('stays as it is when it is started again', async () => {
        const first = await expectStarts();
        const second = await start();
        expect(second.error).toBeNull();
        expect(second.startedAt).toBe(first.startedAt);
        expect(await unitProperty('NRestarts')).toBe('0');
    });

    test('is one that an administrator starts and stops, too', async () => {
        // Who knows nothing of a session gets what has the usual names.
        await expectStarts();
        await lab.call({verb: 'stop'});
        await guest.check(['machinectl', 'start', MACHINE]);
        await until('it is ready', async () => (await lab.state()) === 'active');
        expect(await connect('/run/host-wayland')).toBe(`/run/user/${UID}/wayland-0\n`);
        expect(await lab.insideText('cat /run/snow-control/session.env')).not.toContain('LANG');
        expect(await start()).toMatchObject({error: null});
        await guest.check(['machinectl', 'poweroff', MACHINE]);
        await until('it is off', async () => (await lab.state()) === 'inactive');
        await expectNothingLeft();
    });

    test('has all of it again when it was rebooted from within', async () => {
        const {startedAt} = await expectStarts();
        await guest.check('rm /run/user/1001/pipewire-0', {user: 'alice'});
        await lab.insideText('systemctl reboot');
        const again = await until('it is back', async () => {
            const answer = await lab.call({verb: 'look'});
            return answer.startedAt > startedAt && answer;
        });
        expect(await connect('/run/host-wayland')).toBe(`/run/user/${UID}/wayland-0\n`);
        expect(await lab.insideText('cat /run/snow-control/session.env')).toContain('LANG=de_DE');
        expect(kinds(again)).not.toContain('pipewire');
    });

    test('has the limits of its settings, and not what they keep out', async () => {
        await guest.putFile(
            ADMINISTRATION,
            '[Intune]\nMemoryMax=900M\nCPUQuota=150%\nTasksMax=321\nAudio=no\nX11=no\n',
        );
        expect(kinds(await expectStarts())).toEqual(['home', 'wayland']);
        expect(await unitProperty('MemoryMax')).toBe(`${900 * 1024 * 1024}`);
        expect(await unitProperty('CPUQuotaPerSecUSec')).toBe('1.500000s');
        expect(await unitProperty('TasksMax')).toBe('321');
        expect(
            (await lab.inside('ls /run/host-pulse /tmp/.X11-unix/X0')).stderr.match(/No such/g),
        ).toHaveLength(2);
        await lab.call({verb: 'stop'});
        await guest.check(`rm ${ADMINISTRATION}`);
        await expectStarts();
        expect(await unitProperty('MemoryMax')).toBe('infinity');
    });

    test('has the devices for drawing, by nodes of its own', async () => {
        await guest.check(
            `mkdir -p /dev/dri && mknod -m 0660 /dev/dri/renderD128 ${HWRNG} && chgrp 4 /dev/dri/renderD128 &&
             mknod -m 0660 /dev/dri/card0 ${HWRNG} && mknod -m 0666 /dev/nvidiactl ${HWRNG} &&
             mount -t tmpfs none /sys/class && mkdir -p /sys/class/drm/renderD128 && echo 10:183 >/sys/class/drm/renderD128/dev`,
        );
        try {
            const answer = await expectStarts();
            expect(kinds(answer).slice(-2)).toEqual(['nvidia', 'gpu']);
            expect(await unitProperty('DeviceAllow')).toContain('/dev/char/10:183 rwm');
            expect(await unitProperty('DeviceAllow')).not.toMatch(/loop|fuse|tun|mapper/);
            expect(await lab.insideText('stat -c "%n %u %g %a" /dev/dri/* /dev/nvidiactl')).toBe(
                '/dev/dri/renderD128 0 4 660\n/dev/nvidiactl 0 0 666\n',
            );
            // alice is in the group with the number of the host's: adm here.
            expect(await lab.insideText('head -c 4 /dev/dri/renderD128 | wc -c', 'alice')).toBe(
                '4\n',
            );
            expect(await lab.insideText('cat /run/host-nvidia/lib/libcuda.so.1')).toBe(
                'the host’s driver\n',
            );
            expect(await lab.insideText('cat /run/snow-control/session.env')).toContain(
                [
                    'LD_LIBRARY_PATH=/run/host-nvidia/lib',
                    '__NV_PRIME_RENDER_OFFLOAD=1',
                    '__GLX_VENDOR_LIBRARY_NAME=nvidia',
                    'VK_ADD_DRIVER_FILES=/run/host-nvidia/vulkan/nvidia_icd.json',
                ].join('\n'),
            );
            await lab.call({verb: 'stop'});
            await guest.putFile(ADMINISTRATION, '[Intune]\nGpu=no\nNvidia=no\n');
            expect(kinds(await expectStarts())).not.toContain('gpu');
            expect(await unitProperty('DeviceAllow')).toBe('char-pts rw');
            expect((await lab.inside('ls /dev/dri /dev/nvidiactl')).exitCode).not.toBe(0);
        } finally {
            await guest.check('umount /sys/class; rm -r /dev/dri /dev/nvidiactl');
        }
    });
});

describe('a container that cannot be started', () => {
    const stuck = `${ROOTFS}/etc/systemd/system/stuck.service`;
    const dropIn = `/etc/systemd/system/${UNIT}.d/90-lab.conf`;

    test('says how its log ends when it never becomes ready', async () => {
        await guest.putFile(dropIn, '[Service]\nTimeoutStartSec=8\n');
        await guest.putFile(
            stuck,
            '[Unit]\nDescription=What never ends\n[Service]\nType=oneshot\nStandardOutput=journal+console\nExecStart=sh -c "echo It hangs \\\\033[31mhere; exec sleep infinity"\nTimeoutStopSec=1\n[Install]\nWantedBy=multi-user.target\n',
        );
        await guest.check(`systemctl daemon-reload; systemctl --root=${ROOTFS} enable stuck`);
        try {
            const {error, milliseconds} = await start();
            expect(error?.[0]).toBe('Failed');
            expect(error?.[1]).toMatch(
                /^The container did not become ready in time, having said: /,
            );
            expect(error?.[1]).toMatch(/\(journalctl -u systemd-nspawn@intune-u1001.service\)$/);
            // eslint-disable-next-line no-control-regex
            expect(error?.[1]).not.toMatch(/[\x00-\x1f]|\[31m/);
            expect(milliseconds).toBeLessThan(30_000);
            await expectFailed();
        } finally {
            await guest.check(
                `systemctl --root=${ROOTFS} disable stuck; rm ${stuck} ${dropIn}; systemctl daemon-reload`,
            );
        }
        await expectStarts();
    });

    test('says what is wrong when it has no init', async () => {
        const init = `${ROOTFS}/usr/lib/systemd/systemd`;
        await guest.check(`mv ${init} ${init}.away`);
        try {
            const {error} = await start();
            expect(error?.[0]).toBe('Failed');
            expect(error?.[1]).toMatch(/^The container cannot be started, having said: .*execv/);
            await expectFailed();
        } finally {
            await guest.check(`mv ${init}.away ${init}`);
        }
        await expectStarts();
    });

    test('says that another machine has its name', async () => {
        await guest.check(
            `mkdir -p /var/lib/machines/other && mount --bind ${ROOTFS} /var/lib/machines/other &&
             systemd-run --quiet --unit=other systemd-nspawn --quiet --keep-unit --as-pid2 --directory=/var/lib/machines/other \
                 --volatile=overlay --machine=${MACHINE} sleep infinity`,
        );
        try {
            await until('it is registered', async () => {
                const {exitCode} = await guest.run(['machinectl', 'show', MACHINE]);
                return exitCode === 0;
            });
            expect((await start()).error).toEqual([
                'WrongState',
                `A machine ${MACHINE} runs that was not started here, by other.service; stop it first (machinectl poweroff ${MACHINE})`,
            ]);
            await lab.call({verb: 'stop'});
            expect(await guest.check('systemctl is-active other')).toBe('active\n');
        } finally {
            await guest.run('systemctl stop other; umount /var/lib/machines/other');
        }
        await expectStarts();
    });

    test('is stopped again by who cancels it', async () => {
        for (const abortAfter of [150, 600]) {
            const {error} = await start({abortAfter});
            // It may be ready by then, which is too late to cancel it.
            if (error || abortAfter < 200) expect(error?.[0]).toBe('Cancelled');
            else await lab.call({verb: 'stop'});
            await expectNothingLeft();
        }
        await expectStarts();
    });

    async function expectFailed(): Promise<void> {
        expect(await lab.state()).toBe('failed');
        await lab.call({verb: 'stop'});
        await expectNothingLeft();
    }
});

describe('a kill in the middle of a start', () => {
    test.each([30, 90, 150, 300])(
        'of what prepares it, after %i ms, hinders nobody',
        async delay => {
            const starting = start();
            await until('it is being prepared', async () => (await lab.state()) === 'activating');
            await sleep(delay);
            await guest.run(`systemctl kill --kill-whom=control --signal=KILL ${UNIT}`);
            const {error} = await starting;
            if (error) expect(error[0]).toBe('Failed');
            await expectStarts();
        },
    );

    test.each([50, 400, 1200])('of who starts it, after %i ms, hinders nobody', async delay => {
        await guest.check([
            'systemd-run',
            '--quiet',
            '--collect',
            '--unit=caller',
            ...lab.command({verb: 'start', session}),
        ]);
        await sleep(delay);
        await guest.run('systemctl kill --signal=KILL caller');
        await until('it is gone', async () => {
            const {stdout} = await guest.run('systemctl show -P LoadState caller');
            return stdout === 'not-found\n';
        });
        await expectStarts();
    });

    test('of nspawn itself hinders nobody', async () => {
        await expectStarts();
        await guest.check(`systemctl kill --kill-whom=main --signal=KILL ${UNIT}`);
        await until('it is down', async () => (await lab.state()) === 'failed');
        await expectStarts();
    });
});

describe('snowd that dies at any instant of a start', () => {
    /** From before snowd is there until the container is ready. */
    const instants = Array.from({length: 30}, (_, index) => 90 + index * 30);
    /** Alone, and with each of the two that it has systemd start. */
    const victims = {
        snowd: 'true',
        'snowd and what prepares': `systemctl kill --kill-whom=control --signal=KILL ${UNIT}`,
        'snowd and nspawn': `systemctl kill --kill-whom=main --signal=KILL ${UNIT}`,
    };
    const PREPARING = '^[^ ]*node [^ ]*/snow-intune-prepare';
    const killSnowd = 'systemctl kill --signal=KILL snowd.service';
    let session: Session;

    beforeAll(async () => {
        session = await guest.openSession('alice');
    });

    const intune = (verb: 'start' | 'stop') =>
        guest.run(['snowctl', 'intune', verb], {session, timeout: 60_000});

    /** Of a container that runs: one of each, whoever began to start it. */
    async function expectOne(): Promise<void> {
        const counts = await guest.check(
            `machinectl --no-legend list | wc -l; ls /run/systemd/nspawn/*.nspawn | wc -l
             pgrep -xc systemd-nspawn
             awk '{print $5}' /proc/self/mountinfo | grep -F ${RUNTIME}/ | sort | uniq -d | wc -l
             pgrep -cf '${PREPARING}' || true`,
        );
        expect(counts.trim().split('\n')).toEqual(['1', '1', '1', '0', '0']);
    }

    test.each(instants.map((instant, index) => [instant, index] as const))(
        '%i ms after it hinders nobody',
        async (instant, index) => {
            const [name, killOther] = Object.entries(victims)[index % 3] ?? ['', ''];
            const starting = intune('start');
            await sleep(instant);
            await guest.run(`${killSnowd}; ${killOther}`);
            const first = await starting;
            expect([0, 1]).toContain(first.exitCode);
            await guest.run('systemctl reset-failed snowd.service');

            const {exitCode, stderr} = await intune('start');
            expect([name, exitCode, stderr]).toEqual([name, 0, expect.any(String)]);
            expect(await lab.state()).toBe('active');
            await expectOne();
            expect((await intune('stop')).exitCode).toBe(0);
            const {stdout} = await guest.run(`pgrep -x systemd-nspawn; pgrep -f '${PREPARING}'`);
            expect(stdout).toBe('');
        },
    );
});

test('a container that is no more leaves nothing to systemd', async () => {
    await expectStarts();
    await lab.call({verb: 'stop'});
    await lab.call({verb: 'forget'});
    expect((await guest.run(`ls -d /etc/systemd/system/${UNIT}.d`)).exitCode).not.toBe(0);
    expect(await unitProperty('DropInPaths')).not.toContain('50-snow-control');
});
