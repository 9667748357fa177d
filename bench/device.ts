// SPDX-License-Identifier: GPL-2.0-or-later
import {
    deviceFiles,
    plug,
    settle,
    startUdev,
    timeNodeOf,
    unplug,
} from '../tests/guest/support/lab-devices.ts';
import {Guest} from '../tests/lab/guest.ts';
import {installedSystem} from '../tests/lab/installation.ts';
import {interleave} from './measure.ts';
import {type Row, comparedToLimit} from './row.ts';

const RUNTIME = '/run/snow-control/intune/u1001';
const OWNER = 0x4000_0000 + 1001;
const OURS = 57;
const FLOOR = 61;
const ROUNDS = 21;

/** The least that udev and systemd take to have one program run for a device. */
const floorRule = `ACTION!="remove", KERNEL=="vcs${FLOOR}", TAG+="systemd", ENV{SYSTEMD_WANTS}+="lab-floor.service", ENV{SNOW_CONTROL_CLASS}=""
`;
const floorUnit = `[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=chown ${OWNER} /run/lab-floor
`;
/** Has a control group with a policy as that of a container has, and nothing in it. */
const machineUnit = `[Service]
ExecStart=sleep infinity
DevicePolicy=closed
DeviceAllow=char-pts rw
`;

/** From the kernel's event of a camera to its node in the container of who sits before it. */
export async function benchDevice(): Promise<readonly Row[]> {
    await using guest = await Guest.boot('desktop', {
        name: 'bench-device',
        install: await installedSystem(),
        files: {
            ...deviceFiles,
            '/usr/lib/udev/rules.d/69-lab-floor.rules': floorRule,
            '/etc/systemd/system/lab-floor.service': floorUnit,
            '/etc/systemd/system/systemd-nspawn@intune-u1001.service': machineUnit,
        },
    });
    await startUdev(guest);
    await using _session = await guest.openSession('alice');
    await guest.check(`mkdir -p ${RUNTIME}/dev
mount -t tmpfs -o mode=755,nosuid,noexec none ${RUNTIME}/dev
printf 'owner ${OWNER}:${OWNER}\\ncamera allow\\n' >${RUNTIME}/device-rules
/usr/lib/snow-control/snow-intune-device begin intune-u1001
systemctl start systemd-nspawn@intune-u1001.service`);
    const time = async (number: number, node: string, group?: string) => {
        // Where an earlier guest left one, there is no event.
        await plug(guest, number);
        await unplug(guest, number);
        await settle(guest);
        await guest.check(`while [ -e ${RUNTIME}/devices/7:${number} ] ||
    systemctl is-active -q lab-floor || systemctl list-jobs | grep -q lab-floor; do sleep 0.05; done
rm -f /run/lab-floor; touch /run/lab-floor`);
        const wanted = {node, uid: OWNER, ...(group === undefined ? {} : {group})};
        const milliseconds = await timeNodeOf(guest, number, wanted);
        await unplug(guest, number);
        await settle(guest);
        return milliseconds;
    };
    const group = await guest.check(
        'echo /sys/fs/cgroup$(systemctl show -P ControlGroup systemd-nspawn@intune-u1001.service)',
    );
    const times = await interleave(
        {
            floor: () => time(FLOOR, '/run/lab-floor'),
            ours: () => time(OURS, `${RUNTIME}/dev/vcs${OURS}`, group.trim()),
        },
        ROUNDS,
    );
    const name = 'a camera from its event to a container that can open it';
    return [comparedToLimit({name, unit: 'ms', ours: times.ours, floor: times.floor}, 50)];
}
