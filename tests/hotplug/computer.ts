// SPDX-License-Identifier: GPL-2.0-or-later
// A computer of its own in QEMU: Debian's kernel, which has virtual cameras, keys and USB ports, and a
// container of alice in it. Without KVM all of it is emulated: some 20 times slower than a guest.

import {type ChildProcess, execFile, spawn} from 'node:child_process';
import {cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {createConnection} from 'node:net';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import {promisify} from 'node:util';

import {bundle} from '../bus/harness/bundle.ts';
import {UID, UID_BASE} from '../guest/support/intune-machine.ts';
import {cached} from '../lab/cache.ts';
import {installedSystem} from '../lab/installation.ts';
import {baseTree} from '../lab/intune/image.ts';
import {CARD_PROGRAMS, smartCardLayer} from '../lab/smart-cards.ts';
import {MIRROR} from '../lab/trees.ts';

const run = promisify(execFile);

const packages = [
    'systemd',
    'systemd-sysv',
    'systemd-container',
    'udev',
    'kmod',
    'dbus',
    'libpam-systemd',
    'login',
    'passwd',
    'nodejs',
    'initramfs-tools',
    'linux-image-amd64',
    'pcscd',
    'libccid',
    'pcsc-tools',
];

/** What takes an emulated computer long, and is of no use to the test. */
const unneeded = [
    'systemd-udev-trigger',
    'systemd-hwdb-update',
    'systemd-journal-catalog-update',
    'systemd-journal-flush',
    'systemd-random-seed',
    'systemd-sysusers',
    'systemd-timesyncd',
    'systemd-update-done',
    'ldconfig',
    'e2scrub_reap',
];

/** What starts the test, which is on a disk of its own, and ends the computer. */
const unit = `[Unit]
After=multi-user.target systemd-logind.service
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=sh -c 'mkdir -p /lab && mount -o ro /dev/vdb /lab && exec bash /lab/run.sh'
ExecStopPost=systemctl poweroff --force --force
`;

const script = `
useradd --create-home --uid 1001 --shell /bin/bash alice
useradd --create-home --uid 1002 --shell /bin/bash bob
sed -i s/^MODULES=.*/MODULES=list/ /etc/initramfs-tools/initramfs.conf
printf '%s\\n' virtio_pci virtio_blk ext4 >>/etc/initramfs-tools/modules
update-initramfs -u -k all
systemctl mask e2scrub_all.timer fstrim.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    systemd-networkd.service serial-getty@.service getty@.service
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s ../lab.service /etc/systemd/system/graphical.target.wants/ 2>/dev/null ||
    ln -s ../lab.service /etc/systemd/system/multi-user.target.wants/
mkdir -m 0700 -p /home/alice/Intune
chown alice: /home/alice/Intune
rm -rf /var/cache/apt/* /var/lib/apt/lists/* /usr/share/doc /usr/share/locale
`;

/** In the container's root directory, as tests/guest/support/intune-machine.ts has it. */
const containerScript = `
usermod -l alice -d /home/alice -u ${UID} ubuntu
groupmod -g ${UID} -n alice ubuntu
mkdir -p home/alice var/lib/systemd/linger usr/lib/snow-control etc/tmpfiles.d
rm -rf home/ubuntu
chown ${UID}:${UID} home/alice
echo 0123456789abcdef0123456789abcdef >etc/machine-id
ln -s /usr/lib/snow-control/snow-intune-devices.conf etc/tmpfiles.d/
for unit in console-getty.service getty@.service systemd-networkd.service systemd-resolved.service \
    systemd-timesyncd.service systemd-networkd.socket; do
    ln -sfn /dev/null etc/systemd/system/$unit
done
`;

/** Directory with disk.img, vmlinuz and initrd. */
async function computer(): Promise<string> {
    const container = await baseTree();
    const cards = await smartCardLayer();
    const recipe = {packages, script, unit, container, cards, containerScript};
    return cached('hotplug', recipe, async directory => {
        const root = join(directory, 'root');
        await run(
            'mmdebstrap',
            [
                '--variant=apt',
                '--quiet',
                `--include=${packages.join(',')}`,
                '--aptopt=Acquire::Retries "3"',
                `--customize-hook=chroot "$1" sh -ec '${script.replaceAll("'", "'\\''")}'`,
                'trixie',
                root,
                MIRROR,
            ],
            {maxBuffer: 64 * 1024 * 1024},
        );
        await writeFile(join(root, 'etc/systemd/system/lab.service'), unit);
        const machine = join(root, 'var/lib/machines/intune-u1001');
        await mkdir(join(machine, '..'), {recursive: true, mode: 0o700});
        await run('cp', ['-a', container, machine]);
        await run('cp', ['-a', `${join(cards, CARD_PROGRAMS)}/.`, machine]);
        await run('chroot', [machine, 'sh', '-ec', containerScript]);
        await run('chmod', ['0755', machine]);
        for (const [name, file] of [
            ['vmlinuz-', 'vmlinuz'],
            ['initrd.img-', 'initrd'],
        ] as const) {
            const boot = join(root, 'boot');
            const found = (await readdir(boot)).find(entry => entry.startsWith(name));
            if (found === undefined) throw new Error(`${boot} has no ${name}*`);
            await cp(join(boot, found), join(directory, file));
        }
        const disk = join(directory, 'disk.img');
        await run('truncate', ['--size=3G', disk]);
        await run('mkfs.ext4', ['-q', '-F', '-d', root, disk]);
        await rm(root, {recursive: true});
    });
}

/** The test's own disk: what is installed, and what runs it. */
async function testDisk(directory: string): Promise<string> {
    const tree = join(directory, 'tree');
    await cp(resolve('tests/hotplug/machine'), tree, {recursive: true});
    await cp(join(await installedSystem(), 'usr'), join(tree, 'usr'), {recursive: true});
    await cp(
        await bundle('tests/guest/support/machine-program.ts', directory),
        join(tree, 'machine.cjs'),
    );
    const record = {
        owner: {uid: UID, gid: UID, name: 'alice', home: '/home/alice'},
        uidBase: UID_BASE,
        channel: 'stable',
        image: 'ghcr.io/frostyard/ubuntu-intune:latest',
        digest: `sha256:${'0'.repeat(64)}`,
        created: 1,
    };
    const text = JSON.stringify({generations: [{inode: 4711, record}]});
    await writeFile(join(tree, 'container.json'), text);
    const disk = join(directory, 'test.img');
    await run('truncate', ['--size=64M', disk]);
    await run('mkfs.ext4', ['-q', '-F', '-d', tree, disk]);
    return disk;
}

/** While the computer sleeps, one device is unplugged and another one plugged in; then it is woken up. */
function changeWhileAsleep(control: string, machine: ChildProcess): void {
    const connection = createConnection(control);
    const say = (execute: string, words: object = {}) =>
        connection.write(`${JSON.stringify({execute, arguments: words})}\n`);
    // QEMU makes the socket when it has started.
    connection.once('error', () => {
        if (machine.exitCode === null) setTimeout(changeWhileAsleep, 100, control, machine);
    });
    connection.once('connect', () => {
        say('qmp_capabilities');
        createInterface(connection).on('line', line => {
            const {event, error} = JSON.parse(line) as {event?: string; error?: unknown};
            if (error !== undefined) console.error(line);
            if (event !== 'SUSPEND') return;
            say('device_del', {id: 'goes'});
            say('device_add', {driver: 'usb-kbd', id: 'comes', bus: 'ports.0'});
            setTimeout(say, 2000, 'system_wakeup');
        });
    });
}

export interface Outcome {
    /** Whether it came to its end. */
    readonly isComplete: boolean;
    /** By what was looked at: what was seen. */
    readonly results: ReadonlyMap<string, string>;
    readonly console: string;
}

/** Runs tests/hotplug/machine/run.sh in the computer, once. */
export async function runInComputer(timeout: number): Promise<Outcome> {
    const parts = await computer();
    const directory = await mkdtemp(join(tmpdir(), 'snow-hotplug-'));
    try {
        const disk = await testDisk(directory);
        const log = join(directory, 'console.log');
        const control = join(directory, 'control');
        const drive = (id: string, file: string) => [
            '-drive',
            `file=${file},if=none,id=${id},format=raw,snapshot=on`,
            '-device',
            `virtio-blk-pci,drive=${id}`,
        ];
        // One processor: with two, emulated, the kernel panics now and then.
        const machine = spawn(
            'qemu-system-x86_64',
            [
                ...[
                    '-machine',
                    'q35',
                    '-accel',
                    'tcg,thread=single',
                    '-cpu',
                    'Nehalem',
                    '-smp',
                    '1',
                ],
                ...['-m', '1536', '-display', 'none', '-no-reboot', '-nodefaults'],
                ...['-serial', `file:${log}`],
                ...['-device', 'qemu-xhci,id=ports'],
                ...['-device', 'usb-mouse,id=stays', '-device', 'usb-tablet,id=goes'],
                ...['-device', 'usb-ccid'],
                ...['-qmp', `unix:${control},server=on,wait=off`],
                ...drive('d0', join(parts, 'disk.img')),
                ...drive('d1', disk),
                ...['-kernel', join(parts, 'vmlinuz'), '-initrd', join(parts, 'initrd')],
                '-append',
                [
                    'root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 mitigations=off panic=-1',
                    ...unneeded.map(name => `systemd.mask=${name}.service`),
                ].join(' '),
            ],
            {stdio: 'inherit'},
        );
        const timer = setTimeout(() => machine.kill('SIGKILL'), timeout);
        changeWhileAsleep(control, machine);
        await new Promise(done => machine.once('close', done));
        clearTimeout(timer);
        const console = (await readFile(log, 'utf8')).replaceAll('\r', '');
        const results = new Map(
            [...console.matchAll(/^RESULT ([^=\n]+)=(.*)$/gm)].map(([, name = '', value = '']) => [
                name,
                value,
            ]),
        );
        return {isComplete: results.has('end'), results, console};
    } finally {
        await rm(directory, {recursive: true, force: true});
    }
}
