// SPDX-License-Identifier: GPL-2.0-or-later
// Getting a container's root directory from a real registry with each of the tools, and from one that
// is not to be trusted.

import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import {bundle} from '../bus/harness/bundle.ts';
import {IMAGE, IntuneLab} from '../lab/intune/lab.ts';
import type {Guest} from '../lab/guest.ts';
import type {Fetched} from './support/fetch-program.ts';
import {HOSTILE} from './support/hostile-registry-address.ts';
import {until} from './support/waiting.ts';

const PROGRAM = '/run/lab/fetch.cjs';
const DESTINATION = '/var/lib/machines/.intune-u1001.new';

let lab: IntuneLab;
let guest: Guest;

beforeAll(async () => {
    lab = await IntuneLab.boot({
        name: 'intune-image',
        immutableUsr: false,
        files: {
            '/etc/containers/registries.conf.d/hostile.conf': `[[registry]]\nlocation = "${HOSTILE}"\ninsecure = true\n`,
            '/etc/systemd/system/hostile.service':
                '[Service]\nType=exec\nExecStart=node /run/lab/registry.cjs\nRestart=always\nRestartSec=2\n',
        },
    });
    guest = lab.guest;
    const directory = await mkdtemp(join(tmpdir(), 'intune-image-'));
    await guest.copyIn(await bundle('tests/guest/support/fetch-program.ts', directory), PROGRAM);
    await guest.copyIn(
        await bundle('tests/guest/support/hostile-registry.ts', directory),
        '/run/lab/registry.cjs',
    );
    await rm(directory, {recursive: true});
    await guest.check('systemctl start hostile.service && mkdir /opt/hidden');
    await registryListens();
});

afterAll(async () => {
    await guest?.kill();
});

afterEach(async () => {
    await guest.check(`rm -rf ${DESTINATION}; find /opt/hidden -type f -exec mv -t /usr/bin {} +`);
});

async function registryListens(): Promise<void> {
    await until('the registry listens', async () => {
        const {exitCode} = await guest.run(`curl -sf http://${HOSTILE}/v2/`);
        return exitCode === 0;
    });
}

/** As it would be where these programs are not installed. */
async function without(...programs: readonly string[]): Promise<void> {
    for (const program of programs) await guest.check(`mv /usr/bin/${program} /opt/hidden/`);
}

async function fetch(
    reference: string,
    {verb = 'fetch', stallLimit = 20_000}: {verb?: 'fetch' | 'newest'; stallLimit?: number} = {},
): Promise<Fetched> {
    const command = ['node', PROGRAM, verb, reference, DESTINATION, `${stallLimit}`];
    return JSON.parse(await guest.check(command, {timeout: 250_000})) as Fetched;
}

async function fetchHostile(name: string): Promise<Fetched> {
    return fetch(`${HOSTILE}/hostile/${name}:latest`);
}

/** Whatever happened: what was not made is not there, and nothing of how it was made. */
async function expectNothingLeft(made: boolean): Promise<void> {
    const left = await guest.check('ls -A /var/lib/machines');
    expect(left).toBe(made ? '.intune-u1001.new\n' : '');
    const units = await guest.check([
        'systemctl',
        'list-units',
        '--all',
        '--plain',
        '--no-legend',
        'snow-intune-*',
    ]);
    expect(units).toBe('');
    expect((await guest.run('ls -A /tmp /var/tmp | grep -v systemd-private')).stdout).not.toMatch(
        /oci|stor|container/,
    );
    // Where the hostile ones want to be.
    expect(
        (await guest.run('ls -d /etc/planted* /planted* /var/lib/machines/../../planted*')).stdout,
    ).toBe('');
    expect((await guest.run('stat -c %U /etc/shadow /var/lib')).stdout).toBe('root\nroot\n');
}

function described(name: string): Promise<string> {
    return guest.check(['stat', '-c', '%a %u %g %h %F', `${DESTINATION}/${name}`]);
}

/** Of the image `honest`: all that is not to be lost. */
async function expectHonest(): Promise<void> {
    expect(await described('su')).toBe('4755 0 0 1 regular file\n');
    expect(await described('wall')).toBe('2755 0 5 1 regular file\n');
    expect(await described('mine')).toBe('640 1000 1001 1 regular file\n');
    expect(await described('one')).toBe('644 0 0 2 regular file\n');
    expect(await guest.check(`getcap ${DESTINATION}/ping`)).toContain('cap_net_raw=ep');
    const archive = `tar --create --xattrs --directory=${DESTINATION} marked`;
    expect(await guest.check(`${archive} | grep -ac SCHILY.xattr.user.mark=yes`)).toBe('1\n');
    expect(await guest.check(`ls ${DESTINATION}/emptied`)).toBe('new\n');
    expect((await guest.run(`ls ${DESTINATION}/removed`)).exitCode).not.toBe(0);
}

