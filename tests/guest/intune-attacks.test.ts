// SPDX-License-Identifier: GPL-2.0-or-later
// What a user gains by what they put where root will look for their session, and what root in a container
// reaches of its host: the rows of docs/intune-isolation.md.
import {setTimeout as sleep} from 'node:timers/promises';

import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Guest} from '../lab/guest.ts';
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

const PREPARE = `/usr/lib/snow-control/snow-intune-prepare`;
const SESSION = `/run/user/${UID}`;

/** Puts by turns what is expected and something else in a place, as fast as it can: swap.cjs PLACE REAL OTHER */
const swap = `
const {renameSync, linkSync, symlinkSync, rmSync} = require('fs');
const [place, real, other] = process.argv.slice(2);
const next = place + '.next';
for (;;) {
    if (real.endsWith('/')) {
        symlinkSync(other, next);
        renameSync(place, real.slice(0, -1));
        renameSync(next, place);
        rmSync(place);
        renameSync(real.slice(0, -1), place);
    } else {
        linkSync(real, next);
        renameSync(next, place);
        symlinkSync(other, next);
        renameSync(next, place);
    }
}
`;

/** Stands in for a program of the container: notes in which namespaces it runs, and becomes the real one. */
const impostor = `#!/usr/bin/perl
my $name = $0; $name =~ s/.*\\///;
my @ns = map { readlink("/proc/$$/ns/$_") // "unknown" } qw(pid mnt user uts ipc cgroup);
if (open(my $notes, ">>", "/var/notes")) { print $notes "$name @ns\\n"; close $notes }
exec {"/var/real/$name"} $name, @ARGV;
`;
const REPLACED = ['sh', 'bash', 'mkdir', 'su', 'mount', 'umount', 'chown', 'mknod', 'rm', 'env'];

/** chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap; sys_chroot, sys_admin, sys_boot, sys_resource; setfcap */
const CAPABILITIES = 0x8164_01fbn;

let lab: MachineLab;
let guest: Guest;

beforeAll(async () => {
    lab = await MachineLab.boot({
        name: 'intune-attacks',
        files: {'/run-lab/swap.cjs': swap, '/run-lab/impostor': {content: impostor, mode: 0o755}},
    });
    guest = lab.guest;
    await lab.listen([`${SESSION}/wayland-0`, `${SESSION}/pulse/native`]);
}, 180_000);
afterAll(() => guest?.kill());

async function asAlice(script: string): Promise<string> {
    return guest.check(script, {user: 'alice'});
}

async function start(session: Readonly<Record<string, string>> = {}) {
    return lab.call({verb: 'start', session});
}

/** Where what a user has is bound, and what it is. */
async function bound(): Promise<readonly string[]> {
    const text = await guest.check(
        `cd ${RUNTIME}/host; for p in *; do mountpoint -q $p && stat -c '%n %F %u' $p; done; true`,
    );
    return text.split('\n').filter(line => line !== '');
}

/** Mount points of the host, but for those of containers and services. */
function mounts(): Promise<string> {
    return guest.check(
        `awk '{print $5}' /proc/self/mountinfo | grep -v -e ^${RUNTIME} -e ^/run/systemd -e ^/run/credentials -e ^/run/user | sort`,
    );
}

