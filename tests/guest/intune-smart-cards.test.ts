// SPDX-License-Identifier: GPL-2.0-or-later
// A card in a reader of the computer, whose pcscd it stays with, and programs in the container that use it.
import {afterAll, beforeAll, expect, test} from 'vitest';

import type {Guest, RunResult} from '../lab/guest.ts';
import type {Session} from '../lab/session.ts';
import {CARD, CARD_PROGRAMS, OLD_LIBRARY, smartCardLayer} from '../lab/smart-cards.ts';
import {MACHINE, MachineLab, ROOTFS, UID, UID_BASE} from './support/intune-machine.ts';
import {until} from './support/waiting.ts';

const LIBRARIES = 'usr/lib/x86_64-linux-gnu';
const READER = 'Virtual PCD 00 00';
const SMART_CARDS = 'snow-smart-cards.service';

let lab: MachineLab;
let guest: Guest;
let alice: Session;

beforeAll(async () => {
    lab = await MachineLab.boot({name: 'intune-smart-cards', layers: [await smartCardLayer()]});
    guest = lab.guest;
    alice = await guest.openSession('alice');
    // The image has a pcscd of its own.
    await guest.check(
        `cp -a ${CARD_PROGRAMS} ${OLD_LIBRARY} ${ROOTFS}/opt
         cp -a /usr/lib/systemd/system/pcscd.* ${ROOTFS}/usr/lib/systemd/system
         mkdir -p ${ROOTFS}/etc/systemd/system/sockets.target.wants
         ln -s /usr/lib/systemd/system/pcscd.socket ${ROOTFS}/etc/systemd/system/sockets.target.wants`,
    );
    expect((await lab.call({verb: 'start'})).error).toBeNull();
}, 180_000);
afterAll(() => guest?.kill());

/** As a program of the user's session in the container. */
function inside(script: string, library = CARD_PROGRAMS): Promise<RunResult> {
    const environment = `export LD_LIBRARY_PATH=${library}/${LIBRARIES}:${CARD_PROGRAMS}/${LIBRARIES}
        PATH=${CARD_PROGRAMS}/usr/bin:$PATH`;
    return guest.run([
        ...['systemd-run', '--user', `--machine=alice@${MACHINE}`, '--wait', '--pipe', '--quiet'],
        ...['--', 'sh', '-c', `${environment}; ${script}`],
    ]);
}

/** The card's answer to what it is asked. */
const ASK = 'opensc-tool --card-driver default --send-apdu 00:a4:04:00';
const ANSWER = 'Received (SW1=0x90, SW2=0x00)';

test('a card that is put in while the container runs answers its programs', async () => {
    expect((await inside('pcsc_scan -r')).stdout).toContain(READER);
    const waiting = inside(`pcsc_scan >/tmp/scan &
        timeout 20 sh -c 'until grep "59 75 62 69 4B 65 79" /tmp/scan; do sleep 0.1; done'; kill $!`);
    guest.start(['node', CARD]);
    expect((await waiting).stdout).toContain('ATR: 3B FD');
    expect((await inside(ASK)).stdout).toContain(ANSWER);
});

test('both sides have it at once: neither takes it from the other', async () => {
    const host = guest.run('timeout 6 pcsc_scan', {session: alice});
    expect((await inside(ASK)).stdout).toContain(ANSWER);
    expect((await guest.run(ASK, {session: alice})).stdout).toContain(ANSWER);
    expect((await inside(ASK)).stdout).toContain(ANSWER);
    expect((await host).stdout).toContain('Card inserted');
});

test('a library of another version is content, which pcscd itself refuses', async () => {
    const script = `LD_LIBRARY_PATH=${OLD_LIBRARY}/${LIBRARIES} pcsc_scan -r`;
    expect((await guest.run(script, {session: alice})).stderr).toContain('Service was stopped');
    expect((await inside('pcsc_scan -r', OLD_LIBRARY)).stdout).toContain(READER);
    expect((await inside(ASK, OLD_LIBRARY)).stdout).toContain(ANSWER);
});

test('programs that nobody told of it find it, and no other pcscd runs', async () => {
    expect((await inside('unset PCSCLITE_CSOCK_NAME; pcsc_scan -r')).stdout).toContain(READER);
    expect(
        await lab.insideText(
            'systemctl show -P ConditionResult pcscd.socket; systemctl is-active pcscd.service pcscd.socket || :',
        ),
    ).toBe('no\ninactive\ninactive\n');
    expect(await lab.insideText('systemctl list-units --failed --no-legend')).toBe('');
});

test('it is there again after pcscd ended', async () => {
    await guest.check('systemctl stop pcscd.service');
    expect((await inside('pcsc_scan -r')).stdout).toContain(READER);
    await guest.check(['systemctl', '--user', '--machine=alice@', 'stop', SMART_CARDS]);
    expect((await inside('pcsc_scan -r')).stdout).toContain(READER);
});

test('polkit says who may: whose session is active, and no user of the container by itself', async () => {
    const scan = (uid: number) =>
        guest.run(`setpriv --reuid=${uid} --regid=${uid} --clear-groups pcsc_scan -r`);
    // pcscd hangs up on who may not: where that is before it was asked, its library says something else.
    await expect.poll(async () => (await scan(UID_BASE + UID)).stderr).toContain('Access denied');
    {
        await using _bob = await guest.openSession('bob');
        await until('it is not active', async () => !(await alice.isActive()));
        await expect
            .poll(() => inside('pcsc_scan -r'))
            .toMatchObject({stdout: '', stderr: expect.stringContaining('Access denied')});
    }
    await alice.activate();
    expect((await inside('pcsc_scan -r')).stdout).toContain(READER);
});

test('nobody else in the container has it', async () => {
    const script = `export LD_LIBRARY_PATH=${CARD_PROGRAMS}/${LIBRARIES}
        ${CARD_PROGRAMS}/usr/bin/pcsc_scan -r`;
    expect((await lab.inside(script, 'nobody')).exitCode).not.toBe(0);
});

test('without it, the container has its own pcscd', async () => {
    expect((await lab.call({verb: 'stop'})).error).toBeNull();
    await guest.check(
        `mkdir -p /etc/snow-control; printf '[Intune]\\nSmartCards=no\\n' >/etc/snow-control/intune.conf`,
    );
    expect((await lab.call({verb: 'start'})).error).toBeNull();
    expect(
        await lab.insideText('ls /run/host-pcscd 2>/dev/null; systemctl is-active pcscd.socket'),
    ).toBe('active\n');
});
