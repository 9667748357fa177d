// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {SUFFIX, builtExtensions} from '../lab/extensions.ts';
import {serveInGuest} from '../lab/guest-repository.ts';
import {Guest} from '../lab/guest.ts';
import {componentDirectory, publish} from '../lab/publication.ts';
import {makeKey} from '../lab/signing.ts';

let guest: Guest;

beforeAll(async () => {
    guest = await Guest.boot('desktop', {
        files: {'/usr/share/lab-probe': 'below an immutable /usr\n'},
    });
});
afterAll(() => guest?.kill());

describe('a guest', () => {
    test('has a /usr that nobody can change, and an /etc and /var that root can', async () => {
        expect(await guest.check(['cat', '/usr/share/lab-probe'])).toBe(
            'below an immutable /usr\n',
        );
        const attempt = await guest.run(['touch', '/usr/share/other']);
        expect(attempt).toMatchObject({exitCode: 1});
        expect(attempt.stderr).toContain('Read-only file system');
        await guest.putFile('/etc/lab/x', 'one');
        await guest.putFile('/var/lib/lab/x', 'two');
        expect(await guest.check(['cat', '/etc/lab/x', '/var/lib/lab/x'])).toBe('onetwo');
    });

    test('enforces the device policy of its units', async () => {
        const {exitCode, stderr} = await guest.run([
            ...['systemd-run', '--quiet', '--pipe', '--wait', '--property=DevicePolicy=closed'],
            ...['head', '-c1', '/dev/loop0'],
        ]);
        expect(exitCode).not.toBe(0);
        expect(stderr).toContain('Operation not permitted');
    });

    test('knows active, inactive and no sessions apart, and polkit with it', async () => {
        const mayRebootWithoutAsking = async (options: object) => {
            const {exitCode} = await guest.run(
                'pkcheck --action-id org.freedesktop.login1.power-off --process $$',
                options,
            );
            return exitCode === 0;
        };
        expect(await mayRebootWithoutAsking({user: 'alice'})).toBe(false);
        await using first = await guest.openSession('alice');
        expect(await mayRebootWithoutAsking({session: first})).toBe(true);
        await using second = await guest.openSession('bob');
        expect([await first.isActive(), await second.isActive()]).toEqual([false, true]);
        expect(await mayRebootWithoutAsking({session: first})).toBe(false);
        await first.activate();
        expect(await mayRebootWithoutAsking({session: first})).toBe(true);
    });

    test('runs programs on a terminal, types at them and ends those that hang', async () => {
        const terminal = guest.startTerminal([
            'sh',
            '-c',
            'read -p "name? " x; echo "<$x>"; exit 3',
        ]);
        await terminal.waitFor(/name\? $/);
        terminal.type('snow\n');
        await terminal.waitFor(/<snow>/);
        expect(await terminal.exit).toBe(3);
        expect(await guest.run(['sleep', '30'], {timeout: 1000})).toMatchObject({exitCode: 124});
    });

    test('keeps /etc over a reboot', async () => {
        await guest.putFile('/etc/lab/kept', 'kept');
        await guest.reboot();
        expect((await guest.getFile('/etc/lab/kept')).toString()).toBe('kept');
    });
});

test('extensions made by mkosi merge, run, and show which version they are', async () => {
    const images = await builtExtensions();
    await guest.check(['mkdir', '-p', '/var/lib/extensions']);
    const install = async (name: string, version: string) => {
        const packed = `${name}_${version}_${SUFFIX}.raw.zst`;
        await guest.copyIn(join(images, name, packed), `/var/tmp/${packed}`);
        const target = `/var/lib/extensions/${name}.raw`;
        await guest.check(['zstd', '-q', '-d', '-f', `/var/tmp/${packed}`, '-o', target]);
        await guest.check(['systemd-sysext', 'refresh']);
    };
    expect(await guest.run(['podman', '--version'])).toMatchObject({exitCode: 127});

    await install('podman', '5.4.0');
    expect(await guest.check(['podman', '--version'])).toMatch(/^podman version 5\./);
    const version = () => guest.check(['cat', '/usr/share/snow-lab/jq.version']);
    await install('jq', '1.7');
    expect(await guest.check(['jq', '-c', '.a'], {input: '{"a": [1]}'})).toBe('[1]\n');
    expect(await version()).toBe('1.7\n');
    await install('jq', '1.8~rc1');
    expect(await version()).toBe('1.8~rc1\n');

    // for a Debian 99: systemd-sysext leaves it out and says nothing
    await install('tomorrow', '1.0');
    const status = await guest.check(['systemd-sysext', 'status', '--json=short']);
    const usr = (JSON.parse(status) as {hierarchy: string; extensions: unknown}[]).find(
        ({hierarchy}) => hierarchy === '/usr',
    );
    expect(usr?.extensions).toEqual(['jq', 'podman']);
    await guest.check(['systemd-sysext', 'unmerge']);
    expect(await guest.run(['jq', '--version'])).toMatchObject({exitCode: 127});
});

test('a repository in the guest serves what is published on the host, and fails as told', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'repository-'));
    await using key = await makeKey();
    await publish(directory, 'demo');
    await using repository = await serveInGuest(guest, {directory});
    await writeFile(join(componentDirectory(directory, 'demo'), 'file'), 'content');
    await publish(directory, 'demo', {key});
    const base = `${repository.url}/ext/demo`;
    await guest.putFile('/etc/systemd/import-pubring.gpg', await key.exportKeyring('binary'));
    await guest.check(`cd /tmp && curl -fsSO ${base}/SHA256SUMS -O ${base}/SHA256SUMS.gpg -O ${base}/file
        gpgv --keyring /etc/systemd/import-pubring.gpg SHA256SUMS.gpg SHA256SUMS && sha256sum -c SHA256SUMS`);
    await repository.setFault('/ext/demo/file', {kind: 'status', status: 500, times: 1});
    expect(await guest.run(['curl', '-fsS', `${base}/file`])).toMatchObject({exitCode: 22});
    expect(await guest.check(['curl', '-fsS', `${base}/file`])).toBe('content');
    expect((await repository.log()).requests).toHaveLength(5);
    await rm(directory, {recursive: true});
});

test('the peer has systemd 262 and its systemd-sysupdate', async () => {
    await using peer = await Guest.boot('peer');
    expect(await peer.check(['systemctl', '--version'])).toMatch(/^systemd 262/);
    expect(await peer.check(['/usr/lib/systemd/systemd-sysupdate', '--help'])).toContain(
        'components',
    );
});