describe('a user', () => {
    afterEach(async () => {
        await guest.run('systemctl stop swap');
        await lab.call({verb: 'stop'});
    });

    async function whileSwapping(
        place: string,
        real: string,
        other: string,
        work: () => Promise<void>,
    ): Promise<void> {
        await guest.check(
            `systemd-run --quiet --collect --unit=swap --uid=alice node /run-lab/swap.cjs ${place} ${real} ${other}`,
        );
        await sleep(300);
        expect(await guest.check('systemctl is-active swap')).toBe('active\n');
        await work();
        expect(await guest.check('systemctl is-active swap')).toBe('active\n');
        await guest.check('systemctl stop swap');
    }

    /** What was bound by each of many preparations, and how often. */
    async function prepareOften(kind: string, times: number): Promise<Map<string, number>> {
        const seen = new Map<string, number>();
        for (let time = 0; time < times; time++) {
            await guest.run([PREPARE, `${UID}`]);
            const line = (await bound()).find(one => one.startsWith(`${kind} `)) ?? 'nothing';
            seen.set(line, (seen.get(line) ?? 0) + 1);
        }
        await guest.check([PREPARE, '--clean', `${UID}`]);
        return seen;
    }

    test('who swaps a socket for a link to another file never has that bound', async () => {
        await asAlice(`cd ${SESSION}; mv wayland-0 real`);
        try {
            await whileSwapping(
                `${SESSION}/wayland-0`,
                `${SESSION}/real`,
                '/etc/shadow',
                async () => {
                    const seen = await prepareOften('wayland', 30);
                    // What was replaced since it was opened cannot be bound any more.
                    expect([...seen.keys()].sort().join()).toMatch(
                        /^(nothing)?,?(wayland socket 1001)?$/,
                    );
                    for (let time = 0; time < 3; time++) {
                        expect((await start()).error).toBeNull();
                        const found = await lab.inside('stat -c "%F %u" /run/host-wayland');
                        expect(['socket 1001\n', '']).toContain(found.stdout);
                        await lab.call({verb: 'stop'});
                    }
                },
            );
        } finally {
            await asAlice(`cd ${SESSION}; rm -f wayland-0*; mv real wayland-0`);
        }
    });

    test('who swaps a directory on the way for a link never has anything else bound', async () => {
        await guest.check(
            'mkdir -p /run/elsewhere && cp /etc/shadow /run/elsewhere/native && chown alice /run/elsewhere/native',
        );
        await whileSwapping(
            `${SESSION}/pulse`,
            `${SESSION}/pulse.real/`,
            '/run/elsewhere',
            async () => {
                const seen = await prepareOften('pulse', 20);
                expect([...seen.keys()].sort().join()).toMatch(/^(nothing,)?pulse socket 1001$/);
            },
        );
        await asAlice(
            `cd ${SESSION}; rm -f pulse.next; [ -d pulse.real ] && rm -f pulse && mv pulse.real pulse; ls pulse/native`,
        );
    });

    test('who swaps the home directory for a link to /etc never has that bound', async () => {
        await whileSwapping(HOME, `${HOME}.real/`, '/etc', async () => {
            const seen = await prepareOften('home', 20);
            expect([...seen.keys()].sort().join()).toMatch(/^(home directory 1001)?,?(nothing)?$/);
            expect([...seen.keys()].join()).not.toContain('directory 0');
        });
        await asAlice(
            `cd; rm -f Intune.next; [ -d Intune.real ] && rm -f Intune && mv Intune.real Intune; ls -d Intune`,
        );
    });

    test.each([
        ['a link', 'ln -s /etc Intune', 'is no directory of its own'],
        ['a file', 'touch Intune', 'is no directory of its own'],
        ['nothing', 'true', 'There is no /home/alice/Intune'],
    ])('whose ~/Intune is %s is told so', async (_what, make, text) => {
        await asAlice(`cd; mv Intune away; ${make}`);
        try {
            const {error} = await start();
            expect(error).toEqual(['WrongState', expect.stringContaining(text)]);
            expect(await bound()).toEqual([]);
        } finally {
            await asAlice('cd; rm -f Intune; mv away Intune');
        }
    });

    test('cannot have another one’s directory as home', async () => {
        await asAlice('cd; mv Intune away');
        await guest.check('mkdir /home/alice/Intune');
        try {
            expect((await start()).error?.[1]).toContain('belongs to another user');
        } finally {
            await guest.check('rmdir /home/alice/Intune');
            await asAlice('cd; mv away Intune');
        }
    });

    test.each([
        {WAYLAND_DISPLAY: 'x/../../../../etc/shadow'},
        {WAYLAND_DISPLAY: '/run/systemd/private'},
        {WAYLAND_DISPLAY: '/run/user/1002/wayland-0'},
        {WAYLAND_DISPLAY: `${SESSION}/link`},
        {DISPLAY: ':0', XAUTHORITY: '/etc/shadow'},
        {DISPLAY: ':0', XAUTHORITY: `${SESSION}/../../../etc/shadow`},
        {DISPLAY: ':0', XAUTHORITY: `${SESSION}/link`},
        {DISPLAY: ':0', XAUTHORITY: '/proc/self/root/etc/shadow'},
    ])('gets nothing by the session %j', async session => {
        await guest.check('mkdir -p /run/user/1002 && chown bob /run/user/1002');
        await lab.listen(['/run/user/1002/wayland-0'], 'bob');
        await asAlice(`ln -sfn /etc/shadow ${SESSION}/link`);
        await asAlice(`ln -sfn /etc/shadow ${SESSION}/.mutter-Xwaylandauth.LINK`);
        await guest.putFile(
            `${RUNTIME}/session.json`,
            JSON.stringify({session: Object.entries(session).map(pair => pair.join('='))}),
        );
        await guest.check([PREPARE, `${UID}`]);
        const lines = await bound();
        expect(lines.filter(line => /^(x11|xauthority) /.test(line))).toEqual([]);
        if ('WAYLAND_DISPLAY' in session)
            expect(lines.filter(line => line.startsWith('wayland'))).toEqual([]);
        expect(lines).toContain('home directory 1001');
        await guest.check([PREPARE, '--clean', `${UID}`]);
        await asAlice(`rm ${SESSION}/link ${SESSION}/.mutter-Xwaylandauth.LINK`);
    });

    test('does not reach what another one’s container has', async () => {
        expect((await start()).error).toBeNull();
        for (const path of [
            `${RUNTIME}/host/home`,
            `${RUNTIME}/host/wayland`,
            `${RUNTIME}/session.json`,
            `${RUNTIME}/bindings.json`,
            `${ROOTFS}/usr`,
            '/run/user/1001/wayland-0',
        ])
            expect((await guest.run(['cat', path], {user: 'bob'})).stderr).toContain(
                'Permission denied',
            );
    });
});

