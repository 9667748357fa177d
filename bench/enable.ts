// SPDX-License-Identifier: GPL-2.0-or-later
import {interleave, median, secondsOf} from './measure.ts';
import {type Row, comparedToFloor} from './row.ts';
import type {Subject} from './subject.ts';

const IMAGE = 'http://127.0.0.1:8000/ext/big/big_1.0.raw.zst';

/** Enabling an extension of 250 MB, against fetching, hashing, unpacking and writing alone. */
export async function benchEnable(desktop: Subject, peer: Subject): Promise<readonly Row[]> {
    const jobs = new Map<Subject, number[]>([
        [desktop, []],
        [peer, []],
    ]);
    const cold = async (subject: Subject) => {
        await subject.reset();
        return enable(subject);
    };
    const warm = async (subject: Subject) => {
        await subject.reset();
        // Whoever opened the menu has started it, and read the state of the features.
        await subject.guest.check(['busctl', 'call', ...getManagedObjects]);
        const seconds = await enable(subject);
        jobs.get(subject)?.push(await subject.lastJob());
        return seconds;
    };
    const times = await interleave({
        floor: () => floor(desktop),
        cold: () => cold(desktop),
        warm: () => warm(desktop),
        peerFloor: () => floor(peer),
        sysupdate: () => sysupdate(peer),
        peerCold: () => cold(peer),
        peerWarm: () => warm(peer),
    });
    const job = (subject: Subject) => median(jobs.get(subject) ?? []);
    const floors = {desktop: times.floor, peer: times.peerFloor};
    const peers = {'systemd-sysupdate update': times.sysupdate};
    const row = (name: string, ours: number, at: 'desktop' | 'peer') =>
        comparedToFloor(
            {
                name: `enable 250 MB, ${at === 'peer' ? 'systemd 262' : 'trixie'}: ${name}`,
                unit: 's',
                ours,
                floor: floors[at],
                ...(at === 'peer' ? {peers} : {}),
            },
            1.15,
        );
    return [
        row('snowctl, snowd not running', times.cold, 'desktop'),
        row('snowctl, snowd running', times.warm, 'desktop'),
        row('the job alone', job(desktop), 'desktop'),
        row('snowctl, snowd not running', times.peerCold, 'peer'),
        row('snowctl, snowd running', times.peerWarm, 'peer'),
        row('the job alone', job(peer), 'peer'),
    ];
}

const getManagedObjects = [
    'org.frostyard.Snow1',
    '/org/frostyard/Snow1',
    'org.freedesktop.DBus.ObjectManager',
    'GetManagedObjects',
];

function enable({guest}: Subject): Promise<number> {
    return secondsOf(guest, 'snowctl features enable big');
}

async function floor(subject: Subject): Promise<number> {
    await subject.reset();
    const {guest} = subject;
    await guest.check(['mkdir', '-p', '/var/lib/extensions.d']);
    const file = '/var/lib/extensions.d/floor';
    return secondsOf(
        guest,
        `set -o pipefail
curl -fsS ${IMAGE} | tee >(sha256sum >/tmp/floor.sha256) | zstd -dqc >${file} && sync ${file}`,
    );
}

async function sysupdate(subject: Subject): Promise<number> {
    await subject.reset();
    const {guest} = subject;
    await guest.check([
        'mkdir',
        '-p',
        '/var/lib/extensions.d',
        '/etc/sysupdate.big.d/big.feature.d',
    ]);
    await guest.check(
        `printf '[Feature]\\nEnabled=true\\n' >/etc/sysupdate.big.d/big.feature.d/50-on.conf`,
    );
    return secondsOf(guest, '/usr/lib/systemd/systemd-sysupdate --component=big update');
}
