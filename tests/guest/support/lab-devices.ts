// SPDX-License-Identifier: GPL-2.0-or-later
// Devices of a guest that come and go, with udev to tell: the memory of virtual terminals, which the kernel
// makes when a terminal is opened, and terminals, which are there for ever and only said to come and go.

import type {Guest} from '../../lab/guest.ts';

/** Stand in for cameras and keys. */
const rules = `ACTION!="remove", SUBSYSTEM=="vc", KERNEL=="vcs[0-9]*", ENV{SNOW_CONTROL_CLASS}="camera", ENV{ID_MODEL}="Lab_camera"
ACTION!="remove", SUBSYSTEM=="tty", KERNEL=="tty[23][0-9]", ENV{SNOW_CONTROL_CLASS}="security-key"
`;

/** VT_DISALLOCATE of ioctl_vt(2), which takes what it had away. */
const closeTerminal = `open(my $t, '<', '/dev/tty1') or die "tty1: $!";
for (1 .. 200) { exit 0 if ioctl($t, 0x5608, $ARGV[0] + 0); select(undef, undef, undef, 0.005) }
die "disallocate: $!";
`;

/**
 * Milliseconds from when the kernel is asked for a terminal's memory to a node of this uid that can be
 * opened; in a control group, whose policy is to allow it, when one is named.
 */
const timeNode = `use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);
my ($terminal, $node, $uid, $group) = @ARGV;
pipe(my $ready, my $tell) or die;
my $child = fork;
if (!$child) {
    if ($group) {
        open(my $procs, '>', "$group/cgroup.procs") or die "$group: $!";
        syswrite($procs, "$$\\n") or die "$group: $!";
    }
    syswrite($tell, 'r');
    my $limit = clock_gettime(CLOCK_MONOTONIC) + 10;
    while (1) {
        my @status = stat($node);
        last if @status && $status[4] == $uid && open(my $opened, '<', $node);
        die 'never' if clock_gettime(CLOCK_MONOTONIC) > $limit;
        sleep 0.0005;
    }
    printf "%.6f\\n", clock_gettime(CLOCK_MONOTONIC);
    exit 0;
}
sysread($ready, my $byte, 1);
$| = 1;
printf "%.6f\\n", clock_gettime(CLOCK_MONOTONIC);
open(my $t, '<', $terminal) or die "$terminal: $!";
waitpid($child, 0);
exit($? >> 8);
`;

export const deviceFiles = {
    '/usr/lib/udev/rules.d/69-lab.rules': rules,
    '/run-lab/close-terminal.pl': closeTerminal,
    '/run-lab/time-node.pl': timeNode,
} as const;

/** Before anything else of the guest wants to know of devices. */
export async function startUdev(guest: Guest): Promise<void> {
    await guest.check(`mount -o remount,bind,rw /sys
mount -o remount,bind,rw /sys/devices
mount -o remount,rw /sys/devices
for number in 1 $(seq 20 63); do [ -e /dev/tty$number ] || mknod -m 0600 /dev/tty$number c 4 $number; done
systemctl start systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udevd
systemctl daemon-reexec`);
}

/** By the number of a virtual terminal: its memory is /dev/vcs<number>, of number 7:<number>. */
export async function plug(guest: Guest, number: number): Promise<void> {
    await guest.check(`true </dev/tty${number}`);
}

export async function unplug(guest: Guest, number: number): Promise<void> {
    await guest.check(['perl', '/run-lab/close-terminal.pl', String(number)]);
}

/** Has the kernel say that terminals (4:<number>) came or went. */
export async function announce(
    guest: Guest,
    action: 'add' | 'remove',
    numbers: readonly number[],
): Promise<void> {
    await guest.check(
        `for number in ${numbers.join(' ')}; do echo ${action} >/sys/class/tty/tty$number/uevent; done`,
    );
}

export function settle(guest: Guest): Promise<string> {
    return guest.check('udevadm settle --timeout=20');
}

/** As time-node.pl says it. */
export async function timeNodeOf(
    guest: Guest,
    number: number,
    {node, uid, group}: {readonly node: string; readonly uid: number; readonly group?: string},
): Promise<number> {
    const words = [`/dev/tty${number}`, node, String(uid), ...(group === undefined ? [] : [group])];
    const text = await guest.check(['perl', '/run-lab/time-node.pl', ...words]);
    const [start = NaN, end = NaN] = text.trim().split('\n').map(Number);
    return (end - start) * 1000;
}
