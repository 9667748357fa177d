// SPDX-License-Identifier: GPL-2.0-or-later
import {interleave, secondsOf} from './measure.ts';
import {type Row, comparedToFloor} from './row.ts';
import {type Subject, components} from './subject.ts';

const ROUNDS = 11;

/** `snowctl features list` with 30 components, for an ordinary user. */
export async function benchList(desktop: Subject, peer: Subject): Promise<readonly Row[]> {
    for (const {guest} of [desktop, peer])
        await guest.check(['snowctl', '--quiet', 'features', 'check']);
    const alice = {user: 'alice'};
    const list = 'snowctl features list';
    const node = 'node -e 0';
    const times = await interleave(
        {
            floor: () => secondsOf(desktop.guest, node, alice),
            ours: () => secondsOf(desktop.guest, list, alice),
            peerFloor: () => secondsOf(peer.guest, node, alice),
            peerOurs: () => secondsOf(peer.guest, list, alice),
            sysupdate: () => secondsOf(peer.guest, features, alice),
        },
        ROUNDS,
    );
    // The peer is not written in JavaScript: it is shown, and not part of the goal.
    const peers = {'systemd-sysupdate features of each': times.sysupdate};
    const row = (name: string, ours: number, floor: number) =>
        comparedToFloor({name: `snowctl features list of 30, ${name}`, unit: 's', ours, floor}, 3);
    return [
        row('trixie', times.ours, times.floor),
        {...row('systemd 262', times.peerOurs, times.peerFloor), peers},
    ];
}

const features = `for component in ${components.join(' ')}; do
    /usr/lib/systemd/systemd-sysupdate --component=$component features
done`;
