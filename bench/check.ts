// SPDX-License-Identifier: GPL-2.0-or-later
import {interleave, median, secondsOf} from './measure.ts';
import {type Row, comparedToLimit} from './row.ts';
import {type Subject, components} from './subject.ts';

const LATENCY = 20;
const LIMIT = 0.3;

/** Looking for new versions of 30 components on a server that takes 20 ms to answer. */
export async function benchCheck(desktop: Subject, peer: Subject): Promise<readonly Row[]> {
    for (const {repository} of [desktop, peer])
        await repository.setFault('*', {kind: 'latency', ms: LATENCY});
    const check = ({guest}: Subject) => secondsOf(guest, 'snowctl features check');
    const cold = async (subject: Subject) => {
        await subject.reset();
        return check(subject);
    };
    const jobs: number[] = [];
    const peerJobs: number[] = [];
    const warm = async (subject: Subject, seconds: number[]) => {
        await subject.guest.check(['snowctl', '--quiet', 'features', 'check']);
        const total = await check(subject);
        seconds.push(await subject.lastJob());
        return total;
    };
    const times = await interleave({
        cold: () => cold(desktop),
        warm: () => warm(desktop, jobs),
        peerCold: () => cold(peer),
        peerWarm: () => warm(peer, peerJobs),
        sysupdate: () => sysupdate(peer),
    });
    for (const {repository} of [desktop, peer]) await repository.clearFaults();
    const peers = {'systemd-sysupdate check-new of each': times.sysupdate};
    const row = (name: string, ours: number, others = {}) =>
        comparedToLimit(
            {name: `check 30 components, 20 ms latency, ${name}`, unit: 's', ours, peers: others},
            LIMIT,
        );
    return [
        row('trixie: snowctl, snowd not running', times.cold),
        row('trixie: snowctl, snowd running', times.warm),
        row('trixie: the job alone', median(jobs)),
        row('systemd 262: snowctl, snowd not running', times.peerCold, peers),
        row('systemd 262: snowctl, snowd running', times.peerWarm, peers),
        row('systemd 262: the job alone', median(peerJobs), peers),
    ];
}

/** It looks only for what is enabled. */
async function sysupdate({guest, reset}: Subject): Promise<number> {
    await reset();
    await guest.check(`for component in ${components.join(' ')}; do
        mkdir -p /etc/sysupdate.$component.d/$component.feature.d
        printf '[Feature]\\nEnabled=true\\n' >/etc/sysupdate.$component.d/$component.feature.d/50-on.conf
    done`);
    const seconds = await secondsOf(guest, checkNew);
    await reset();
    return seconds;
}

const checkNew = `for component in ${components.join(' ')}; do
    /usr/lib/systemd/systemd-sysupdate --component=$component check-new || exit
done`;