describe('root in a container', () => {
    beforeAll(async () => {
        expect((await start()).error).toBeNull();
    });
    afterAll(() => lab.call({verb: 'stop'}));

    /** That it is refused, by whatever says so. */
    async function expectRefused(script: string, reason: RegExp): Promise<void> {
        const {exitCode, stdout, stderr} = await lab.inside(script);
        expect([script, exitCode === 0, stdout + stderr]).toEqual([
            script,
            false,
            expect.stringMatching(reason),
        ]);
    }

    /** A call that is not there as a program. */
    function python(code: string): string {
        return `python3 -c '${code}'`;
    }

    test('is nobody on the host', async () => {
        const leader = (
            await guest.check(['machinectl', 'show', MACHINE, '--property=Leader', '--value'])
        ).trim();
        const status = await guest.check(['cat', `/proc/${leader}/status`]);
        expect(status).toMatch(new RegExp(`^Uid:\\s+${UID_BASE}\\s`, 'm'));
        const held = /^CapBnd:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '';
        const names = await guest.check(['capsh', `--decode=${held}`]).catch(() => held);
        expect(BigInt(`0x${held}`).toString(16)).toBe(CAPABILITIES.toString(16));
        expect(names).not.toContain('cap_sys_module');
    });

    test('neither reads the kernel’s log nor writes to it', async () => {
        await expectRefused('dmesg', /Operation not permitted/);
        await expectRefused('cat /dev/kmsg', /No such file/);
        expect(await lab.insideText('stat -c %F /proc/kmsg')).not.toContain('regular');
        const before = await guest.check('stat -c %d:%i /proc/kmsg');
        expect(await lab.insideText('stat -c %d:%i /proc/kmsg')).not.toBe(before);
    });

    test('changes no setting of the kernel', async () => {
        await expectRefused('echo x >/proc/sys/kernel/core_pattern', /Read-only file system/);
        await expectRefused('echo 1 >/proc/sys/vm/drop_caches', /Read-only file system/);
        // That they are read-only is its own affair; whose they are is not.
        await lab.insideText('mount -o remount,rw /proc/sys');
        await expectRefused('echo x >/proc/sys/kernel/core_pattern', /Permission denied/);
        await expectRefused('echo 1 >/proc/sys/vm/drop_caches', /Permission denied/);
        await lab.insideText('mount -o remount,ro /proc/sys');
        for (const path of ['kernel/core_pattern', 'kernel/panic', 'net/ipv4/ip_forward'])
            await expectRefused(
                `mkdir -p /mnt/p; mount -t proc proc /mnt/p; echo x >/mnt/p/sys/${path}; s=$?; umount /mnt/p; exit $s`,
                /Permission denied|not permitted/,
            );
        await expectRefused(
            'mount -t proc proc /mnt/p; echo h >/mnt/p/sysrq-trigger; s=$?; umount /mnt/p; exit $s',
            // Not every kernel has it.
            /Permission denied|nonexistent/,
        );
        await expectRefused('mount -t sysfs sysfs /mnt/p', /permission denied|not permitted/);
        await expectRefused('date -s 2020-01-01', /Operation not permitted/);
    });

    test('loads no module, and no program into the kernel', async () => {
        const call = (number: number, args: string): string =>
            python(
                `import ctypes, os; l = ctypes.CDLL(None, use_errno=True); r = l.syscall(${number}, ${args}); e = ctypes.get_errno(); print(os.strerror(e)); exit(r < 0)`,
            );
        const refused = /Operation not permitted|Permission denied/;
        await expectRefused(call(175, 'b"x", 1, b""'), refused); // init_module
        await expectRefused(call(313, '0, b"", 0'), refused); // finit_module
        await expectRefused(call(246, '0, 0, 0, 0'), refused); // kexec_load
        await expectRefused(call(321, '5, b"\\\\0" * 128, 128'), refused); // bpf, BPF_PROG_LOAD
        await expectRefused(call(167, 'b"/dev/null", 0'), refused); // swapon
        await expectRefused(call(304, '-100, b"", 0'), refused); // open_by_handle_at
    });

    test('makes no device, and opens none that it was not given', async () => {
        await expectRefused('mknod /tmp/disk b 254 0', /Operation not permitted/);
        await expectRefused('mknod /home/alice/disk b 254 0', /Operation not permitted|too large/);
        expect(await lab.insideText('find /dev /run/host-dev -type b')).toBe('');
        expect(
            await lab.insideText('find /dev -type c ! -path "/dev/pts/*" -printf "%f\\n" | sort'),
        ).toBe('full\nnull\nrandom\ntty\nurandom\nzero\n');
        await expectRefused('touch /run/host-dev/mine', /Permission denied|too large/);
        // One that is plugged in later is there at once, and of use when its unit may open it.
        await guest.check(
            `mknod -m 0600 ${RUNTIME}/dev/key c 10 183 && chown ${UID_BASE}:${UID_BASE} ${RUNTIME}/dev/key`,
        );
        await expectRefused('head -c 1 /run/host-dev/key', /Operation not permitted/);
        await guest.check([
            ...['systemctl', 'set-property', '--runtime', UNIT, 'DeviceAllow=/dev/char/10:183 rw'],
        ]);
        expect(await lab.insideText('head -c 1 /run/host-dev/key | wc -c')).toBe('1\n');
        await guest.check(`rm ${RUNTIME}/dev/key; systemctl revert ${UNIT}`);
    });

    test('sees, traces and kills no process of the host', async () => {
        const outside = Number(await guest.check('systemctl show -P MainPID dbus.service'));
        const inode = await guest.check('stat -L -c %i /proc/1/ns/pid');
        expect(await lab.insideText('stat -L -c %i /proc/1/ns/pid')).not.toBe(inode);
        const seen = await lab.insideText('cat /proc/[0-9]*/comm');
        expect(seen).not.toMatch(/polkitd|systemd-machine|snowd/);
        expect(outside).toBeGreaterThan(0);
        await expectRefused('nsenter --target 1 --all true', /Operation not permitted/);
        expect(await lab.insideText('readlink /proc/1/root')).toBe('/\n');
    });

    test('has the host’s network as anybody has, and cannot change it', async () => {
        const server = `require("net").createServer(c => c.on("error", () => c.destroy()).end("HTTP/1.0 200 OK\\r\\n\\r\\nloopback\\n"))`;
        await guest.check(
            `systemd-run --quiet --collect --unit=web node -e '${server}.listen(8123, "127.0.0.1")'`,
        );
        const connect = python(
            'import socket; print(socket.create_connection(("127.0.0.1", 8123)).makefile().read()[-9:])',
        );
        await guest.check(
            'until (exec 3<>/dev/tcp/127.0.0.1/8123) 2>/dev/null; do sleep 0.1; done'.replace(
                /^/,
                "bash -c '",
            ) + "'",
        );
        expect(await lab.insideText(connect)).toBe('loopback\n\n');
        await guest.check('systemctl stop web');

        const refused = /PermissionError|Operation not permitted/;
        await expectRefused(
            python('import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'),
            refused,
        );
        await expectRefused(
            python('import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'),
            refused,
        );
        await expectRefused(
            python('import socket; socket.socket().bind(("127.0.0.1", 99))'),
            refused,
        );
        // SIOCSIFFLAGS: lo goes down.
        await expectRefused(
            python(
                'import socket, fcntl, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0))',
            ),
            refused,
        );
    });

    test('has neither the host’s bus nor its service manager, but its abstract sockets', async () => {
        const id = await guest.check(
            'busctl call org.freedesktop.DBus / org.freedesktop.DBus GetId',
        );
        expect(
            await lab.insideText('busctl call org.freedesktop.DBus / org.freedesktop.DBus GetId'),
        ).not.toBe(id);
        expect(await lab.insideText('ls /run/systemd/machines 2>/dev/null; true')).toBe('');
        expect((await lab.inside('ls /run/dbus/system_bus_socket')).exitCode).toBe(0);
        // These have no place in the file system, but in the network that they share.
        const listen = `require("net").createServer(c => c.on("error", () => c.destroy()).end("abstract")).listen("\\0lab")`;
        await guest.check(`systemd-run --quiet --collect --unit=abstract node -e '${listen}'`);
        const connect = python(
            'import socket; s = socket.socket(socket.AF_UNIX); s.connect("\\0lab"); print(s.recv(9).decode())',
        );
        await expect.poll(async () => (await lab.inside(connect)).stdout).toBe('abstract\n');
        await guest.check('systemctl stop abstract');
    });

    test('has of the host’s files the user’s ~/Intune, which it cannot write to itself', async () => {
        await guest.check('echo secret >/home/bob/secret; echo secret >/home/alice/secret');
        expect(await lab.insideText('ls -A /home')).toBe('alice\n');
        await expectRefused('cat /home/alice/../secret /home/alice/secret', /No such file/);
        await expectRefused('touch /home/alice/roots', /too large|Permission denied/);
        await expectRefused('cp /bin/sh /home/alice/sh', /too large|Permission denied/);
        await lab.insideText('cp /bin/sh ~/sh; chmod 4755 ~/sh', 'alice');
        await expectRefused('chown 0:0 /home/alice/sh', /too large|not permitted/);
        await expectRefused('chown 1002 /home/alice/sh', /too large|not permitted/);
        // Whoever runs it is alice at most; who may is who gets into the home directory.
        expect(await guest.check(`stat -c '%U %a' ${HOME}/sh`)).toBe('alice 4755\n');
        expect((await guest.run([`${HOME}/sh`, '-c', 'id'], {user: 'bob'})).exitCode).not.toBe(0);
        await guest.check(`find ${HOME} ! -user alice | grep . && exit 1; rm ${HOME}/sh`);
    });

    test('has setuid programs of its own that are nobody’s on the host', async () => {
        await lab.insideText('cp /bin/sh /usr/local/bin/mine && chmod 6755 /usr/local/bin/mine');
        // On the disk they are root’s: who gets there is root already.
        expect(await guest.check(`stat -c '%u %a' ${ROOTFS}/usr/local/bin/mine`)).toBe('0 6755\n');
        expect(await guest.check('stat -c "%U %a" /var/lib/machines')).toBe('root 700\n');
        for (const user of ['alice', 'bob'])
            expect(
                (await guest.run([`${ROOTFS}/usr/local/bin/mine`, '-c', 'id'], {user})).exitCode,
            ).not.toBe(0);
        await lab.insideText('rm /usr/local/bin/mine');
    });

    test('mounts where the host does not see it, and loosens no mount of the host', async () => {
        const before = await mounts();
        await lab.insideText(
            'mkdir -p /mnt/t && mount -t tmpfs none /mnt/t && mount --bind /etc /home/alice',
        );
        expect(await mounts()).toBe(before);
        expect(await guest.check(`ls ${HOME}`)).not.toContain('passwd');
        await lab.insideText('umount /home/alice; umount /mnt/t');
        for (const path of ['/usr/lib/snow-control', '/run/snow-control/session.env', '/sys'])
            await expectRefused(
                `mount -o remount,bind,rw ${path}`,
                /permission denied|not permitted/,
            );
        await expectRefused(
            'mount -o remount,bind,suid,exec /run/host-dev',
            /permission denied|not permitted/,
        );
        expect(await guest.check('cat /usr/lib/snow-control/container/lab')).toBe('ours\n');
    });

    test('takes no limit off its own unit', async () => {
        await guest.check(['systemctl', 'set-property', '--runtime', UNIT, 'MemoryMax=700M']);
        await expectRefused(
            'echo max >/sys/fs/cgroup/memory.max; s=$?; echo 1 >/sys/fs/cgroup/cgroup.kill || exit $s',
            /Permission denied|No such file|Directory nonexistent/,
        );
        expect(await lab.insideText('ls -d /sys/fs/cgroup/..')).toBe('/sys/fs/cgroup/..\n');
        expect(await guest.check(['systemctl', 'show', '-P', 'MemoryMax', UNIT])).toBe(
            `${700 * 1024 * 1024}\n`,
        );
        await guest.check(['systemctl', 'revert', UNIT]);
    });

    test('has a journal that the host’s does not read', async () => {
        await lab.insideText('logger "from within"; journalctl --sync');
        expect(await guest.check('find /var/log/journal -type l 2>/dev/null; true')).toBe('');
        expect(await guest.journal()).not.toContain('from within');
    });
});