const tools: readonly (readonly [name: string, hidden: readonly string[]])[] = [
    ['skopeo and umoci', []],
    ['podman and skopeo', ['umoci']],
    ['podman', ['umoci', 'skopeo']],
];

test('has the image that the tag stands for, and nothing else', async () => {
    const {digest, error, steps, bytes} = await fetch(`${IMAGE}:latest`);
    expect(error).toBeNull();
    expect(digest).toBe(lab.digests[1]);
    expect(steps.at(-1)).toBe('Unpacking the image');
    const fetched = bytes.filter(([, total]) => total > 0);
    const [done, total] = fetched.at(-1) ?? [];
    expect(done).toBe(total);
    expect(total).toBeGreaterThan(80_000_000);
    expect(fetched).toEqual(fetched.toSorted(([one], [other]) => one - other));
    const unpacked = bytes.slice(fetched.length, -1).map(([some]) => some);
    expect(unpacked.at(-1)).toBeGreaterThan(10_000_000);
    expect(unpacked).toEqual(unpacked.toSorted((one, other) => one - other));
    expect(bytes.at(-1)).toEqual([0, 0]);
    expect(await guest.check(`cat ${DESTINATION}/usr/share/intune-lab/version`)).toBe('1\n');
    expect(await described('usr/bin/sudo')).toMatch(/^4755 0 0 /);
    await expectNothingLeft(true);
});

test.each(tools)('keeps all of it with %s', async (_name, hidden) => {
    const {digest} = await fetch(`${HOSTILE}/hostile/honest:latest`, {verb: 'newest'});
    await without(...hidden);
    const fetched = await fetchHostile('honest');
    expect(fetched.error).toBeNull();
    expect(fetched.digest).toBe(digest);
    await expectHonest();
    await expectNothingLeft(true);
});

describe('with docker', () => {
    // podman, by docker's name: it takes the same commands.
    beforeAll(() =>
        guest.check(
            'printf \'#!/bin/sh\\nexec /opt/podman "$@"\\n\' >/usr/bin/docker && chmod +x /usr/bin/docker && cp /usr/bin/podman /opt/podman',
        ),
    );
    afterAll(() => guest.check('rm /usr/bin/docker; podman system reset --force'));

    test('has the image, and leaves none with docker', async () => {
        await without('umoci', 'podman');
        expect((await fetchHostile('honest')).error).toBeNull();
        expect(await guest.check('docker image ls -q; docker ps -aq')).toBe('');
        await expectHonest();
        await expectNothingLeft(true);
    });

    test('has none that must be signed, which docker does not look at', async () => {
        await without('umoci', 'podman', 'skopeo');
        const {error} = await fetch('ghcr.io/frostyard/unsigned:latest');
        expect(error?.[0]).toBe('NotSupported');
        expect(error?.[1]).toContain('/etc/containers/policy.json');
        await expectNothingLeft(false);
    });
});

test('says which programs are missing', async () => {
    await without('skopeo', 'umoci', 'podman');
    expect((await fetch(`${IMAGE}:latest`)).error).toEqual([
        'NotSupported',
        'To fetch an image, install skopeo and umoci',
    ]);
});

test('says what a tag stands for now', async () => {
    expect((await fetch(`${IMAGE}:insiders`, {verb: 'newest'})).digest).toBe(lab.digests[2]);
    await lab.offer('insiders', '1');
    expect((await fetch(`${IMAGE}:insiders`, {verb: 'newest'})).digest).toBe(lab.digests[1]);
    expect((await fetch(`${IMAGE}:none`, {verb: 'newest'})).error?.[0]).toBe('NotFound');
    expect((await fetch('127.0.0.1:5999/none', {verb: 'newest'})).error?.[0]).toBe('Network');
});

test("keeps to the host's policy", async () => {
    const copy = `skopeo copy --quiet --dest-tls-verify=false --src-tls-verify=false --insecure-policy docker://127.0.0.1:5000/frostyard/ubuntu-intune:latest docker://127.0.0.1:5000/frostyard`;
    for (const name of ['refused', 'unsigned']) {
        await guest.check(`${copy}/${name}:latest`, {timeout: 120_000});
        const {error} = await fetch(`ghcr.io/frostyard/${name}:latest`);
        expect(error?.[0]).toBe('VerificationFailed');
        expect(error?.[1]).toContain('policy.json');
        await expectNothingLeft(false);
    }
});