describe('a container’s programs', () => {
    test('are run in all of its namespaces, whatever was put in their place', async () => {
        await guest.check(
            `cd ${ROOTFS} && mkdir -p var/real && for name in ${REPLACED.join(' ')}; do
                 path=usr/bin/$name; [ -e $path ] || continue
                 cp -L --preserve=mode $path var/real/$name && rm $path && cp /run-lab/impostor $path
             done`,
        );
        expect((await start()).error).toBeNull();
        await lab.call({verb: 'look'});
        await lab.insideText('su alice -c "mkdir -p ~/made"');
        const own = await lab.insideText(
            'cd /proc/1/ns; for n in pid mnt user uts ipc cgroup; do readlink $n; done',
        );
        await lab.call({verb: 'stop'});
        await lab.call({verb: 'look'});
        const notes = (await guest.check(`cat ${ROOTFS}/var/notes`)).trim().split('\n');
        expect(new Set(notes.map(line => line.split(' ')[0]))).toEqual(
            expect.objectContaining(new Set(['sh', 'su', 'mkdir'])),
        );
        const [pid, , user] = own.split('\n');
        const host = await guest.check(
            'cd /proc/1/ns; for n in pid mnt user uts ipc cgroup; do readlink $n; done',
        );
        for (const line of notes) {
            const [name, ...spaces] = line.split(' ');
            expect([name, spaces[0], spaces[2]]).toEqual([name, pid, user]);
            for (const space of spaces) expect(host).not.toContain(space);
        }
        expect((await guest.run('ls /var/notes /var/real')).exitCode).not.toBe(0);
        await guest.check(
            `cd ${ROOTFS} && for name in ${REPLACED.join(' ')}; do [ ! -e var/real/$name ] || mv var/real/$name usr/bin/$name; done`,
        );
    });

    test('are not the only thing it can change: its links lead nowhere else', async () => {
        const before = await mounts();
        const files = await guest.check('ls -lan /etc /root /usr/lib/snow-control');
        await guest.check(
            `cd ${ROOTFS} && mv home/alice home/away && ln -s ../../../../../root home/alice &&
             mv usr/lib/snow-control usr/lib/away && ln -s /../../../../etc usr/lib/snow-control &&
             mv etc/os-release etc/away && ln -s /etc/shadow etc/os-release &&
             rm -rf mnt/x && ln -s /../../../../etc run-host && cat /etc/machine-id >etc/machine-id`,
        );
        const {error} = await start();
        if (!error) {
            expect(await mounts()).toBe(before);
            expect((await lab.inside('ls /root/secret')).exitCode).not.toBe(0);
        }
        expect(await guest.check('ls -lan /etc /root /usr/lib/snow-control')).toBe(files);
        await lab.call({verb: 'stop'});
        expect(await mounts()).toBe(before);
    });
});

describe('a bind', () => {
    test.each([
        ['ext4', '/home/alice', true],
        ['tmpfs', '/run/lab', true],
        ['overlay', '/usr/lib/snow-control', false],
        ['devtmpfs', '/run/devtmpfs', false],
    ])('can be ID-mapped where its file system can: %s', async (type, path, isPossible) => {
        await guest.check(
            'mkdir -p /run/devtmpfs /run/mapped; mountpoint -q /run/devtmpfs || mount -t devtmpfs none /run/devtmpfs',
        );
        expect(await guest.check(['findmnt', '-no', 'FSTYPE', '--target', path])).toBe(`${type}\n`);
        const {exitCode, stderr} = await guest.run(
            `mount --bind -o X-mount.idmap=b:0:${UID_BASE}:65536 ${path} /run/mapped && umount /run/mapped`,
        );
        expect([exitCode === 0, stderr]).toEqual([
            isPossible,
            isPossible ? '' : expect.stringContaining('Invalid argument'),
        ]);
    });
});