/** What becomes of a hostile image: an error, or a root directory whose files are all within it. */
const hostile: readonly (readonly [name: string, code: string | null, text: RegExp])[] = [
    ['links', null, /./],
    ['names', null, /./],
    ['hard-link', 'VerificationFailed', /cannot be unpacked/],
    ['root', 'VerificationFailed', /cannot be unpacked/],
    ['whiteouts', 'VerificationFailed', /./],
    ['device', null, /./],
    ['high-ids', 'VerificationFailed', /above 65535/],
    ['files', null, /./],
    ['diff-id', 'VerificationFailed', /not what it promised|cannot be unpacked/],
    ['no-tar', 'VerificationFailed', /cannot be unpacked/],
    ['other', 'VerificationFailed', /not what it promised/],
    ['claims', 'VerificationFailed', /claims to be of 1099511/],
    ['needs', 'NoSpace', /needs about/],
    ['empty', 'VerificationFailed', /is empty/],
];

describe.each(hostile)('an image with hostile %s', (name, code, text) => {
    test('does not leave its directory', async () => {
        const {error} = await fetchHostile(name);
        expect(error?.[0] ?? null).toBe(code);
        if (error) expect(error[1]).toMatch(text);
        // Neither here, where it would be the host's, nor as another one's.
        const nodes = `find ${DESTINATION} -type b -o -type c`;
        if (!error) expect(await guest.check(nodes)).toBe('');
        await expectNothingLeft(!error);
    });
});

test('is as safe with podman, which unpacks itself', async () => {
    await without('umoci');
    for (const name of ['links', 'names', 'hard-link', 'root', 'whiteouts', 'device', 'other']) {
        const {error} = await fetchHostile(name);
        const nodes = `find ${DESTINATION} -type b -o -type c`;
        if (!error) expect(await guest.check(nodes)).toBe('');
        await expectNothingLeft(!error);
        await guest.check(`rm -rf ${DESTINATION}`);
    }
    expect((await fetchHostile('other')).error?.[0]).toBe('VerificationFailed');
});

test('gives up a registry that hangs, vanishes or never ends', async () => {
    const hung = await fetch(`${HOSTILE}/hostile/hangs:latest`, {stallLimit: 1500});
    expect(hung.error).toEqual(['Network', 'The registry has sent nothing for 2 seconds']);
    await expectNothingLeft(false);
    const vanished = await fetchHostile('vanishes');
    expect(vanished.error?.[0]).toBe('Network');
    await expectNothingLeft(false);
    await registryListens();
    const endless = await fetchHostile('endless');
    expect(endless.error?.[0]).toBe('VerificationFailed');
    await expectNothingLeft(false);
});

test('stops before the disk is full', async () => {
    await guest.check('mount -t tmpfs -o size=300m,mode=700 tmpfs /var/lib/machines');
    try {
        const {error} = await fetchHostile('sparse');
        expect(error?.[0]).toBe('NoSpace');
        await expectNothingLeft(false);
    } finally {
        await guest.check('umount /var/lib/machines');
    }
});

test('stops before the disk takes no more files', async () => {
    await guest.check('mount -t tmpfs -o nr_inodes=20k,mode=700 tmpfs /var/lib/machines');
    try {
        const {error} = await fetchHostile('files');
        expect(error?.[0]).toBe('NoSpace');
        await expectNothingLeft(false);
    } finally {
        await guest.check('umount /var/lib/machines');
    }
});

test('leaves nothing when it is cancelled, and starts anew after it was killed', async () => {
    const start = [
        'systemd-run',
        '--unit=lab-fetch',
        '--service-type=oneshot',
        '--no-block',
        '--collect',
        '--property=KillMode=mixed',
    ];
    const program = [
        'node',
        PROGRAM,
        'fetch',
        `${HOSTILE}/hostile/hangs:latest`,
        DESTINATION,
        '60000',
    ];
    const downloads = () =>
        until('it downloads', async () => {
            const {stdout} = await guest.run([
                'systemctl',
                'is-active',
                'snow-intune-image-intune-u1001.new-fetch',
            ]);
            return stdout.trim() === 'active';
        });
    const isOver = () =>
        until('nothing runs', async () => {
            const {stdout} = await guest.run([
                'systemctl',
                'list-units',
                '--all',
                '--plain',
                '--no-legend',
                'snow-intune-*',
                'lab-fetch*',
            ]);
            return stdout === '';
        });
    await guest.check([...start, ...program]);
    await downloads();
    await guest.check(['systemctl', 'stop', 'lab-fetch.service']);
    await isOver();
    await expectNothingLeft(false);

    await guest.check([...start, ...program]);
    await downloads();
    await guest.check(['systemctl', 'kill', '--signal=KILL', 'lab-fetch.service']);
    // skopeo goes with whom it works for.
    await isOver();
    expect(await guest.check('ls -A /var/lib/machines')).not.toBe('');
    await guest.check(`rm -rf ${DESTINATION}`);
    expect((await fetchHostile('honest')).error).toBeNull();
    await expectNothingLeft(true);
});
